/* SPDX-License-Identifier: Apache-2.0
 *
 * registry.c: tenants and keys in registry.db.
 */
#include "status-store/registry.h"

#include <pthread.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/db/migrate.h"
#include "status-store/registry_rows.h"

/* How long the keys of a deleted tenant are told as revoked: longer than any copy of a broker's
 * data is old in which they still live. All are told again at every reconnect, so they must not
 * pile up for ever. */
#define REVOKED_KEPT ((msec)30 * MSEC_DAY)

/* clang-format off */
#define TABLES_1 \
        "CREATE TABLE IF NOT EXISTS tenants(name TEXT PRIMARY KEY, v INTEGER NOT NULL," \
        " rate_count INTEGER, rate_per INTEGER, burst INTEGER, max_running INTEGER," \
        " slots_version INTEGER, max_pending INTEGER, weight INTEGER, paused INTEGER," \
        " deleted INTEGER, amqp_login INTEGER, created_at INTEGER, deleted_at INTEGER," \
        " told INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;" \
        "CREATE TABLE IF NOT EXISTS keys(id TEXT PRIMARY KEY, v INTEGER NOT NULL," \
        " tenant TEXT NOT NULL, sha256 BLOB NOT NULL, scopes INTEGER, expires INTEGER," \
        " revoked INTEGER, created_at INTEGER, told INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;" \
        "CREATE INDEX IF NOT EXISTS keys_tenant ON keys(tenant);" \
        /* A name that is used again goes on counting where the deleted one stopped. */ \
        "CREATE TABLE IF NOT EXISTS versions(name TEXT PRIMARY KEY, v INTEGER) WITHOUT ROWID;" \
        /* Names of tenants that were deleted: for ever, as the archive keeps their letters. */ \
        "CREATE TABLE IF NOT EXISTS former(name TEXT PRIMARY KEY) WITHOUT ROWID;"
/* clang-format on */

/* Before version 1 files had none, and the first of them did not keep the names of former tenants:
 * each of these left its version. */
static const char unversioned_to_1[] =
        TABLES_1 "INSERT OR IGNORE INTO former SELECT name FROM versions UNION"
                 " SELECT name FROM tenants WHERE deleted = 1 AND deleted_at > 0;";

static const struct db_step steps[] = {{.sql = unversioned_to_1}};

static const struct db_schema schema = {.tables = TABLES_1,
                                        .steps = steps,
                                        .version = sizeof(steps) / sizeof(steps[0]),
                                        .otherwise = "bring back a backup from before it"};

struct registry {
        pthread_mutex_t mutex;
        sqlite3 *db; /* guarded by mutex */
};

struct registry *registry_create(const char *path, struct err *e)
{
        AUTO(registry) r = xcalloc(1, sizeof(*r));
        pthread_mutex_init(&r->mutex, NULL);
        r->db = db_open(path, DB_PRIMARY, e);
        if (r->db == NULL || db_migrate(r->db, &schema, e) != 0)
                return NULL;
        return TAKE(r);
}

void registry_destroy(struct registry **r)
{
        if (*r == NULL)
                return;
        db_close(&(*r)->db);
        pthread_mutex_destroy(&(*r)->mutex);
        free(*r);
        *r = NULL;
}

/* Every public call works in one transaction under the mutex. */
struct work {
        struct registry *registry;
};

static void work_end(struct work *w)
{
        struct err ignored = {0};
        if (sqlite3_get_autocommit(w->registry->db) == 0)
                (void)!db_exec(w->registry->db, "ROLLBACK", &ignored);
        pthread_mutex_unlock(&w->registry->mutex);
}
#define AUTO_WORK __attribute__((cleanup(work_end))) struct work

static int work_begin(struct work *w, struct err *e)
{
        pthread_mutex_lock(&w->registry->mutex);
        return db_exec(w->registry->db, "BEGIN IMMEDIATE", e);
}

static int work_commit(struct work *w, struct err *e)
{
        return db_exec(w->registry->db, "COMMIT", e);
}

static int find_tenant(sqlite3 *db, const char *name, struct tenant *out, struct err *e)
{
        AUTO_STATEMENT *find =
                db_prepare(db, "SELECT " TENANT_COLUMNS " FROM tenants WHERE name = ?1", e);
        if (find == NULL)
                return -1;
        db_bind_text(find, 1, name);
        int found = db_step(find, e);
        if (found == 1)
                tenant_read(find, out);
        return found;
}

int registry_tenant(struct registry *r, const char *name, struct tenant *out, struct err *e)
{
        AUTO_WORK w = {.registry = r};
        return work_begin(&w, e) != 0 ? -1 : find_tenant(r->db, name, out, e);
}

static int last_version(sqlite3 *db, const char *name, int64_t *v, struct err *e)
{
        *v = 0;
        AUTO_STATEMENT *find = db_prepare(db, "SELECT v FROM versions WHERE name = ?1", e);
        if (find == NULL)
                return -1;
        db_bind_text(find, 1, name);
        int found = db_step(find, e);
        if (found == 1)
                *v = sqlite3_column_int64(find, 0);
        return found < 0 ? -1 : 0;
}

static int put_tenant(sqlite3 *db, const struct tenant *t, struct err *e)
{
        AUTO_STATEMENT *put = db_prepare(db,
                                         "INSERT OR REPLACE INTO tenants(" TENANT_COLUMNS ", told)"
                                         " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,"
                                         " ?12, ?13, ?14, 0)",
                                         e);
        if (put == NULL)
                return -1;
        tenant_bind(put, t);
        return db_run(put, e);
}

static int check_room(sqlite3 *db, int64_t max, struct err *e)
{
        AUTO_STATEMENT *count = db_prepare(db, "SELECT count(*) FROM tenants", e);
        if (count == NULL || db_step(count, e) != 1)
                return -1;
        if (sqlite3_column_int64(count, 0) < max)
                return 0;
        return err_set(e, ERR_CONFLICT,
                       "there are %lld tenants already, and tenants_max of the status-store allows"
                       " no more; one that was deleted counts until its queues are gone",
                       (long long)sqlite3_column_int64(count, 0));
}

int registry_add_tenant(struct registry *r, struct tenant *t, int64_t max, struct err *e)
{
        AUTO_WORK w = {.registry = r};
        struct tenant old = {0};
        if (work_begin(&w, e) != 0)
                return -1;
        int found = find_tenant(r->db, t->record.name, &old, e);
        if (found == 1 && old.record.deleted)
                return err_set(e, ERR_CONFLICT, "tenant %s is being deleted; try again later",
                               t->record.name);
        if (found == 1)
                return err_set(e, ERR_CONFLICT, "there is a tenant %s already", t->record.name);
        if (found != 0 || check_room(r->db, max, e) != 0 ||
            last_version(r->db, t->record.name, &t->record.v, e) != 0)
                return -1;
        t->record.v++;
        t->created_at = clock_wall();
        return put_tenant(r->db, t, e) != 0 ? -1 : work_commit(&w, e);
}

int registry_change_tenant(struct registry *r, struct tenant *t, struct err *e)
{
        AUTO_WORK w = {.registry = r};
        struct tenant old = {0};
        if (work_begin(&w, e) != 0)
                return -1;
        int found = find_tenant(r->db, t->record.name, &old, e);
        if (found < 0)
                return -1;
        if (found == 0 || old.record.deleted)
                return err_set(e, ERR_NOT_FOUND, "there is no tenant %s", t->record.name);
        if (old.record.v != t->record.v)
                return err_set(e, ERR_CONFLICT, "tenant %s was changed at the same time",
                               t->record.name);
        t->record.v++;
        return put_tenant(r->db, t, e) != 0 ? -1 : work_commit(&w, e);
}

static int run_with_name(sqlite3 *db, const char *sql, const char *name, struct err *e)
{
        AUTO_STATEMENT *s = db_prepare(db, sql, e);
        if (s == NULL)
                return -1;
        db_bind_text(s, 1, name);
        return db_run(s, e);
}

/* Its keys expire too: what has been expired for so long needs no telling. */
static int end_keys(sqlite3 *db, const char *tenant, msec now, struct err *e)
{
        AUTO_STATEMENT *end = db_prepare(db,
                                         "UPDATE keys SET v = v + (revoked = 0),"
                                         " told = told AND revoked <> 0, revoked = 2, expires ="
                                         " CASE WHEN expires BETWEEN 1 AND ?2 THEN expires"
                                         " ELSE max(?2, created_at) END"
                                         " WHERE tenant = ?1 AND revoked < 2",
                                         e);
        if (end == NULL)
                return -1;
        db_bind_text(end, 1, tenant);
        db_bind_int(end, 2, now);
        return db_run(end, e);
}

static int forget_keys(sqlite3 *db, msec expired_before, struct err *e)
{
        AUTO_STATEMENT *forget = db_prepare(
                db, "DELETE FROM keys WHERE revoked = 2 AND told AND expires BETWEEN 1 AND ?1", e);
        if (forget == NULL)
                return -1;
        db_bind_int(forget, 1, expired_before);
        return db_run(forget, e);
}

int registry_delete_tenant(struct registry *r, const char *name, msec now, struct err *e)
{
        AUTO_WORK w = {.registry = r};
        struct tenant t = {0};
        if (work_begin(&w, e) != 0)
                return -1;
        int found = find_tenant(r->db, name, &t, e);
        if (found < 0)
                return -1;
        if (found == 0 || t.record.deleted)
                return err_set(e, ERR_NOT_FOUND, "there is no tenant %s", name);
        t.record.v++;
        t.record.deleted = true;
        t.deleted_at = now;
        if (put_tenant(r->db, &t, e) != 0 || end_keys(r->db, name, now, e) != 0 ||
            forget_keys(r->db, now - REVOKED_KEPT, e) != 0)
                return -1;
        if (now > 0 &&
            run_with_name(r->db, "INSERT OR IGNORE INTO former VALUES(?1)", name, e) != 0)
                return -1;
        return work_commit(&w, e);
}

int registry_had_tenant(struct registry *r, const char *name, struct err *e)
{
        AUTO_WORK w = {.registry = r};
        if (work_begin(&w, e) != 0)
                return -1;
        AUTO_STATEMENT *find = db_prepare(r->db, "SELECT 1 FROM former WHERE name = ?1", e);
        if (find == NULL)
                return -1;
        db_bind_text(find, 1, name);
        return db_step(find, e);
}

int registry_drop_tenant(struct registry *r, const char *name, struct err *e)
{
        AUTO_WORK w = {.registry = r};
        if (work_begin(&w, e) != 0 ||
            run_with_name(r->db,
                          "INSERT OR REPLACE INTO versions SELECT name, v FROM tenants"
                          " WHERE name = ?1 AND deleted = 1",
                          name, e) != 0 ||
            run_with_name(r->db, "DELETE FROM tenants WHERE name = ?1 AND deleted = 1", name, e) !=
                    0)
                return -1;
        return work_commit(&w, e);
}

int key_generate(const char *tenant, unsigned scopes, msec expires, char text[KEY_TEXT_SIZE],
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

int registry_put_key(struct registry *r, const struct key *k, struct err *e)
{
        const char *tenant = k->record.tenant;
        AUTO_WORK w = {.registry = r};
        struct tenant t = {0};
        if (work_begin(&w, e) != 0)
                return -1;
        int found = tenant[0] == '\0' ? 1 : find_tenant(r->db, tenant, &t, e);
        if (found < 0)
                return -1;
        if (found == 0 || t.record.deleted)
                return err_set(e, ERR_NOT_FOUND, "there is no tenant %s", tenant);
        AUTO_STATEMENT *put = db_prepare(r->db,
                                         "INSERT INTO keys(" KEY_COLUMNS ")"
                                         " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                                         e);
        if (put == NULL)
                return -1;
        key_bind(put, k);
        return db_run(put, e) != 0 ? -1 : work_commit(&w, e);
}

int registry_add_key(struct registry *r, const char *tenant, unsigned scopes, msec expires,
                     char text[KEY_TEXT_SIZE], struct key *out, struct err *e)
{
        if (key_generate(tenant, scopes, expires, text, out, e) != 0)
                return -1;
        return registry_put_key(r, out, e);
}

int registry_revoke_key(struct registry *r, const char *tenant, const char *id, struct err *e)
{
        AUTO_WORK w = {.registry = r};
        if (work_begin(&w, e) != 0)
                return -1;
        AUTO_STATEMENT *revoke = db_prepare(r->db,
                                            "UPDATE keys SET v = v + 1, revoked = 1, told = 0"
                                            " WHERE id = ?1 AND tenant = ?2 AND revoked = 0",
                                            e);
        if (revoke == NULL)
                return -1;
        db_bind_text(revoke, 1, id);
        sqlite3_bind_text(revoke, 2, tenant, -1, SQLITE_STATIC);
        if (db_run(revoke, e) != 0)
                return -1;
        if (sqlite3_changes(r->db) == 0)
                return err_set(e, ERR_NOT_FOUND, "tenant %s has no key %s", tenant, id);
        return work_commit(&w, e);
}

int registry_has_admin_key(struct registry *r, struct err *e)
{
        AUTO_WORK w = {.registry = r};
        if (work_begin(&w, e) != 0)
                return -1;
        AUTO_STATEMENT *find = db_prepare(
                r->db, "SELECT 1 FROM keys WHERE tenant = '' AND revoked = 0 LIMIT 1", e);
        return find == NULL ? -1 : db_step(find, e);
}

/* Reads all rows first, so that the callback may change them. */
int registry_each_tenant(struct registry *r, enum which which, tenant_fn *each, void *owner,
                         struct err *e)
{
        AUTO_FREE struct tenant *list = NULL;
        size_t count = 0;
        {
                AUTO_WORK w = {.registry = r};
                if (work_begin(&w, e) != 0 || tenants_read(r->db, which, &list, &count, e) != 0)
                        return -1;
        }
        for (size_t i = 0; i < count; i++) {
                if (each(owner, &list[i], e) != 0)
                        return -1;
        }
        return 0;
}

int registry_each_key(struct registry *r, enum which which, const char *tenant, key_fn *each,
                      void *owner, struct err *e)
{
        AUTO_FREE struct key *list = NULL;
        size_t count = 0;
        {
                AUTO_WORK w = {.registry = r};
                if (work_begin(&w, e) != 0 ||
                    keys_read(r->db, which, tenant, &list, &count, e) != 0)
                        return -1;
        }
        for (size_t i = 0; i < count; i++) {
                if (each(owner, &list[i], e) != 0)
                        return -1;
        }
        return 0;
}

static int mark(struct registry *r, const char *sql, const char *name, int64_t v, struct err *e)
{
        AUTO_WORK w = {.registry = r};
        if (work_begin(&w, e) != 0)
                return -1;
        AUTO_STATEMENT *s = db_prepare(r->db, sql, e);
        if (s == NULL)
                return -1;
        db_bind_text(s, 1, name);
        db_bind_int(s, 2, v);
        return db_run(s, e) != 0 ? -1 : work_commit(&w, e);
}

int registry_told_tenant(struct registry *r, const char *name, int64_t v, struct err *e)
{
        return mark(r, "UPDATE tenants SET told = 1 WHERE name = ?1 AND v = ?2", name, v, e);
}

int registry_told_key(struct registry *r, const char *id, int64_t v, struct err *e)
{
        return mark(r, "UPDATE keys SET told = 1 WHERE id = ?1 AND v = ?2", id, v, e);
}

int registry_untold_tenant(struct registry *r, const char *name, int64_t v, struct err *e)
{
        return mark(r, "UPDATE tenants SET told = 0 WHERE name = ?1 AND v = ?2", name, v, e);
}

int registry_untold_key(struct registry *r, const char *id, int64_t v, struct err *e)
{
        return mark(r, "UPDATE keys SET told = 0 WHERE id = ?1 AND v = ?2", id, v, e);
}

/* Runs it with name and v; 1 when it changed a row. */
static int raise(struct registry *r, const char *sql, const char *name, int64_t v, struct err *e)
{
        AUTO_STATEMENT *s = db_prepare(r->db, sql, e);
        if (s == NULL)
                return -1;
        db_bind_text(s, 1, name);
        db_bind_int(s, 2, v);
        if (db_run(s, e) != 0)
                return -1;
        return sqlite3_changes(r->db) > 0 ? 1 : 0;
}

int registry_seen_tenant(struct registry *r, const char *name, int64_t v, struct err *e)
{
        AUTO_WORK w = {.registry = r};
        if (work_begin(&w, e) != 0)
                return -1;
        int raised = raise(r, "UPDATE tenants SET v = ?2 + 1, told = 0 WHERE name = ?1 AND v < ?2",
                           name, v, e);
        int noted = raise(r,
                          "INSERT INTO versions(name, v) SELECT ?1, ?2 WHERE NOT EXISTS"
                          " (SELECT 1 FROM tenants WHERE name = ?1) ON CONFLICT(name) DO UPDATE"
                          " SET v = excluded.v WHERE excluded.v > v",
                          name, v, e);
        if (raised < 0 || noted < 0)
                return -1;
        return raised + noted > 0 && work_commit(&w, e) != 0 ? -1 : raised;
}

int registry_note_login(struct registry *r, const char *name, enum tenant_login login,
                        struct err *e)
{
        AUTO_WORK w = {.registry = r};
        if (work_begin(&w, e) != 0)
                return -1;
        int noted = raise(r,
                          "UPDATE tenants SET amqp_login = ?2 WHERE name = ?1"
                          " AND (deleted = 0 OR ?2 = 0)",
                          name, login, e);
        if (noted == 0)
                return err_set(e, ERR_NOT_FOUND, "there is no tenant %s", name);
        return noted < 0 ? -1 : work_commit(&w, e);
}

int registry_seen_key(struct registry *r, const char *id, int64_t v, struct err *e)
{
        AUTO_WORK w = {.registry = r};
        if (work_begin(&w, e) != 0)
                return -1;
        int raised =
                raise(r, "UPDATE keys SET v = ?2 + 1, told = 0 WHERE id = ?1 AND v < ?2", id, v, e);
        return raised == 1 && work_commit(&w, e) != 0 ? -1 : raised;
}
