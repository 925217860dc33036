/* SPDX-License-Identifier: Apache-2.0
 *
 * admin_key.c: admin keys, written to files that only their owner can read.
 */
#include "status-store/admin_key.h"

#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/base/secret.h"

/* Writes the file before the registry. After a crash in between, the file's key is not valid, and
 * the next start makes another one. The other order would lose the only copy of the secret. */
int admin_key_create(struct registry *r, const char *path, struct err *e)
{
        char text[KEY_TEXT_SIZE];
        struct key key;
        const unsigned scopes = SCOPE_SUBMIT | SCOPE_READ | SCOPE_OPERATE | SCOPE_ADMIN;
        if (key_generate("", scopes, 0, text, &key, e) != 0)
                return -1;
        AUTO_FREE char *line = xasprintf("%s\n", text);
        int done = secret_write(path, line, e);
        explicit_bzero(text, sizeof(text));
        explicit_bzero(line, strlen(line));
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
