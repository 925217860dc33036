/* SPDX-License-Identifier: Apache-2.0
 *
 * queues_api.c: GET /queues of the internal API: what waits and runs in each lane of a tenant, its
 * slots, and how long it takes to drain.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json_write.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "status-store/api.h"
#include "status-store/parked_counts.h"
#include "status-store/why/handled.h"
#include "status-store/why/waiting.h"

enum { QUEUES_DEFAULT = 50, QUEUES_MAX = 200 };
#define COUNT_AGE ((msec)5 * MSEC_SECOND) /* counts of the broker are used so long */
#define COUNT_WAIT ((msec)MSEC_SECOND)
#define TOKENS_WAIT ((msec)300)

/* Tenants' records, by name. */
struct page {
        struct control *control;
        struct tenant_record *tenants;
        struct token_count *slots; /* of each */
        struct parked_counts parked;
        struct handled_type *handled; /* types of which jobs wait, of all tenants */
        size_t count, room;
        const char *only, *after; /* of this name, or NULL; after this one */
};

static void page_fini(struct page *p)
{
        parked_counts_fini(&p->parked);
        handled_forget(&p->handled);
        free(p->tenants);
        free(p->slots);
}
#define AUTO_PAGE __attribute__((cleanup(page_fini))) struct page

static void add_tenant(void *owner, const struct tenant_record *t)
{
        struct page *p = owner;

        if ((p->only != NULL && strcmp(t->name, p->only) != 0) || strcmp(t->name, p->after) <= 0)
                return;
        if (p->count == p->room) {
                p->room = p->room == 0 ? 64 : p->room * 2;
                p->tenants = xrealloc(p->tenants, p->room * sizeof(*p->tenants));
        }
        p->tenants[p->count++] = *t;
}

static int by_name(const void *a, const void *b)
{
        const struct tenant_record *x = a;
        const struct tenant_record *y = b;

        return strcmp(x->name, y->name);
}

/* Counts the lanes and the slots of the first n at once. */
static void count_queues(struct api *a, struct page *p, size_t n)
{
        AUTO_FREE const char **names = xcalloc(n + 1, sizeof(*names));

        p->slots = xcalloc(n + 1, sizeof(*p->slots));
        for (size_t i = 0; i < n; i++) {
                const struct tenant_record *t = &p->tenants[i];
                names[i] = t->name;
                if (t->max_running != RECORD_UNLIMITED && t->slots_version > 0)
                        limit_queue_name(LIMIT_TENANT_SLOTS, t->name, t->slots_version,
                                         p->slots[i].queue);
        }
        lane_counts_want(a->lane_counts, names, n, COUNT_AGE, clock_mono() + COUNT_WAIT);
        token_counts_read(a->token_counts, p->slots, n, clock_mono() + TOKENS_WAIT);
}

static void put_count(struct buffer *out, const char *name, int64_t count)
{
        if (count >= 0)
                json_put_int(out, name, count);
        else
                json_put_null(out, name);
}

static void write_slots(const struct tenant_record *t, int64_t free_slots, int64_t running,
                        struct buffer *out)
{
        if (t->max_running == RECORD_UNLIMITED) {
                json_put_null(out, "slots");
                return;
        }
        json_begin_object(out, "slots");
        json_put_int(out, "limit", t->max_running);
        json_put_int(out, "used", running);
        put_count(out, "free", free_slots);
        json_put_int(out, "version", t->slots_version);
        json_end(out);
}

/* The most urgent first. */
static void write_lanes(const struct lane_waiting lanes[LANE_COUNT],
                        const struct lanes_counted *counted, struct buffer *out)
{
        static const enum lane order[LANE_COUNT] = {LANE_CRITICAL, LANE_HIGH, LANE_MEDIUM, LANE_LOW,
                                                    LANE_LONG};

        json_begin_array(out, "lanes");
        for (size_t i = 0; i < LANE_COUNT; i++) {
                const struct lane_waiting *w = &lanes[order[i]];
                json_begin_object(out, NULL);
                json_put_string(out, "lane", lane_name(order[i]));
                put_count(out, "ready", counted->ready[order[i]]);
                json_put_int(out, "running", w->running);
                json_put_int(out, "waiting", w->waiting);
                json_put_time(out, "oldest_at", w->oldest);
                json_end(out);
        }
        json_end_array(out);
}

static struct lane_waiting sum_of(const struct lane_waiting lanes[LANE_COUNT])
{
        struct lane_waiting sum = {0};

        for (int i = 0; i < LANE_COUNT; i++) {
                sum.waiting += lanes[i].waiting;
                sum.running += lanes[i].running;
                if (lanes[i].oldest != 0 && (sum.oldest == 0 || lanes[i].oldest < sum.oldest))
                        sum.oldest = lanes[i].oldest;
        }
        return sum;
}

/* Jobs that wait. */
struct startable {
        int64_t jobs, others; /* that may start; that may not */
};

static bool may_start(const struct page *p, const struct tenant_record *of, const char *type)
{
        struct handled_type *t = NULL;

        HASH_FIND_STR(p->handled, type, t);
        return !of->paused && t != NULL && t->workers > 0 &&
               control_pause(p->control, of->name, type, NULL) == PAUSE_NONE;
}

/* A job may start when a live worker handles its type, and nobody paused its type or its tenant. */
static int count_startable(const struct page *p, const struct tenant_record *of, struct reader *r,
                           struct startable *out, struct err *e)
{
        struct handled_type *own = NULL;
        int failed = handled_read_waiting(r, of->name, &own, e);

        *out = (struct startable){0};
        for (const struct handled_type *t = own; t != NULL; t = t->hh.next) {
                if (may_start(p, of, t->type))
                        out->jobs += t->jobs;
                else
                        out->others += t->jobs;
        }
        handled_forget(&own);
        return failed;
}

static void write_speed(double starts, const struct startable *s, struct buffer *out)
{
        if (starts > 0)
                json_put_real(out, "starts_per_second", starts);
        else
                json_put_null(out, "starts_per_second");
        if (starts > 0 && (s->jobs > 0 || s->others == 0))
                json_put_int(out, "drain_seconds", (int64_t)ceil((double)s->jobs / starts));
        else
                json_put_null(out, "drain_seconds");
}

/* Takes a reader for itself: a page of many tenants must not keep one. */
static int write_tenant(struct api *a, const struct page *p, size_t i, struct buffer *out,
                        struct err *e)
{
        const struct tenant_record *t = &p->tenants[i];
        struct lane_waiting lanes[LANE_COUNT] = {0};
        struct lanes_counted counted;
        struct startable startable;
        AUTO_READER *r = readers_take(a->readers, e);
        int64_t ref = r != NULL ? waiting_ref(r, t->name, e) : -1;
        double starts = ref > 0 ? waiting_starts(r, ref, clock_wall(), e) : 0;

        if (ref < 0 || starts < 0 || (ref > 0 && waiting_lanes(r, ref, lanes, e) != 0) ||
            count_startable(p, t, r, &startable, e) != 0)
                return -1;
        lane_counts_of(a->lane_counts, t->name, COUNT_AGE + COUNT_WAIT, &counted);
        struct lane_waiting sum = sum_of(lanes);
        json_begin_object(out, NULL);
        json_put_string(out, "tenant", t->name);
        json_put_flag(out, "paused", t->paused);
        json_put_int(out, "waiting", sum.waiting);
        json_put_int(out, "running", sum.running);
        json_put_time(out, "oldest_at", sum.oldest);
        put_count(out, "parked", parked_counts_of(&p->parked, t->name));
        write_lanes(lanes, &counted, out);
        write_slots(t, p->slots[i].ready, sum.running, out);
        write_speed(starts, &startable, out);
        json_put_time(out, "counted_at", counted.at);
        json_end(out);
        return 0;
}

static int read_handled(struct api *a, struct page *p, struct err *e)
{
        AUTO_READER *r = readers_take(a->readers, e);

        if (r == NULL || handled_read_waiting(r, "*", &p->handled, e) != 0)
                return -1;
        return handled_count(r, api_as_of(a), p->handled, e);
}

static int write_page(struct api *a, struct page *p, size_t limit, struct buffer *out,
                      struct err *e)
{
        size_t n = p->count < limit ? p->count : limit;

        if (p->count > 0)
                qsort(p->tenants, p->count, sizeof(*p->tenants), by_name);
        count_queues(a, p, n);
        if (parked_counts_read(a, p->only != NULL ? p->only : "*", &p->parked, e) != 0 ||
            read_handled(a, p, e) != 0)
                return -1;
        json_begin_array(out, "queues");
        for (size_t i = 0; i < n; i++)
                if (write_tenant(a, p, i, out, e) != 0)
                        return -1;
        json_end_array(out);
        json_put_string(out, "next_cursor", p->count > n ? p->tenants[n - 1].name : NULL);
        return 0;
}

void queues_list(void *owner, struct http_request *r)
{
        static const char *const allowed[] = {"tenant", "limit", "cursor", NULL};
        struct api *a = owner;
        const char *cursor = http_query(r, "cursor");
        int limit = QUEUES_DEFAULT;
        struct err why = {0};
        AUTO_BUFFER members = {0};

        if (!http_query_only(r, allowed))
                return;
        const char *tenant = api_tenant(r);
        if (tenant == NULL || !api_limit(r, QUEUES_MAX, &limit))
                return;
        if (!control_is_ready(a->control)) {
                http_problem(r, 503, "stream control has not been read yet");
                return;
        }
        AUTO_PAGE page = {.control = a->control,
                          .only = strcmp(tenant, "*") == 0 ? NULL : tenant,
                          .after = cursor != NULL ? cursor : ""};
        control_each_tenant(a->control, add_tenant, &page);
        if (write_page(a, &page, (size_t)limit, &members, &why) != 0)
                http_problem_err(r, &why);
        else
                api_answer(a, r, &members);
}
