/* SPDX-License-Identifier: Apache-2.0
 *
 * admin_key.c: admin keys, written to files that only their owner can read.
 */
#include "status-store/admin_key.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"

/* The name of a new file is kept only when its folder is. */
static int sync_folder(const char *path, struct err *e)
{
        AUTO_FREE char *copy = xstrdup(path);
        AUTO_CLOSE int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fsync(fd) != 0)
                return err_set_errno(e, "cannot keep %s", path);
        return 0;
}

static int write_file(const char *path, const char *text, struct err *e)
{
        AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 || fchmod(fd, 0600) != 0)
                return err_set_errno(e, "cannot write %s", path);
        if (dprintf(fd, "%s\n", text) < 0 || fsync(fd) != 0)
                return err_set_errno(e, "cannot write %s", path);
        return sync_folder(path, e);
}

/* The file first: after a crash between the two there is a file with a key that nobody knows, and
 * still no admin key, so that the next start writes another. The other way round the only copy of
 * the secret would be lost. */
int admin_key_create(struct registry *r, const char *path, struct err *e)
{
        char text[KEY_TEXT_SIZE];
        struct key key;
        const unsigned scopes = SCOPE_SUBMIT | SCOPE_READ | SCOPE_OPERATE | SCOPE_ADMIN;
        if (key_generate("", scopes, 0, text, &key, e) != 0)
                return -1;
        int done = write_file(path, text, e);
        explicit_bzero(text, sizeof(text));
        return done != 0 ? -1 : registry_put_key(r, &key, e);
}

int admin_key_bootstrap(struct registry *r, const char *path, struct err *e)
{
        int has = registry_has_admin_key(r, e);
        if (has != 0)
                return has < 0 ? -1 : 0;
        if (admin_key_create(r, path, e) != 0)
                return -1;
        LOG_INFO("first admin key written", log_text("path", path));
        return 0;
}
