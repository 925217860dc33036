/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_rows.c: reads and writes the rows of tenants and keys.
 */
#include "status-store/registry_rows.h"

#include <string.h>

#include "common/base/memory.h"

#define TENANT_COLUMNS \
        "name, v, rate_count, rate_per, burst, max_running, slots_version, max_pending, weight," \
        " paused, deleted, amqp_login, created_at, deleted_at"
#define KEY_COLUMNS "id, v, tenant, sha256, scopes, expires, revoked, created_at"

static void tenant_read(sqlite3_stmt *s, struct tenant *t)
{
        struct tenant_record *r = &t->record;
        *t = (struct tenant){0};
        db_text(s, 0, r->name, sizeof(r->name));
        r->v = sqlite3_column_int64(s, 1);
        r->rate_count = sqlite3_column_int64(s, 2);
        r->rate_per = sqlite3_column_int64(s, 3);
        r->burst = sqlite3_column_int64(s, 4);
        r->max_running = sqlite3_column_int64(s, 5);
        r->slots_version = sqlite3_column_int64(s, 6);
        r->max_pending = sqlite3_column_int64(s, 7);
        r->weight = sqlite3_column_int64(s, 8);
        r->paused = sqlite3_column_int(s, 9) != 0;
        r->deleted = sqlite3_column_int(s, 10) != 0;
        t->amqp_login = sqlite3_column_int(s, 11) == LOGIN_THERE;
        t->login_unsure = sqlite3_column_int(s, 11) == LOGIN_UNSURE;
        t->created_at = sqlite3_column_int64(s, 12);
        t->deleted_at = sqlite3_column_int64(s, 13);
}

int tenant_put(struct database *db, const struct tenant *t, struct err *e)
{
        const struct tenant_record *r = &t->record;
        enum tenant_login known = t->amqp_login ? LOGIN_THERE : LOGIN_NONE;
        enum tenant_login login = t->login_unsure ? LOGIN_UNSURE : known;
        return database_run(
                db,
                "INSERT OR REPLACE INTO tenants(" TENANT_COLUMNS ", told)"
                " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, 0)",
                DB_VALUES(value_text(r->name), value_int(r->v), value_int(r->rate_count),
                          value_int(r->rate_per), value_int(r->burst), value_int(r->max_running),
                          value_int(r->slots_version), value_int(r->max_pending),
                          value_int(r->weight), value_int(r->paused), value_int(r->deleted),
                          value_int(login), value_int(t->created_at), value_int(t->deleted_at)),
                e);
}

static void key_read(sqlite3_stmt *s, struct key *k)
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

int key_put(struct database *db, const struct key *k, struct err *e)
{
        const struct key_record *r = &k->record;
        return database_run(
                db, "INSERT INTO keys(" KEY_COLUMNS ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                DB_VALUES(value_text(r->id), value_int(r->v),
                          value_string(bytes_of_text(r->tenant)),
                          value_blob(bytes_of(r->sha256, sizeof(r->sha256))), value_int(r->scopes),
                          value_int(r->expires), value_int(r->revoked), value_int(k->created_at)),
                e);
}

int tenant_find(struct database *db, const char *name, struct tenant *out, struct err *e)
{
        AUTO_RESET *find =
                database_query(db, "SELECT " TENANT_COLUMNS " FROM tenants WHERE name = ?1",
                               DB_VALUES(value_text(name)), e);
        int found = db_step(find, e);
        if (found == 1)
                tenant_read(find, out);
        return found;
}

int tenants_read(struct database *db, enum which which, struct tenant **list, size_t *count,
                 struct err *e)
{
        AUTO_RESET *all = database_query(db,
                                         "SELECT " TENANT_COLUMNS " FROM tenants"
                                         " WHERE ?1 = 0 OR told = 0 ORDER BY name",
                                         DB_VALUES(value_int(which == WHICH_UNPUBLISHED)), e);
        int more = 0;
        while ((more = db_step(all, e)) == 1) {
                *list = xrealloc(*list, (*count + 1) * sizeof(**list));
                tenant_read(all, &(*list)[(*count)++]);
        }
        return more;
}

int keys_read(struct database *db, enum which which, const char *tenant, struct key **list,
              size_t *count, struct err *e)
{
        AUTO_RESET *all = database_query(
                db,
                "SELECT " KEY_COLUMNS " FROM keys WHERE"
                " (?1 = 0 OR told = 0) AND (?2 IS NULL OR tenant = ?2 AND (?1 = 1 OR revoked < 2))"
                " ORDER BY created_at, id",
                DB_VALUES(value_int(which == WHICH_UNPUBLISHED), value_text(tenant)), e);
        int more = 0;
        while ((more = db_step(all, e)) == 1) {
                *list = xrealloc(*list, (*count + 1) * sizeof(**list));
                key_read(all, &(*list)[(*count)++]);
        }
        return more;
}

int rows_exist(struct database *db, const char *sql, const struct db_value *values, struct err *e)
{
        AUTO_RESET *find = database_query(db, sql, values, e);
        return db_step(find, e);
}

int rows_change(struct database *db, const char *sql, const struct db_value *values, struct err *e)
{
        if (database_run(db, sql, values, e) != 0)
                return -1;
        return sqlite3_changes(database_handle(db)) > 0 ? 1 : 0;
}
