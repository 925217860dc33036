/* SPDX-License-Identifier: Apache-2.0
 *
 * admin_key.c: admin keys, written to files that only their owner can read.
 */
#include "status-store/admin_key.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/own.h"

static int write_file(const char *path, const char *text, struct err *e)
{
        AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 || fchmod(fd, 0600) != 0)
                return err_set_errno(e, "cannot write %s", path);
        if (dprintf(fd, "%s\n", text) < 0 || fsync(fd) != 0)
                return err_set_errno(e, "cannot write %s", path);
        return 0;
}

int admin_key_create(struct registry *r, const char *path, struct err *e)
{
        char text[KEY_TEXT_SIZE];
        struct key key;
        struct err ignored = {0};
        const unsigned scopes = SCOPE_SUBMIT | SCOPE_READ | SCOPE_OPERATE | SCOPE_ADMIN;
        if (registry_add_key(r, "", scopes, 0, text, &key, e) != 0)
                return -1;
        int done = write_file(path, text, e);
        explicit_bzero(text, sizeof(text));
        if (done != 0 && registry_revoke_key(r, "", key.record.id, &ignored) != 0)
                LOG_WARN("a key that was not written stays", log_text("key", key.record.id));
        return done;
}

int admin_key_bootstrap(struct registry *r, const char *path, struct err *e)
{
        int has = registry_has_admin_key(r, e);
        if (has != 0)
                return has < 0 ? -1 : 0;
        LOG_INFO("first admin key written", log_text("path", path));
        return admin_key_create(r, path, e);
}
