/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_tenants.c: tenants in registry.db.
 */
#include "status-store/registry.h"

#include "common/base/own.h"
#include "status-store/registry_db.h"
#include "status-store/registry_rows.h"

/* How long the revoked keys of deleted tenants stay. They must outlast any restored copy of a
 * broker's data in which they are valid, but not pile up: all records are compared at every
 * reconnect. */
#define REVOKED_KEPT ((msec)30 * MSEC_DAY)

int registry_tenant(struct registry *r, const char *name, struct tenant *out, struct err *e)
{
        AUTO_READER *reader = registry_read(r, e);
        return reader == NULL ? -1 : tenant_find(reader_database(reader), name, out, e);
}

static int last_version(struct database *db, const char *name, int64_t *v, struct err *e)
{
        *v = 0;
        AUTO_RESET *find = database_statement(db, "SELECT v FROM versions WHERE name = ?1", e);
        if (find == NULL)
                return -1;
        db_bind_text(find, 1, name);
        int found = db_step(find, e);
        if (found == 1)
                *v = sqlite3_column_int64(find, 0);
        return found < 0 ? -1 : 0;
}

static int put_tenant(struct database *db, const struct tenant *t, struct err *e)
{
        sqlite3_stmt *put = database_statement(
                db,
                "INSERT OR REPLACE INTO tenants(" TENANT_COLUMNS ", told)"
                " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, 0)",
                e);
        if (put == NULL)
                return -1;
        tenant_bind(put, t);
        return db_run(put, e);
}

static int check_room(struct database *db, int64_t max, struct err *e)
{
        AUTO_RESET *count = database_statement(db, "SELECT count(*) FROM tenants", e);
        if (count == NULL || db_step(count, e) != 1)
                return -1;
        if (sqlite3_column_int64(count, 0) < max)
                return 0;
        return err_set(e, ERR_CONFLICT,
                       "there are %lld tenants, and tenants_max of the status-store allows no more;"
                       " a deleted tenant counts until its queues are gone",
                       (long long)sqlite3_column_int64(count, 0));
}

static int is_former(struct database *db, const char *name, struct err *e)
{
        return rows_exist(db, "SELECT 1 FROM former WHERE name = ?1", name, 0, e);
}

/* A tenant sees all jobs and dead letters stored under its name, so reusing a name needs consent.
 * Whether there are any is not checked: a projection that is being rebuilt does not know. */
static int check_name_is_new(struct database *db, const char *name, struct err *e)
{
        int had = is_former(db, name, e);
        if (had <= 0)
                return had;
        return err_set(e, ERR_CONFLICT,
                       "a deleted tenant had the name %s: a new one would see its stored jobs and"
                       " dead letters; ?reuse=true (--reuse) allows that",
                       name);
}

struct addition {
        struct tenant *tenant;
        int64_t max;
        bool only_new;
};

static int add_tenant(struct database *db, void *owner, struct err *e)
{
        const struct addition *a = owner;
        struct tenant *t = a->tenant, old = {0};
        int found = tenant_find(db, t->record.name, &old, e);
        if (found == 1 && old.record.deleted)
                return err_set(e, ERR_CONFLICT, "tenant %s is being deleted; try again later",
                               t->record.name);
        if (found == 1)
                return err_set(e, ERR_CONFLICT, "there is a tenant %s already", t->record.name);
        if (found != 0 || (a->only_new && check_name_is_new(db, t->record.name, e) != 0) ||
            check_room(db, a->max, e) != 0 ||
            last_version(db, t->record.name, &t->record.v, e) != 0)
                return -1;
        t->record.v++;
        t->created_at = clock_wall();
        return put_tenant(db, t, e);
}

int registry_add_tenant(struct registry *r, struct tenant *t, int64_t max, struct err *e)
{
        struct addition a = {.tenant = t, .max = max};
        return registry_write(r, add_tenant, &a, e);
}

int registry_add_new_tenant(struct registry *r, struct tenant *t, int64_t max, struct err *e)
{
        struct addition a = {.tenant = t, .max = max, .only_new = true};
        return registry_write(r, add_tenant, &a, e);
}

static int change_tenant(struct database *db, void *owner, struct err *e)
{
        struct tenant *t = owner, old = {0};
        int found = tenant_find(db, t->record.name, &old, e);
        if (found < 0)
                return -1;
        if (found == 0 || old.record.deleted)
                return err_set(e, ERR_NOT_FOUND, "there is no tenant %s", t->record.name);
        if (old.record.v != t->record.v)
                return err_set(e, ERR_CONFLICT, "tenant %s was changed at the same time",
                               t->record.name);
        t->record.v++;
        return put_tenant(db, t, e);
}

int registry_change_tenant(struct registry *r, struct tenant *t, struct err *e)
{
        return registry_write(r, change_tenant, t, e);
}

/* The keys expire as well; forget_keys drops them when they have been expired for long enough. */
static const char *const end_keys_sql =
        "UPDATE keys SET v = v + (revoked = 0), told = told AND revoked <> 0, revoked = 2,"
        " expires = CASE WHEN expires BETWEEN 1 AND ?2 THEN expires ELSE max(?2, created_at) END"
        " WHERE tenant = ?1 AND revoked < 2";

static int forget_keys(struct database *db, msec expired_before, struct err *e)
{
        sqlite3_stmt *forget = database_statement(
                db, "DELETE FROM keys WHERE revoked = 2 AND told AND expires BETWEEN 1 AND ?1", e);
        if (forget == NULL)
                return -1;
        db_bind_int(forget, 1, expired_before);
        return db_run(forget, e);
}

struct deletion {
        const char *name;
        msec now;
};

static int delete_tenant(struct database *db, void *owner, struct err *e)
{
        const struct deletion *d = owner;
        struct tenant t = {0};
        int found = tenant_find(db, d->name, &t, e);
        if (found < 0)
                return -1;
        if (found == 0 || t.record.deleted)
                return err_set(e, ERR_NOT_FOUND, "there is no tenant %s", d->name);
        t.record.v++;
        t.record.deleted = true;
        t.deleted_at = d->now;
        if (put_tenant(db, &t, e) != 0 || rows_change(db, end_keys_sql, d->name, d->now, e) < 0 ||
            forget_keys(db, d->now - REVOKED_KEPT, e) != 0)
                return -1;
        if (d->now == 0)
                return 0;
        return rows_change(db, "INSERT OR IGNORE INTO former VALUES(?1)", d->name, 0, e);
}

int registry_delete_tenant(struct registry *r, const char *name, msec now, struct err *e)
{
        struct deletion d = {.name = name, .now = now};
        return registry_write(r, delete_tenant, &d, e) < 0 ? -1 : 0;
}

int registry_had_tenant(struct registry *r, const char *name, struct err *e)
{
        AUTO_READER *reader = registry_read(r, e);
        return reader == NULL ? -1 : is_former(reader_database(reader), name, e);
}

static int drop_tenant(struct database *db, void *owner, struct err *e)
{
        const struct deletion *d = owner;
        if (rows_change(db,
                        "INSERT OR REPLACE INTO versions SELECT name, v FROM tenants"
                        " WHERE name = ?1 AND deleted = 1",
                        d->name, 0, e) < 0)
                return -1;
        return rows_change(db, "DELETE FROM tenants WHERE name = ?1 AND deleted = 1", d->name, 0,
                           e);
}

int registry_drop_tenant(struct registry *r, const char *name, struct err *e)
{
        struct deletion d = {.name = name};
        return registry_write(r, drop_tenant, &d, e) < 0 ? -1 : 0;
}

/* Reads all rows first, so that the callback may change them. */
int registry_each_tenant(struct registry *r, enum which which, tenant_fn *each, void *owner,
                         struct err *e)
{
        AUTO_FREE struct tenant *list = NULL;
        size_t count = 0;
        {
                AUTO_READER *reader = registry_read(r, e);
                if (reader == NULL ||
                    tenants_read(reader_database(reader), which, &list, &count, e) != 0)
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
        struct row_change change = {.sql = sql, .name = name, .number = v};
        return registry_write(r, row_change_write, &change, e) < 0 ? -1 : 0;
}

int registry_published_tenant(struct registry *r, const char *name, int64_t v, struct err *e)
{
        return mark(r, "UPDATE tenants SET told = 1 WHERE name = ?1 AND v = ?2", name, v, e);
}

int registry_republish_tenant(struct registry *r, const char *name, int64_t v, struct err *e)
{
        return mark(r, "UPDATE tenants SET told = 0 WHERE name = ?1 AND v = ?2", name, v, e);
}

struct seen {
        const char *name;
        int64_t v;
};

static int raise_tenant(struct database *db, void *owner, struct err *e)
{
        const struct seen *s = owner;
        int raised = rows_change(
                db, "UPDATE tenants SET v = ?2 + 1, told = 0 WHERE name = ?1 AND v < ?2", s->name,
                s->v, e);
        if (raised < 0)
                return -1;
        int noted = rows_change(db,
                                "INSERT INTO versions(name, v) SELECT ?1, ?2 WHERE NOT EXISTS"
                                " (SELECT 1 FROM tenants WHERE name = ?1) ON CONFLICT(name) DO"
                                " UPDATE SET v = excluded.v WHERE excluded.v > v",
                                s->name, s->v, e);
        return noted < 0 ? -1 : raised;
}

/* Versions only grow, so a version that is high enough needs no write. Nearly all are, and every
 * tenant's comes at each connect. */
int registry_seen_tenant(struct registry *r, const char *name, int64_t v, struct err *e)
{
        struct seen seen = {.name = name, .v = v};
        {
                AUTO_READER *reader = registry_read(r, e);
                if (reader == NULL)
                        return -1;
                int high = rows_exist(reader_database(reader),
                                      "SELECT 1 FROM tenants WHERE name = ?1 AND v >= ?2 UNION ALL"
                                      " SELECT 1 FROM versions WHERE name = ?1 AND v >= ?2 AND NOT"
                                      " EXISTS (SELECT 1 FROM tenants WHERE name = ?1)",
                                      name, v, e);
                if (high != 0)
                        return high < 0 ? -1 : 0;
        }
        return registry_write(r, raise_tenant, &seen, e);
}

int registry_note_login(struct registry *r, const char *name, enum tenant_login login,
                        struct err *e)
{
        struct row_change change = {.sql = "UPDATE tenants SET amqp_login = ?2 WHERE name = ?1"
                                           " AND (deleted = 0 OR ?2 = 0)",
                                    .name = name,
                                    .number = login};
        int noted = registry_write(r, row_change_write, &change, e);
        if (noted == 0)
                return err_set(e, ERR_NOT_FOUND, "there is no tenant %s", name);
        return noted < 0 ? -1 : 0;
}
