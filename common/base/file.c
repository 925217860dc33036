/* SPDX-License-Identifier: Apache-2.0
 *
 * file.c: replaces a small file.
 */
#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/own.h"

/* Always creates the file: an existing one may belong to another user, be open, or be a link. */
static int write_fresh(const char *path, const char *text, struct err *e)
{
        if (unlink(path) < 0 && errno != ENOENT)
                return err_set_errno(e, "%s", path);
        AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0 || fchmod(fd, 0600) < 0)
                return err_set_errno(e, "%s", path);
        if (write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fsync(fd) < 0)
                return err_set_errno(e, "%s", path);
        return 0;
}

/* The rename is on the disk only after the folder's fsync. */
static int sync_folder(const char *path, struct err *e)
{
        AUTO_FREE char *copy = xstrdup(path);
        AUTO_CLOSE int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0 || fsync(fd) < 0)
                return err_set_errno(e, "%s: sync of its folder", path);
        return 0;
}

char *file_replace_path(const char *path)
{
        return xasprintf("%s.new", path);
}

int file_replace(const char *path, const char *text, struct err *e)
{
        AUTO_FREE char *fresh = file_replace_path(path);

        int done = write_fresh(fresh, text, e);
        if (done == 0 && rename(fresh, path) < 0)
                done = err_set_errno(e, "%s", path);
        if (done == 0)
                return sync_folder(path, e);
        unlink(fresh);
        return done;
}
