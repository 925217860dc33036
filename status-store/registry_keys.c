/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_keys.c: keys in registry.db.
 */
#include "status-store/registry.h"

#include <string.h>

#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "status-store/registry_rows.h"

#define KEY_COLUMNS "id, v, tenant, sha256, scopes, expires, revoked, created_at"

static void read_key(sqlite3_stmt *s, struct key *k)
{
        struct key_record *r = &k->record;
        *k = (struct key){0};
        db_text(s, 0, r->id, sizeof(r->id));
        r->v = sqlite3_column_int64(s, 1);
        db_text(s, 2, r->tenant, sizeof(r->tenant));
        struct bytes hash = db_bytes(s, 3);
        if (hash.length == sizeof(r->sha256))
                memcpy(r->sha256, hash.data, sizeof(r->sha256));
        r->scopes = (unsigned)sqlite3_column_int(s, 4);
        r->expires = sqlite3_column_int64(s, 5);
        r->revoked = sqlite3_column_int(s, 6) != 0 || hash.length != sizeof(r->sha256);
        k->created_at = sqlite3_column_int64(s, 7);
}

/* Makes a key, without writing it. tenant "": an admin key. */
static int generate(const char *tenant, unsigned scopes, msec expires, char text[KEY_TEXT_SIZE],
                    struct key *out, struct err *e)
{
        *out = (struct key){
                .record = {.v = 1, .scopes = scopes, .expires = expires},
                .created_at = clock_wall(),
        };
        if (bytes_to_text(bytes_of_text(tenant), out->record.tenant, TENANT_SIZE) != 0)
                return err_set(e, ERR_INVALID, "the tenant's name is too long");
        api_key_generate(text, out->record.id, out->record.sha256);
        return 0;
}

static int put_key(struct database *db, void *owner, struct err *e)
{
        const struct key *k = owner;
        const struct key_record *r = &k->record;
        const char *tenant = k->record.tenant;
        struct tenant t = {0};
        int found = tenant[0] == '\0' ? 1 : tenant_find(db, tenant, &t, e);
        if (found < 0)
                return -1;
        if (found == 0 || t.record.deleted)
                return err_set(e, ERR_NOT_FOUND, "there is no tenant %s", tenant);
        return database_run(
                db, "INSERT INTO keys(" KEY_COLUMNS ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                DB_VALUES(value_text(r->id), value_int(r->v),
                          value_string(bytes_of_text(r->tenant)),
                          value_blob(bytes_of(r->sha256, sizeof(r->sha256))), value_int(r->scopes),
                          value_int(r->expires), value_int(r->revoked), value_int(k->created_at)),
                e);
}

int registry_add_key(struct registry *r, const char *tenant, unsigned scopes, msec expires,
                     char text[KEY_TEXT_SIZE], struct key *out, struct err *e)
{
        if (generate(tenant, scopes, expires, text, out, e) != 0)
                return -1;
        return registry_write(r, put_key, out, e);
}

int registry_revoke_key(struct registry *r, const char *tenant, const char *id, struct err *e)
{
        int revoked = registry_rows_change(
                r,
                "UPDATE keys SET v = v + 1, revoked = 1, told = 0"
                " WHERE id = ?1 AND tenant = ?2 AND revoked = 0",
                DB_VALUES(value_text(id), value_string(bytes_of_text(tenant))), e);
        if (revoked == 0)
                return err_set(e, ERR_NOT_FOUND, "tenant %s has no key %s", tenant, id);
        return revoked < 0 ? -1 : 0;
}

int registry_has_admin_key(struct registry *r, struct err *e)
{
        return registry_rows_exist(
                r, "SELECT 1 FROM keys WHERE tenant = '' AND revoked = 0 LIMIT 1", NULL, e);
}

/* Writes the file before the registry. After a crash in between, the file's key is not valid, and
 * the next start makes another one. The other order would lose the only copy of the secret. */
int registry_create_admin_key(struct registry *r, const char *path, struct err *e)
{
        char text[KEY_TEXT_SIZE];
        struct key key;
        const unsigned scopes = SCOPE_SUBMIT | SCOPE_READ | SCOPE_OPERATE | SCOPE_ADMIN;
        if (generate("", scopes, 0, text, &key, e) != 0)
                return -1;
        AUTO_FREE char *line = xasprintf("%s\n", text);
        int done = file_replace(path, line, e);
        explicit_bzero(text, sizeof(text));
        explicit_bzero(line, strlen(line));
        return done != 0 ? -1 : registry_write(r, put_key, &key, e);
}

int registry_bootstrap_admin_key(struct registry *r, const char *path, struct err *e)
{
        int has = registry_has_admin_key(r, e);
        if (has != 0)
                return has < 0 ? -1 : 0;
        if (registry_create_admin_key(r, path, e) != 0)
                return -1;
        LOG_INFO("first admin key written", log_text("path", path));
        return 0;
}

static int read_keys(struct registry *r, enum which which, const char *tenant, struct key **list,
                     size_t *count, struct err *e)
{
        AUTO_READER *reader = registry_read(r, e);
        if (reader == NULL)
                return -1;
        AUTO_RESET *all = reader_query(
                reader,
                "SELECT " KEY_COLUMNS " FROM keys WHERE"
                " (?1 = 0 OR told = 0) AND (?2 IS NULL OR tenant = ?2 AND (?1 = 1 OR revoked < 2))"
                " ORDER BY created_at, id",
                DB_VALUES(value_int(which == WHICH_UNPUBLISHED), value_text(tenant)), e);
        int more = 0;
        while ((more = db_step(all, e)) == 1) {
                *list = xrealloc(*list, (*count + 1) * sizeof(**list));
                read_key(all, &(*list)[(*count)++]);
        }
        return more;
}

/* Reads all rows first, so that the callback may change them. */
int registry_each_key(struct registry *r, enum which which, const char *tenant, key_fn *each,
                      void *owner, struct err *e)
{
        AUTO_FREE struct key *list = NULL;
        size_t count = 0;
        if (read_keys(r, which, tenant, &list, &count, e) != 0)
                return -1;
        for (size_t i = 0; i < count; i++) {
                if (each(owner, &list[i], e) != 0)
                        return -1;
        }
        return 0;
}

/* Reads first, as registry_seen_tenant does: nearly always there is nothing to write. */
int registry_seen_key(struct registry *r, const char *id, int64_t v, struct err *e)
{
        const struct db_value *id_v = DB_VALUES(value_text(id), value_int(v));
        int low = registry_rows_exist(r, "SELECT 1 FROM keys WHERE id = ?1 AND v < ?2", id_v, e);
        if (low <= 0)
                return low;
        return registry_rows_change(
                r, "UPDATE keys SET v = ?2 + 1, told = 0 WHERE id = ?1 AND v < ?2", id_v, e);
}
