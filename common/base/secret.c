/* SPDX-License-Identifier: Apache-2.0
 *
 * secret.c: random secrets; the files of secrets.
 */
#include "common/base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/base/utf8.h"
#include "common/base/uuid.h"

enum { SECRET_MAX = 4096 };

void secret_random(char out[SECRET_RANDOM_SIZE])
{
        unsigned char raw[(SECRET_RANDOM_SIZE - 1) / 2];

        random_fill(raw, sizeof(raw));
        for (size_t i = 0; i < sizeof(raw); i++)
                snprintf(out + 2 * i, 3, "%02x", raw[i]);
        explicit_bzero(raw, sizeof(raw));
}

/* Owner and group may have access to the file, others not. */
static int secret_check(int fd, const char *path, struct err *e)
{
        struct stat info;

        if (fstat(fd, &info) < 0)
                return err_set_errno(e, "%s", path);
        if (!S_ISREG(info.st_mode))
                return err_set(e, ERR_INVALID, "%s: not a regular file", path);
        if ((info.st_mode & S_IRWXO) != 0)
                return err_set(e, ERR_INVALID, "%s: others can read it: chmod o= it", path);
        if (info.st_size > SECRET_MAX)
                return err_set(e, ERR_TOO_LARGE, "%s: a secret has at most %d bytes", path,
                               SECRET_MAX);
        return 0;
}

char *secret_read(const char *path, struct err *e)
{
        char text[SECRET_MAX + 2];
        size_t length = 0;
        ssize_t got;

        AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0) {
                err_set_errno(e, "%s", path);
                return NULL;
        }
        if (secret_check(fd, path, e) < 0)
                return NULL;
        while ((got = read(fd, text + length, sizeof(text) - length)) > 0)
                length += (size_t)got;

        char *secret = NULL;
        if (length > 0 && text[length - 1] == '\n')
                length--;
        if (got < 0)
                err_set_errno(e, "%s", path);
        else if (length > SECRET_MAX)
                err_set(e, ERR_TOO_LARGE, "%s: a secret has at most %d bytes", path, SECRET_MAX);
        else if (length == 0)
                err_set(e, ERR_INVALID, "%s: empty", path);
        else if (utf8_begins_with_bom(text, length))
                err_set(e, ERR_INVALID, "%s: " UTF8_BOM_REFUSAL, path);
        else if (memchr(text, '\0', length) != NULL)
                err_set(e, ERR_INVALID, "%s: holds a NUL", path);
        else
                secret = xmemdup0(text, length);
        explicit_bzero(text, sizeof(text));
        return secret;
}

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

int secret_write(const char *path, const char *text, struct err *e)
{
        AUTO_FREE char *fresh = xasprintf("%s.new", path);

        int done = write_fresh(fresh, text, e);
        if (done == 0 && rename(fresh, path) < 0)
                done = err_set_errno(e, "%s", path);
        if (done == 0)
                return sync_folder(path, e);
        unlink(fresh);
        return done;
}
