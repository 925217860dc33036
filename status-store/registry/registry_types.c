/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_types.c: the limits of job types in registry.db.
 */
#include "status-store/registry/registry_types.h"

#include <stdio.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "status-store/registry/registry_rows.h"
#include "status-store/registry/registry_versions.h"

#define TYPE_COLUMNS \
        "name, v, max_running, slots_version, rate_count, rate_per, rate_version, created_at," \
        " force_running, force_slots, force_count, force_per, force_rate"

bool type_is_limited(const struct type *t)
{
        return t->record.max_running > 0 || t->record.rate_count > 0;
}

static void read_type(sqlite3_stmt *s, struct type *t)
{
        struct type_record *r = &t->record;
        *t = (struct type){0};
        db_text(s, 0, r->name, sizeof(r->name));
        r->v = sqlite3_column_int64(s, 1);
        r->max_running = sqlite3_column_int64(s, 2);
        r->slots_version = sqlite3_column_int64(s, 3);
        r->rate_count = sqlite3_column_int64(s, 4);
        r->rate_per = sqlite3_column_int64(s, 5);
        r->rate_version = sqlite3_column_int64(s, 6);
        t->created_at = sqlite3_column_int64(s, 7);
        t->slots_in_force = (struct limit){.count = sqlite3_column_int64(s, 8),
                                           .version = sqlite3_column_int64(s, 9)};
        t->rate_in_force = (struct limit){.count = sqlite3_column_int64(s, 10),
                                          .per = sqlite3_column_int64(s, 11),
                                          .version = sqlite3_column_int64(s, 12)};
}

static int find_type(struct database *db, const char *name, struct type *t, struct err *e)
{
        AUTO_RESET *find = database_query(db, "SELECT " TYPE_COLUMNS " FROM types WHERE name = ?1",
                                          DB_VALUES(value_text(name)), e);
        int found = db_step(find, e);
        if (found == 1) {
                read_type(find, t);
                return 1;
        }
        *t = (struct type){
                .record = {.max_running = RECORD_UNLIMITED, .rate_count = RECORD_UNLIMITED}};
        snprintf(t->record.name, sizeof(t->record.name), "%s", name);
        return found;
}

int registry_type(struct registry *r, const char *name, struct type *t, struct err *e)
{
        AUTO_READER *reader = registry_read(r, e);
        return reader == NULL ? -1 : find_type(reader_database(reader), name, t, e);
}

static int put_type(struct database *db, const struct type *t, bool told, struct err *e)
{
        const struct type_record *r = &t->record;
        const struct limit *slots = &t->slots_in_force, *rate = &t->rate_in_force;
        return database_run(db,
                            "INSERT OR REPLACE INTO types(" TYPE_COLUMNS ", told)"
                            " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"
                            " ?14)",
                            DB_VALUES(value_text(r->name), value_int(r->v),
                                      value_int(r->max_running), value_int(r->slots_version),
                                      value_int(r->rate_count), value_int(r->rate_per),
                                      value_int(r->rate_version), value_int(t->created_at),
                                      value_int(slots->count), value_int(slots->version),
                                      value_int(rate->count), value_int(rate->per),
                                      value_int(rate->version), value_int(told)),
                            e);
}

static int check_room(struct database *db, struct err *e)
{
        AUTO_RESET *count = database_query(
                db, "SELECT count(*) FROM types WHERE max_running > 0 OR rate_count > 0", NULL, e);
        if (db_step(count, e) != 1)
                return -1;
        if (sqlite3_column_int64(count, 0) < LIMITED_TYPES_MAX)
                return 0;
        return err_set(e, ERR_CONFLICT, "%d types have limits already, and no more can",
                       LIMITED_TYPES_MAX);
}

/* The versions of a changed type, and what is in force while they are 0. */
static int set_versions(struct database *db, struct type *t, const struct type *old, struct err *e)
{
        struct type_record *r = &t->record;
        const struct type_record *was = &old->record;
        struct limit_change slots = {.kind = LIMIT_TYPE_SLOTS,
                                     .of = r->name,
                                     .limited = r->max_running > 0,
                                     .same = r->max_running == was->max_running};
        struct limit_change rate = {.kind = LIMIT_TYPE_RATE,
                                    .of = r->name,
                                    .limited = r->rate_count > 0,
                                    .same = r->rate_count == was->rate_count &&
                                            r->rate_per == was->rate_per};
        if (was->v > 0) {
                slots.was = (struct limit){was->max_running, 0, was->slots_version};
                rate.was = (struct limit){was->rate_count, was->rate_per, was->rate_version};
        }
        t->slots_in_force = old->slots_in_force;
        t->rate_in_force = old->rate_in_force;
        if (version_after(db, &slots, &r->slots_version, &t->slots_in_force, e) != 0)
                return -1;
        return version_after(db, &rate, &r->rate_version, &t->rate_in_force, e);
}

static int change_type(struct database *db, void *owner, struct err *e)
{
        struct type *t = owner, old;
        struct type_record *r = &t->record, *was = &old.record;
        int found = find_type(db, r->name, &old, e);
        if (found < 0)
                return -1;
        if (was->v != r->v)
                return err_set(e, ERR_CONFLICT, "type %s was changed at the same time", r->name);
        if (type_is_limited(t) && !type_is_limited(&old) && check_room(db, e) != 0)
                return -1;
        if (set_versions(db, t, &old, e) != 0)
                return -1;
        r->v++;
        if (found == 0)
                t->created_at = clock_wall();
        return put_type(db, t, false, e);
}

int registry_change_type(struct registry *r, struct type *t, struct err *e)
{
        return registry_write(r, change_type, t, e);
}

static int read_types(struct registry *r, enum which which, struct type **list, size_t *count,
                      struct err *e)
{
        AUTO_READER *reader = registry_read(r, e);
        if (reader == NULL)
                return -1;
        AUTO_RESET *all = reader_query(reader,
                                       "SELECT " TYPE_COLUMNS " FROM types"
                                       " WHERE CASE ?1 WHEN 0 THEN 1 WHEN 1 THEN told = 0"
                                       " ELSE " TYPE_NEEDS " END ORDER BY name",
                                       DB_VALUES(value_int(which)), e);
        int more = 0;
        while ((more = db_step(all, e)) == 1) {
                *list = xrealloc(*list, (*count + 1) * sizeof(**list));
                read_type(all, &(*list)[(*count)++]);
        }
        return more;
}

int registry_each_type(struct registry *r, enum which which, type_fn *each, void *owner,
                       struct err *e)
{
        AUTO_FREE struct type *list = NULL;
        size_t count = 0;
        if (read_types(r, which, &list, &count, e) != 0)
                return -1;
        for (size_t i = 0; i < count; i++) {
                if (each(owner, &list[i], e) != 0)
                        return -1;
        }
        return 0;
}

/* That of an older row: a limited one keeps it only if `control` has its tokens in use: others may
 * be deleted. */
static int64_t version_restored(const struct limit_seen *seen, bool limited, int64_t version)
{
        if (!limited)
                return version > seen->version ? version : seen->version;
        return seen->limited && seen->version == version ? version : 0;
}

/* Raises an older row above what was seen; the queues that this one names are known from now on. */
static int raise_type(struct database *db, void *owner, struct err *e)
{
        const struct type_record *seen = owner;
        struct type t;
        int found = find_type(db, seen->name, &t, e);
        if (found < 0)
                return -1;
        if (found == 1 && t.record.v >= seen->v)
                return 0;
        const struct limit_seen limits[] = {
                {.kind = LIMIT_TYPE_SLOTS,
                 .of = seen->name,
                 .version = seen->slots_version,
                 .limited = seen->max_running > 0},
                {.kind = LIMIT_TYPE_RATE,
                 .of = seen->name,
                 .version = seen->rate_version,
                 .limited = seen->rate_count > 0,
                 .per = seen->rate_per},
        };
        for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
                if (version_seen(db, &limits[i], e) != 0)
                        return -1;
        }
        if (found == 0) {
                t = (struct type){.record = *seen, .created_at = clock_wall()};
                return put_type(db, &t, true, e);
        }
        t.record.slots_version =
                version_restored(&limits[0], t.record.max_running > 0, t.record.slots_version);
        t.record.rate_version =
                version_restored(&limits[1], t.record.rate_count > 0, t.record.rate_version);
        t.slots_in_force = (struct limit){seen->max_running, 0, seen->slots_version};
        t.rate_in_force = (struct limit){seen->rate_count, seen->rate_per, seen->rate_version};
        t.record.v = seen->v + 1;
        return put_type(db, &t, false, e) != 0 ? -1 : 1;
}

int registry_seen_type(struct registry *r, const struct type_record *seen, struct err *e)
{
        int high = registry_rows_exist(r, "SELECT 1 FROM types WHERE name = ?1 AND v >= ?2",
                                       DB_VALUES(value_text(seen->name), value_int(seen->v)), e);
        if (high != 0)
                return high < 0 ? -1 : 0;
        struct type_record copy = *seen;
        return registry_write(r, raise_type, &copy, e);
}
