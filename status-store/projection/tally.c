/* SPDX-License-Identifier: Apache-2.0
 *
 * tally.c: the changes that a batch makes to the counts.
 */
#include "status-store/projection/tally.h"

#include <uthash.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "status-store/projection/schema.h"

struct shelf_key {
        int64_t tenant, type, shelf;
};

struct shelf_count {
        struct shelf_key key;
        int64_t by;
        UT_hash_handle hh;
};

/* Minute 0: the tenant's totals. */
struct minute_key {
        int64_t minute, tenant;
};

struct minute {
        struct minute_key key;
        struct minute_counts counts;
        UT_hash_handle hh;
};

struct tally {
        struct shelf_count *shelves;
        struct minute *minutes;
        struct type_tally *types;
        int64_t oldest; /* see tally_take_oldest */
        struct database *db;
        struct err failure; /* of a row of a type that was not read */
};

struct tally *tally_create(struct database *db)
{
        struct tally *t = xcalloc(1, sizeof(*t));
        t->db = db;
        t->types = type_tally_create(db);
        t->oldest = INT64_MAX;
        return t;
}

void tally_destroy(struct tally **t)
{
        if (*t == NULL)
                return;
        tally_clear(*t);
        type_tally_destroy(&(*t)->types);
        free(*t);
        *t = NULL;
}

static void clear_batch(struct tally *t)
{
        struct shelf_count *s, *next_shelf;
        HASH_ITER (hh, t->shelves, s, next_shelf) {
                HASH_DEL(t->shelves, s);
                free(s);
        }
        struct minute *m, *next;
        HASH_ITER (hh, t->minutes, m, next) {
                HASH_DEL(t->minutes, m);
                free(m);
        }
        err_clear(&t->failure);
}

void tally_clear(struct tally *t)
{
        clear_batch(t);
        type_tally_clear(t->types);
}

int64_t tally_take_oldest(struct tally *t)
{
        int64_t oldest = t->oldest;
        t->oldest = INT64_MAX;
        return oldest;
}

static struct shelf_count *find_shelf(struct tally *t, const struct shelf_key *key)
{
        struct shelf_count *found = NULL;
        HASH_FIND(hh, t->shelves, key, sizeof(*key), found);
        if (found == NULL) {
                found = xcalloc(1, sizeof(*found));
                found->key = *key;
                HASH_ADD(hh, t->shelves, key, sizeof(found->key), found);
        }
        return found;
}

void tally_shelf(struct tally *t, int64_t tenant, int64_t type, int shelf, int by)
{
        const struct shelf_key of_tenant = {tenant, type, shelf};
        const struct shelf_key of_all = {TENANT_ALL, type, shelf};
        find_shelf(t, &of_tenant)->by += by;
        find_shelf(t, &of_all)->by += by;
}

static struct minute *find_minute(struct tally *t, const struct minute_key *key)
{
        struct minute *found = NULL;
        HASH_FIND(hh, t->minutes, key, sizeof(*key), found);
        if (found == NULL) {
                found = xcalloc(1, sizeof(*found));
                found->key = *key;
                HASH_ADD(hh, t->minutes, key, sizeof(found->key), found);
        }
        return found;
}

static struct minute_counts *minute_counts(struct tally *t, int64_t minute, int64_t tenant)
{
        const struct minute_key key = {minute, tenant};
        return &find_minute(t, &key)->counts;
}

static int64_t minute_of(msec at, msec now)
{
        if (at > now)
                at = now;
        return at < now - TALLY_KEPT ? 0 : at / MSEC_MINUTE;
}

void tally_count(struct tally *t, int64_t tenant, enum tally_what what, msec at, msec now)
{
        const int64_t both[] = {tenant, TENANT_ALL};
        int64_t minute = minute_of(at, now);
        for (size_t i = 0; i < sizeof(both) / sizeof(both[0]); i++) {
                minute_counts(t, 0, both[i])->count[what]++;
                if (minute != 0)
                        minute_counts(t, minute, both[i])->count[what]++;
        }
}

void tally_observe(struct tally *t, int64_t tenant, enum tally_time which, msec value, msec at,
                   msec now)
{
        int64_t minute = minute_of(at, now);
        if (minute == 0)
                return;
        histogram_add(&minute_counts(t, minute, tenant)->times[which], value);
        histogram_add(&minute_counts(t, minute, TENANT_ALL)->times[which], value);
}

/* False: it is too old, or its rows cannot be read. */
static bool find_type(struct tally *t, const struct tally_type *of, struct type_rows *rows)
{
        const int64_t tenant_type[2] = {of->tenant, of->type};
        msec at = of->at > of->now ? of->now : of->at;
        if (at < of->now - TALLY_TYPES_KEPT || err_is_set(&t->failure))
                return false;
        return type_tally_find(t->types, at / MSEC_MINUTE, tenant_type, rows, &t->failure) == 0;
}

void tally_type(struct tally *t, const struct tally_type *of, enum type_count what)
{
        struct type_rows rows;
        if (!find_type(t, of, &rows))
                return;
        rows.tenants->count[what]++;
        rows.all->count[what]++;
}

void tally_type_duration(struct tally *t, const struct tally_type *of, msec value)
{
        struct type_rows rows;
        if (!find_type(t, of, &rows))
                return;
        histogram_add(&rows.tenants->duration, value);
        histogram_add(&rows.all->duration, value);
}

/* Most counts have a row: to update it takes one search, and an upsert two. */
static int write_shelf(struct tally *t, const struct shelf_count *s, struct err *e)
{
        const struct db_value *values = DB_VALUES(value_int(s->key.tenant), value_int(s->key.type),
                                                  value_int(s->key.shelf), value_int(s->by));
        if (database_run(t->db,
                         "UPDATE counts SET n = n + ?4 WHERE tenant = ?1 AND type = ?2"
                         " AND shelf = ?3",
                         values, e) != 0)
                return -1;
        if (sqlite3_changes(database_handle(t->db)) > 0)
                return 0;
        return database_run(t->db,
                            "INSERT INTO counts(tenant, type, shelf, n) VALUES(?1, ?2, ?3, ?4)",
                            values, e);
}

static int write_shelves(struct tally *t, struct err *e)
{
        for (struct shelf_count *s = t->shelves; s != NULL; s = s->hh.next)
                if (s->by != 0 && write_shelf(t, s, e) != 0)
                        return -1;
        return 0;
}

static int write_total(struct tally *t, const struct minute *m, struct err *e)
{
        const int64_t *n = m->counts.count;
        return database_run(
                t->db,
                "INSERT INTO counters(tenant, " TALLY_COLUMNS ") VALUES(?1, ?2, ?3, ?4, ?5, ?6)"
                " ON CONFLICT DO UPDATE SET submitted = submitted + excluded.submitted,"
                " completed = completed + excluded.completed, failed = failed + excluded.failed,"
                " retried = retried + excluded.retried, dead = dead + excluded.dead",
                DB_VALUES(value_int(m->key.tenant), value_int(n[TALLY_SUBMITTED]),
                          value_int(n[TALLY_COMPLETED]), value_int(n[TALLY_FAILED]),
                          value_int(n[TALLY_RETRIED]), value_int(n[TALLY_DEAD])),
                e);
}

void minute_add(sqlite3_stmt *row, struct minute_counts *to)
{
        for (int i = 0; i < TALLY_COUNT; i++)
                to->count[i] += sqlite3_column_int64(row, i);
        for (int i = 0; i < TALLY_TIMES; i++)
                histogram_unpack(db_bytes(row, TALLY_COUNT + i), &to->times[i]);
}

static int merge_minute(struct tally *t, struct minute *m, struct err *e)
{
        AUTO_RESET *get = database_query(
                t->db, "SELECT " MINUTE_COLUMNS " FROM minutes WHERE minute = ?1 AND tenant = ?2",
                DB_VALUES(value_int(m->key.minute), value_int(m->key.tenant)), e);
        int found = db_step(get, e);
        if (found == 1)
                minute_add(get, &m->counts);
        return found < 0 ? -1 : 0;
}

static int write_minute(struct tally *t, struct minute *m, struct err *e)
{
        if (merge_minute(t, m, e) != 0)
                return -1;
        sqlite3_stmt *put =
                database_query(t->db,
                               "INSERT OR REPLACE INTO minutes(minute, tenant, " MINUTE_COLUMNS ")"
                               " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                               DB_VALUES(value_int(m->key.minute), value_int(m->key.tenant)), e);
        if (put == NULL)
                return -1;
        for (int i = 0; i < TALLY_COUNT; i++)
                db_bind_int(put, 3 + i, m->counts.count[i]);
        AUTO_BUFFER latency = {0};
        AUTO_BUFFER wait = {0};
        AUTO_BUFFER duration = {0};
        struct buffer *const packed[TALLY_TIMES] = {&latency, &wait, &duration};
        for (int i = 0; i < TALLY_TIMES; i++) {
                histogram_pack(&m->counts.times[i], packed[i]);
                db_bind_blob(put, 3 + TALLY_COUNT + i, packed[i]->data, packed[i]->length);
        }
        return db_run(put, e);
}

int tally_write(struct tally *t, struct err *e)
{
        if (err_is_set(&t->failure))
                return err_set(e, t->failure.code, "%s", t->failure.text);
        if (write_shelves(t, e) != 0)
                return -1;
        for (struct minute *m = t->minutes; m != NULL; m = m->hh.next) {
                int wrote = m->key.minute == 0 ? write_total(t, m, e) : write_minute(t, m, e);
                if (wrote != 0)
                        return -1;
                if (m->key.minute != 0 && m->key.minute < t->oldest)
                        t->oldest = m->key.minute;
        }
        if (type_tally_write(t->types, e) != 0)
                return -1;
        clear_batch(t);
        return 0;
}
