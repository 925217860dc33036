/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_rows.c: reads and writes the rows of tenants and keys.
 */
#include "status-store/registry_rows.h"

#include <string.h>

#include "common/base/memory.h"

void tenant_read(sqlite3_stmt *s, struct tenant *t)
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

void tenant_bind(sqlite3_stmt *s, const struct tenant *t)
{
        const struct tenant_record *r = &t->record;
        enum tenant_login known = t->amqp_login ? LOGIN_THERE : LOGIN_NONE;
        enum tenant_login login = t->login_unsure ? LOGIN_UNSURE : known;
        const int64_t numbers[] = {r->v,           r->rate_count,    r->rate_per,    r->burst,
                                   r->max_running, r->slots_version, r->max_pending, r->weight,
                                   r->paused,      r->deleted,       login,          t->created_at,
                                   t->deleted_at};
        db_bind_text(s, 1, r->name);
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
                db_bind_int(s, 2 + (int)i, numbers[i]);
}

void key_read(sqlite3_stmt *s, struct key *k)
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

void key_bind(sqlite3_stmt *s, const struct key *k)
{
        const struct key_record *r = &k->record;
        db_bind_text(s, 1, r->id);
        db_bind_int(s, 2, r->v);
        sqlite3_bind_text(s, 3, r->tenant, -1, SQLITE_STATIC);
        db_bind_blob(s, 4, r->sha256, sizeof(r->sha256));
        db_bind_int(s, 5, r->scopes);
        db_bind_int(s, 6, r->expires);
        db_bind_int(s, 7, r->revoked);
        db_bind_int(s, 8, k->created_at);
}

int tenant_find(struct database *db, const char *name, struct tenant *out, struct err *e)
{
        AUTO_RESET *find =
                database_statement(db, "SELECT " TENANT_COLUMNS " FROM tenants WHERE name = ?1", e);
        if (find == NULL)
                return -1;
        db_bind_text(find, 1, name);
        int found = db_step(find, e);
        if (found == 1)
                tenant_read(find, out);
        return found;
}

int tenants_read(struct database *db, enum which which, struct tenant **list, size_t *count,
                 struct err *e)
{
        AUTO_RESET *all = database_statement(db,
                                             "SELECT " TENANT_COLUMNS " FROM tenants"
                                             " WHERE ?1 = 0 OR told = 0 ORDER BY name",
                                             e);
        if (all == NULL)
                return -1;
        db_bind_int(all, 1, which == WHICH_UNPUBLISHED);
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
        AUTO_RESET *all = database_statement(
                db,
                "SELECT " KEY_COLUMNS " FROM keys WHERE"
                " (?1 = 0 OR told = 0) AND (?2 IS NULL OR tenant = ?2 AND (?1 = 1 OR revoked < 2))"
                " ORDER BY created_at, id",
                e);
        if (all == NULL)
                return -1;
        db_bind_int(all, 1, which == WHICH_UNPUBLISHED);
        db_bind_text(all, 2, tenant);
        int more = 0;
        while ((more = db_step(all, e)) == 1) {
                *list = xrealloc(*list, (*count + 1) * sizeof(**list));
                key_read(all, &(*list)[(*count)++]);
        }
        return more;
}

static void bind_name(sqlite3_stmt *s, const char *name, int64_t number)
{
        db_bind_text(s, 1, name);
        if (sqlite3_bind_parameter_count(s) > 1)
                db_bind_int(s, 2, number);
}

int rows_exist(struct database *db, const char *sql, const char *name, int64_t number,
               struct err *e)
{
        AUTO_RESET *find = database_statement(db, sql, e);
        if (find == NULL)
                return -1;
        bind_name(find, name, number);
        return db_step(find, e);
}

int rows_change(struct database *db, const char *sql, const char *name, int64_t number,
                struct err *e)
{
        sqlite3_stmt *s = database_statement(db, sql, e);
        if (s == NULL)
                return -1;
        bind_name(s, name, number);
        if (db_run(s, e) != 0)
                return -1;
        return sqlite3_changes(database_handle(db)) > 0 ? 1 : 0;
}

int row_change_write(struct database *db, void *owner, struct err *e)
{
        const struct row_change *change = owner;
        return rows_change(db, change->sql, change->name, change->number, e);
}
