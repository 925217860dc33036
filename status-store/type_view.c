/* SPDX-License-Identifier: Apache-2.0
 *
 * type_view.c: reads jobs, workers and minutes of job types.
 */
#include "status-store/type_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json_read.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "status-store/minute_json.h"
#include "status-store/projection/tally.h"
#include "status-store/why/worker_view.h"

struct type_view *type_view_add(struct type_view **set, const char *name)
{
        struct type_view *v = NULL;

        HASH_FIND_STR(*set, name, v);
        if (v != NULL)
                return v;
        v = xcalloc(1, sizeof(*v));
        snprintf(v->name, sizeof(v->name), "%s", name);
        HASH_ADD_STR(*set, name, v);
        return v;
}

static void drop(struct type_view **set, struct type_view *v)
{
        HASH_DEL(*set, v);
        free(v->handled_by);
        json_decref(v->paused_for);
        free(v);
}

void type_view_forget(struct type_view **set)
{
        struct type_view *v, *next;

        HASH_ITER (hh, *set, v, next) {
                drop(set, v);
        }
}

int type_view_find(const struct type_scope *s, const char *after, int limit, struct type_view **set,
                   struct err *e)
{
        AUTO_RESET *names = reader_query(
                s->reader,
                "SELECT DISTINCT n.name FROM counts c JOIN names n ON n.ref = c.type"
                " WHERE c.tenant = ?1 AND c.n > 0 AND n.name > ?2 ORDER BY n.name LIMIT ?3",
                DB_VALUES(value_int(s->tenant), value_string(bytes_of_text(after)),
                          value_int(limit)),
                e);
        int more = 0;

        while ((more = db_step(names, e)) == 1) {
                char name[JOB_TYPE_SIZE];
                db_text(names, 0, name, sizeof(name));
                (void)type_view_add(set, name);
        }
        return more;
}

/* Calls `each` for every live worker. */
static int each_worker(const struct type_scope *s,
                       void (*each)(void *owner, const struct worker_view *w), void *owner,
                       struct err *e)
{
        AUTO_RESET *rows = reader_query(s->reader, workers_sql, NULL, e);
        int more = 0;

        while ((more = db_step(rows, e)) == 1) {
                struct worker_view w;
                worker_view_read(rows, s->as_of, &w);
                if (w.status == WORKER_IS_UP && w.raw.length > 0)
                        each(owner, &w);
        }
        return more;
}

/* The types that a record names. */
static void each_type(const struct worker_view *w, void (*each)(void *owner, const char *type),
                      void *owner)
{
        struct scan_item item;
        char type[JOB_TYPE_SIZE];

        if (w->types.raw.data == NULL)
                return;
        for (struct scan_cursor at = scan_items(w->types); scan_next(&at, &item);)
                if (item.value.kind == SCAN_STRING &&
                    json_copy_text(item.value, type, sizeof(type)))
                        each(owner, type);
}

void type_view_note_pause(struct type_view *set, const char *type, const char *tenant)
{
        struct type_view *v = NULL;

        HASH_FIND_STR(set, type, v);
        if (v == NULL)
                return;
        if (v->paused_for == NULL)
                v->paused_for = json_array();
        (void)json_array_append_new(v->paused_for, json_string(tenant));
}

struct finding {
        struct type_view **set;
        const char *after;
};

static void find_type(void *owner, const char *type)
{
        const struct finding *f = owner;

        if (strcmp(type, f->after) > 0)
                (void)type_view_add(f->set, type);
}

static void find_types(void *owner, const struct worker_view *w)
{
        each_type(w, find_type, owner);
}

int type_view_find_handled(const struct type_scope *s, const char *after, struct type_view **set,
                           struct err *e)
{
        struct finding f = {.set = set, .after = after};

        return each_worker(s, find_types, &f, e);
}

static int by_name(const struct type_view *a, const struct type_view *b)
{
        return strcmp(a->name, b->name);
}

bool type_view_cut(struct type_view **set, size_t limit)
{
        struct type_view *v, *next;
        size_t seen = 0;
        bool more = HASH_COUNT(*set) > limit;

        HASH_SORT(*set, by_name);
        HASH_ITER (hh, *set, v, next) {
                if (seen++ >= limit)
                        drop(set, v);
        }
        return more;
}

static void note_handler(struct type_view *v, const char *worker)
{
        if (v->workers < TYPE_HANDLERS_MAX) {
                if (v->handled_by == NULL)
                        v->handled_by = xcalloc(TYPE_HANDLERS_MAX, sizeof(*v->handled_by));
                memcpy(v->handled_by[v->workers], worker, sizeof(v->handled_by[0]));
        }
        v->workers++;
}

struct handling {
        struct type_view *set;
        const char *worker;
};

static void note_type(void *owner, const char *type)
{
        const struct handling *h = owner;
        struct type_view *v = NULL;

        HASH_FIND_STR(h->set, type, v);
        if (v == NULL)
                return;
        v->is_named = true;
        if (h->worker != NULL)
                note_handler(v, h->worker);
}

/* A worker whose record does not name all of its types counts for every type. */
static void note_worker(void *owner, const struct worker_view *w)
{
        struct handling h = {.set = owner, .worker = w->all_types ? w->name : NULL};

        each_type(w, note_type, &h);
        for (struct type_view *v = h.set; !w->all_types && v != NULL; v = v->hh.next)
                note_handler(v, w->name);
}

static int read_counts(const struct type_scope *s, struct type_view *v, struct err *e)
{
        AUTO_RESET *counts = reader_query(s->reader,
                                          "SELECT shelf, n FROM counts WHERE tenant = ?1 AND n > 0"
                                          " AND type = (SELECT ref FROM names WHERE name = ?2)",
                                          DB_VALUES(value_int(s->tenant), value_text(v->name)), e);
        int more = 0;

        while ((more = db_step(counts, e)) == 1) {
                int state = sqlite3_column_int(counts, 0) / SHELF_STATE;
                if (state < 0 || state >= STATUS_COUNT)
                        continue;
                v->counts[state] += sqlite3_column_int64(counts, 1);
                v->jobs += sqlite3_column_int64(counts, 1);
        }
        return more;
}

/* One minute of all types: the key leads from minute to tenant to type. */
static int read_minute(const struct type_scope *s, int64_t minute, struct type_view *set,
                       struct err *e)
{
        AUTO_RESET *rows =
                reader_query(s->reader,
                             "SELECT (SELECT name FROM names WHERE ref = type), " TYPE_COLUMNS
                             " FROM type_minutes"
                             " WHERE minute = ?1 AND tenant = ?2",
                             DB_VALUES(value_int(minute), value_int(s->tenant)), e);
        int more = 0;

        while ((more = db_step(rows, e)) == 1) {
                char name[JOB_TYPE_SIZE];
                struct type_view *v = NULL;
                db_text(rows, 0, name, sizeof(name));
                HASH_FIND_STR(set, name, v);
                if (v != NULL)
                        type_counts_add(rows, 1, &v->hour);
        }
        return more;
}

int type_view_read(const struct type_scope *s, struct type_view *set, struct err *e)
{
        int64_t now = s->now / MSEC_MINUTE;

        for (struct type_view *v = set; v != NULL; v = v->hh.next)
                if (read_counts(s, v, e) != 0)
                        return -1;
        for (int64_t minute = now - TALLY_TYPES_KEPT / MSEC_MINUTE; minute <= now; minute++)
                if (read_minute(s, minute, set, e) != 0)
                        return -1;
        return each_worker(s, note_worker, set, e);
}

static json_t *hour_json(const struct type_counts *hour)
{
        return json_pack("{s:I, s:I, s:I, s:o}", "completed",
                         (json_int_t)hour->count[TYPE_COMPLETED], "failed_attempts",
                         (json_int_t)hour->count[TYPE_FAILED], "dead",
                         (json_int_t)hour->count[TYPE_DEAD], "duration_ms",
                         percentiles_json(&hour->duration));
}

void type_view_write(const struct type_view *v, const struct type_scope *s, json_t *object)
{
        json_t *counts = json_object();

        if (s->tenant == TENANT_ALL) {
                json_t *handled_by = json_array();
                for (int64_t i = 0; i < v->workers && i < TYPE_HANDLERS_MAX; i++)
                        (void)json_array_append_new(handled_by, json_string(v->handled_by[i]));
                (void)json_object_set_new(object, "handled_by", handled_by);
        }
        (void)json_object_set_new(object, "workers", json_integer(v->workers));
        (void)json_object_set_new(object, "paused_for",
                                  v->paused_for != NULL ? json_incref(v->paused_for)
                                                        : json_array());
        for (int i = 0; i < STATUS_COUNT; i++)
                (void)json_object_set_new(counts, status_name((enum status)i),
                                          json_integer(v->counts[i]));
        (void)json_object_set_new(object, "counts", counts);
        (void)json_object_set_new(object, "last_hour", hour_json(&v->hour));
}
