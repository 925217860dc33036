/* SPDX-License-Identifier: Apache-2.0
 *
 * type_tally.c: rows of type_minutes by minute.
 */
#include "status-store/projection/type_tally.h"

#include <uthash.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "status-store/projection/schema.h"

/* Late events belong to minutes that have passed. */
enum { MINUTES_HELD = 2 };

struct type_place {
        int64_t tenant, type;
};

struct type_row {
        struct type_place place;
        struct type_counts counts;
        bool dirty, stored;
        UT_hash_handle hh;
};

struct type_minute {
        int64_t minute;
        int64_t pairs; /* rows of a tenant's type */
        struct type_row *rows;
        UT_hash_handle hh;
};

struct type_tally {
        struct type_minute *minutes;
        struct database *db;
};

struct type_tally *type_tally_create(struct database *db)
{
        struct type_tally *t = xcalloc(1, sizeof(*t));
        t->db = db;
        return t;
}

void type_tally_destroy(struct type_tally **t)
{
        if (*t == NULL)
                return;
        type_tally_clear(*t);
        free(*t);
        *t = NULL;
}

static void forget_minute(struct type_tally *t, struct type_minute *m)
{
        struct type_row *row, *next;
        HASH_ITER (hh, m->rows, row, next) {
                HASH_DEL(m->rows, row);
                free(row);
        }
        HASH_DEL(t->minutes, m);
        free(m);
}

void type_tally_clear(struct type_tally *t)
{
        struct type_minute *m, *next;
        HASH_ITER (hh, t->minutes, m, next) {
                forget_minute(t, m);
        }
}

void type_counts_add(sqlite3_stmt *row, int first, struct type_counts *to)
{
        for (int i = 0; i < TYPE_COUNTS; i++)
                to->count[i] += sqlite3_column_int64(row, first + i);
        histogram_unpack(db_bytes(row, first + TYPE_COUNTS), &to->duration);
}

static struct type_minute *find_minute(struct type_tally *t, int64_t minute, struct err *e)
{
        struct type_minute *m = NULL;
        HASH_FIND(hh, t->minutes, &minute, sizeof(minute), m);
        if (m != NULL)
                return m;
        AUTO_RESET *pairs = database_query(
                t->db,
                "SELECT count(*) FROM type_minutes WHERE minute = ?1 AND tenant > 0 AND type > 0",
                DB_VALUES(value_int(minute)), e);
        if (db_step(pairs, e) != 1)
                return NULL;
        m = xcalloc(1, sizeof(*m));
        m->minute = minute;
        m->pairs = sqlite3_column_int64(pairs, 0);
        HASH_ADD(hh, t->minutes, minute, sizeof(m->minute), m);
        return m;
}

/* 1: the stored row was added to `row`; 0: there is none; -1. */
static int load_row(struct type_tally *t, int64_t minute, struct type_row *row, struct err *e)
{
        AUTO_RESET *get = database_query(t->db,
                                         "SELECT " TYPE_COLUMNS " FROM type_minutes"
                                         " WHERE minute = ?1 AND tenant = ?2 AND type = ?3",
                                         DB_VALUES(value_int(minute), value_int(row->place.tenant),
                                                   value_int(row->place.type)),
                                         e);
        int found = db_step(get, e);
        if (found == 1)
                type_counts_add(get, 0, &row->counts);
        return found;
}

/* is_new: whether it had no row before. */
static struct type_row *find_row(struct type_tally *t, struct type_minute *m,
                                 const struct type_place *place, bool *is_new, struct err *e)
{
        struct type_row *row = NULL;
        *is_new = false;
        HASH_FIND(hh, m->rows, place, sizeof(*place), row);
        if (row != NULL)
                return row;
        row = xcalloc(1, sizeof(*row));
        row->place = *place;
        int found = load_row(t, m->minute, row, e);
        if (found < 0) {
                free(row);
                return NULL;
        }
        *is_new = found == 0;
        row->stored = found == 1;
        HASH_ADD(hh, m->rows, place, sizeof(row->place), row);
        return row;
}

/* The row of a tenant's type; of type 0 when the minute has too many. */
static struct type_row *find_own(struct type_tally *t, struct type_minute *m,
                                 struct type_place place, struct err *e)
{
        bool is_new = false;
        struct type_row *row = NULL;
        HASH_FIND(hh, m->rows, &place, sizeof(place), row);
        if (row != NULL)
                return row;
        if (m->pairs >= TYPE_PAIRS_MAX)
                place.type = 0;
        row = find_row(t, m, &place, &is_new, e);
        if (is_new && place.type != 0)
                m->pairs++;
        return row;
}

int type_tally_find(struct type_tally *t, int64_t minute, const int64_t tenant_type[2],
                    struct type_rows *out, struct err *e)
{
        bool is_new = false;
        struct type_minute *m = find_minute(t, minute, e);
        if (m == NULL)
                return -1;
        struct type_row *own =
                find_own(t, m, (struct type_place){tenant_type[0], tenant_type[1]}, e);
        if (own == NULL)
                return -1;
        const struct type_place of_all = {TENANT_ALL, own->place.type};
        struct type_row *all = find_row(t, m, &of_all, &is_new, e);
        if (all == NULL)
                return -1;
        own->dirty = all->dirty = true;
        *out = (struct type_rows){&own->counts, &all->counts};
        return 0;
}

static int write_row(struct type_tally *t, int64_t minute, struct type_row *row, struct err *e)
{
        static const char insert[] = "INSERT INTO type_minutes(minute, tenant, type, " TYPE_COLUMNS
                                     ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        static const char update[] = "UPDATE type_minutes SET completed = ?4, failed = ?5,"
                                     " dead = ?6, duration = ?7"
                                     " WHERE minute = ?1 AND tenant = ?2 AND type = ?3";
        const int64_t *n = row->counts.count;
        AUTO_BUFFER duration = {0};
        histogram_pack(&row->counts.duration, &duration);
        if (database_run(t->db, row->stored ? update : insert,
                         DB_VALUES(value_int(minute), value_int(row->place.tenant),
                                   value_int(row->place.type), value_int(n[TYPE_COMPLETED]),
                                   value_int(n[TYPE_FAILED]), value_int(n[TYPE_DEAD]),
                                   value_blob(buffer_bytes(&duration))),
                         e) != 0)
                return -1;
        row->dirty = false;
        row->stored = true;
        return 0;
}

int type_tally_write(struct type_tally *t, struct err *e)
{
        int64_t newest = 0;
        struct type_minute *m, *next;
        HASH_ITER (hh, t->minutes, m, next) {
                newest = m->minute > newest ? m->minute : newest;
                for (struct type_row *row = m->rows; row != NULL; row = row->hh.next)
                        if (row->dirty && write_row(t, m->minute, row, e) != 0)
                                return -1;
        }
        HASH_ITER (hh, t->minutes, m, next) {
                if (m->minute <= newest - MINUTES_HELD)
                        forget_minute(t, m);
        }
        return 0;
}
