/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_tenants.c: tenants in registry.db.
 */
#include "status-store/registry/registry.h"

#include "common/base/memory.h"
#include "common/base/own.h"
#include "status-store/registry/registry_pauses.h"
#include "status-store/registry/registry_rows.h"
#include "status-store/registry/registry_versions.h"

/* How long the revoked keys of deleted tenants stay. They must outlast any restored copy of a
 * broker's data in which they are valid, but not pile up: all records are compared at every
 * reconnect. */
#define REVOKED_KEPT ((msec)30 * MSEC_DAY)

#define TENANT_COLUMNS \
        "name, v, rate_count, rate_per, burst, max_running, slots_version, max_pending, weight," \
        " paused, deleted, amqp_login, created_at, deleted_at, force_running, force_version," \
        " paused_at, paused_by"

static void read_tenant(sqlite3_stmt *s, struct tenant *t)
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
        t->in_force.count = sqlite3_column_int64(s, 14);
        t->in_force.version = sqlite3_column_int64(s, 15);
        r->paused_at = sqlite3_column_int64(s, 16);
        db_text(s, 17, r->by, sizeof(r->by));
}

int tenant_find(struct database *db, const char *name, struct tenant *out, struct err *e)
{
        AUTO_RESET *find =
                database_query(db, "SELECT " TENANT_COLUMNS " FROM tenants WHERE name = ?1",
                               DB_VALUES(value_text(name)), e);
        int found = db_step(find, e);
        if (found == 1)
                read_tenant(find, out);
        return found;
}

/* old NULL: there is none. */
static int put_tenant(struct database *db, struct tenant *t, const struct tenant *old,
                      struct err *e)
{
        struct tenant_record *r = &t->record;
        struct limit_change slots = {.kind = LIMIT_TENANT_SLOTS,
                                     .of = r->name,
                                     .limited = r->max_running > 0 && !r->deleted};
        t->in_force = (struct limit){0};
        if (old != NULL) {
                slots.same = old->record.max_running == r->max_running;
                slots.was = (struct limit){.count = old->record.max_running,
                                           .version = old->record.slots_version};
                t->in_force = old->in_force;
        }
        if (version_after(db, &slots, &r->slots_version, &t->in_force, e) != 0)
                return -1;
        enum tenant_login known = t->amqp_login ? LOGIN_THERE : LOGIN_NONE;
        enum tenant_login login = t->login_unsure ? LOGIN_UNSURE : known;
        return database_run(
                db,
                "INSERT OR REPLACE INTO tenants(" TENANT_COLUMNS ", told, held_until)"
                " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,"
                " ?17, ?18, 0, ifnull((SELECT held_until FROM tenants WHERE name = ?1), 0))",
                DB_VALUES(value_text(r->name), value_int(r->v), value_int(r->rate_count),
                          value_int(r->rate_per), value_int(r->burst), value_int(r->max_running),
                          value_int(r->slots_version), value_int(r->max_pending),
                          value_int(r->weight), value_int(r->paused), value_int(r->deleted),
                          value_int(login), value_int(t->created_at), value_int(t->deleted_at),
                          value_int(t->in_force.count), value_int(t->in_force.version),
                          value_int(r->paused_at), value_text(r->by)),
                e);
}

int registry_tenant(struct registry *r, const char *name, struct tenant *out, struct err *e)
{
        AUTO_READER *reader = registry_read(r, e);
        return reader == NULL ? -1 : tenant_find(reader_database(reader), name, out, e);
}

static int last_version(struct database *db, const char *name, int64_t *v, struct err *e)
{
        AUTO_RESET *find = database_query(db, "SELECT v FROM versions WHERE name = ?1",
                                          DB_VALUES(value_text(name)), e);
        int found = db_step(find, e);
        *v = found == 1 ? sqlite3_column_int64(find, 0) : 0;
        return found < 0 ? -1 : 0;
}

static int check_room(struct database *db, int64_t max, struct err *e)
{
        AUTO_RESET *count = database_query(db, "SELECT count(*) FROM tenants", NULL, e);
        if (db_step(count, e) != 1)
                return -1;
        if (sqlite3_column_int64(count, 0) < max)
                return 0;
        return err_set(e, ERR_CONFLICT,
                       "there are %lld tenants, and tenants_max of the status-store allows no more;"
                       " a deleted tenant counts until its queues are gone",
                       (long long)sqlite3_column_int64(count, 0));
}

/* A tenant sees all jobs and dead letters stored under its name, so reusing a name needs consent.
 * Whether there are any is not checked: a projection that is being rebuilt does not know. */
static int check_name_is_new(struct database *db, const char *name, struct err *e)
{
        int had = rows_exist(db, "SELECT 1 FROM former WHERE name = ?1",
                             DB_VALUES(value_text(name)), e);
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
        enum name_use use;
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
        if (found != 0 || (a->use == NAME_NEW && check_name_is_new(db, t->record.name, e) != 0) ||
            check_room(db, a->max, e) != 0 ||
            last_version(db, t->record.name, &t->record.v, e) != 0)
                return -1;
        t->record.v++;
        t->created_at = clock_wall();
        return put_tenant(db, t, NULL, e);
}

int registry_add_tenant(struct registry *r, struct tenant *t, int64_t max, enum name_use use,
                        struct err *e)
{
        struct addition a = {.tenant = t, .max = max, .use = use};
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
        if (!t->record.paused &&
            rows_end_pause(db, PAUSE_ENDS("tenants", "name", "paused_at"), t->record.name, e) != 0)
                return -1;
        return put_tenant(db, t, &old, e);
}

int registry_change_tenant(struct registry *r, struct tenant *t, struct err *e)
{
        return registry_write(r, change_tenant, t, e);
}

/* The keys expire as well; forget_keys_sql drops them when they have been expired for long enough.
 */
static const char *const end_keys_sql =
        "UPDATE keys SET v = v + (revoked = 0), told = told AND revoked <> 0, revoked = 2,"
        " expires = CASE WHEN expires BETWEEN 1 AND ?2 THEN expires ELSE max(?2, created_at) END"
        " WHERE tenant = ?1 AND revoked < 2";
static const char *const forget_keys_sql =
        "DELETE FROM keys WHERE revoked = 2 AND told AND expires BETWEEN 1 AND ?1";

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
        if (put_tenant(db, &t, NULL, e) != 0 || pauses_end_of_tenant(db, d->name, e) != 0 ||
            database_run(db, end_keys_sql, DB_VALUES(value_text(d->name), value_int(d->now)), e) !=
                    0 ||
            database_run(db, forget_keys_sql, DB_VALUES(value_int(d->now - REVOKED_KEPT)), e) != 0)
                return -1;
        if (d->now == 0)
                return 0;
        return database_run(db, "INSERT OR IGNORE INTO former VALUES(?1)",
                            DB_VALUES(value_text(d->name)), e);
}

int registry_delete_tenant(struct registry *r, const char *name, msec now, struct err *e)
{
        struct deletion d = {.name = name, .now = now};
        return registry_write(r, delete_tenant, &d, e);
}

static int drop_tenant(struct database *db, void *owner, struct err *e)
{
        const struct db_value *name = DB_VALUES(value_text(owner));
        if (database_run(db,
                         "INSERT OR REPLACE INTO versions SELECT name, v FROM tenants"
                         " WHERE name = ?1 AND deleted = 1",
                         name, e) != 0)
                return -1;
        return database_run(db, "DELETE FROM tenants WHERE name = ?1 AND deleted = 1", name, e);
}

int registry_drop_tenant(struct registry *r, const char *name, struct err *e)
{
        return registry_write(r, drop_tenant, (void *)name, e);
}

static int read_tenants(struct registry *r, enum which which, struct tenant **list, size_t *count,
                        struct err *e)
{
        AUTO_READER *reader = registry_read(r, e);
        if (reader == NULL)
                return -1;
        AUTO_RESET *all = reader_query(reader,
                                       "SELECT " TENANT_COLUMNS " FROM tenants"
                                       " WHERE CASE ?1 WHEN 0 THEN 1 WHEN 1 THEN told = 0"
                                       " ELSE " TENANT_NEEDS " END ORDER BY name",
                                       DB_VALUES(value_int(which)), e);
        int more = 0;
        while ((more = db_step(all, e)) == 1) {
                *list = xrealloc(*list, (*count + 1) * sizeof(**list));
                read_tenant(all, &(*list)[(*count)++]);
        }
        return more;
}

/* Reads all rows first, so that the callback may change them. */
int registry_each_tenant(struct registry *r, enum which which, tenant_fn *each, void *owner,
                         struct err *e)
{
        AUTO_FREE struct tenant *list = NULL;
        size_t count = 0;
        if (read_tenants(r, which, &list, &count, e) != 0)
                return -1;
        for (size_t i = 0; i < count; i++) {
                if (each(owner, &list[i], e) != 0)
                        return -1;
        }
        return 0;
}

/* A limited row keeps its slots only if `control` has them in use: others may be deleted. Until it
 * has new ones, what `control` says is in force. */
static int raise_tenant(struct database *db, void *owner, struct err *e)
{
        const struct tenant_record *seen = owner;
        const struct limit_seen slots = {.kind = LIMIT_TENANT_SLOTS,
                                         .of = seen->name,
                                         .version = seen->slots_version,
                                         .limited = seen->max_running > 0 && !seen->deleted};
        const struct db_value *values = DB_VALUES(
                value_text(seen->name), value_int(seen->v), value_int(seen->slots_version),
                value_int(slots.limited), value_int(seen->deleted ? 0 : seen->max_running));
        int raised =
                rows_change(db,
                            "UPDATE tenants SET v = ?2 + 1, told = 0, slots_version = CASE WHEN"
                            " max_running <= 0 OR deleted THEN max(slots_version, ?3)"
                            " WHEN slots_version = ?3 AND ?4 THEN slots_version ELSE 0 END,"
                            " force_running = ?5, force_version = ?3"
                            " WHERE name = ?1 AND v < ?2",
                            values, e);
        if (raised < 0 || (raised == 1 && version_seen(db, &slots, e) != 0))
                return -1;
        int there = rows_exist(db, "SELECT 1 FROM tenants WHERE name = ?1", values, e);
        if (there != 0)
                return there < 0 ? -1 : raised;
        if (version_seen(db, &slots, e) != 0)
                return -1;
        return database_run(db,
                            "INSERT INTO versions(name, v) VALUES(?1, ?2) ON CONFLICT(name) DO"
                            " UPDATE SET v = excluded.v WHERE excluded.v > v",
                            values, e);
}

/* Versions only grow, so a version that is high enough needs no write. Nearly all are, and every
 * tenant's comes at each connect. */
int registry_seen_tenant(struct registry *r, const struct tenant_record *seen, struct err *e)
{
        int high = registry_rows_exist(r,
                                       "SELECT 1 FROM tenants WHERE name = ?1 AND v >= ?2 UNION ALL"
                                       " SELECT 1 FROM versions WHERE name = ?1 AND v >= ?2 AND NOT"
                                       " EXISTS (SELECT 1 FROM tenants WHERE name = ?1)",
                                       DB_VALUES(value_text(seen->name), value_int(seen->v)), e);
        if (high != 0)
                return high < 0 ? -1 : 0;
        struct tenant_record copy = *seen;
        return registry_write(r, raise_tenant, &copy, e);
}

int registry_note_login(struct registry *r, const char *name, enum tenant_login login,
                        struct err *e)
{
        int noted = registry_rows_change(r,
                                         "UPDATE tenants SET amqp_login = ?2 WHERE name = ?1"
                                         " AND (deleted = 0 OR ?2 = 0)",
                                         DB_VALUES(value_text(name), value_int(login)), e);
        if (noted == 0)
                return err_set(e, ERR_NOT_FOUND, "there is no tenant %s", name);
        return noted < 0 ? -1 : 0;
}
