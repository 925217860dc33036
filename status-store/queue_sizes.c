/* SPDX-License-Identifier: Apache-2.0
 *
 * queue_sizes.c: counts every tenant's queues for the metrics.
 */
#include "status-store/queue_sizes.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#include "common/base/alarm.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/clients/queue_counter.h"

/* A scraper reads at least every minute, the slowest every two. */
#define PASS_EVERY ((msec)15 * MSEC_SECOND)
#define READ_WITHIN ((msec)150 * MSEC_SECOND)
#define SHOWN_FOR ((msec)2 * MSEC_MINUTE)

/* A pass over 1 000 tenants takes 6 s. */
enum { TENANTS_AT_ONCE = 8, BETWEEN_MS = 50, IDLE_MS = 1000 };

struct lane_size {
        uint32_t jobs;
        msec counted_at; /* 0: not known */
};

struct tenant_sizes {
        char tenant[TENANT_SIZE];
        struct lane_size lanes[LANE_COUNT];
        bool exists; /* as a tenant, when the pass began */
        struct queue_sizes *owner;
        UT_hash_handle hh;
};

struct queue_sizes {
        struct control *control;
        struct metric *metric;

        /* loop thread only */
        struct alarm *alarm;
        struct link *counter;
        msec pass_at;              /* earliest time of the next pass */
        struct tenant_sizes *next; /* to be counted in this pass */
        unsigned outstanding;

        pthread_mutex_t mutex;
        struct tenant_sizes *tenants; /* changed by the loop thread, under mutex */
        msec read_until;              /* guarded by mutex */
};

static void free_tenants(struct queue_sizes *q, bool all)
{
        struct tenant_sizes *t = NULL;
        struct tenant_sizes *next = NULL;

        HASH_ITER (hh, q->tenants, t, next) {
                if (t->exists && !all)
                        continue;
                HASH_DEL(q->tenants, t);
                free(t);
        }
}

static void on_counted(void *owner, const char *tenant, const struct tenant_count *c)
{
        struct tenant_sizes *t = owner;
        struct queue_sizes *q = t->owner;
        msec now = clock_mono();

        (void)tenant;
        pthread_mutex_lock(&q->mutex);
        for (int lane = 0; lane < LANE_COUNT; lane++) {
                if (c->lanes[lane].state == LANE_COUNTED)
                        t->lanes[lane] = (struct lane_size){c->lanes[lane].jobs, now};
                else if (c->lanes[lane].state == LANE_ABSENT)
                        t->lanes[lane].counted_at = 0;
        }
        pthread_mutex_unlock(&q->mutex);
        q->outstanding--;
}

static void note_tenant(void *owner, const struct tenant_record *r)
{
        struct queue_sizes *q = owner;
        struct tenant_sizes *t = NULL;

        HASH_FIND_STR(q->tenants, r->name, t);
        if (t == NULL) {
                t = xcalloc(1, sizeof(*t));
                snprintf(t->tenant, sizeof(t->tenant), "%s", r->name);
                t->owner = q;
                HASH_ADD_STR(q->tenants, tenant, t);
        }
        t->exists = true;
}

/* Only between passes: it frees tenants, and a pending count points to its tenant. */
static void begin_pass(struct queue_sizes *q)
{
        pthread_mutex_lock(&q->mutex);
        for (struct tenant_sizes *t = q->tenants; t != NULL; t = t->hh.next)
                t->exists = false;
        control_each_tenant(q->control, note_tenant, q);
        free_tenants(q, false);
        pthread_mutex_unlock(&q->mutex);
        q->next = q->tenants;
        q->pass_at = clock_mono() + PASS_EVERY;
}

static bool is_due(struct queue_sizes *q)
{
        msec now = clock_mono();

        pthread_mutex_lock(&q->mutex);
        bool is_read = now < q->read_until;
        pthread_mutex_unlock(&q->mutex);
        return is_read && now >= q->pass_at;
}

static void count_next(struct queue_sizes *q)
{
        if (!link_is_up(q->counter) || q->outstanding > 0)
                return;
        if (q->next == NULL && is_due(q))
                begin_pass(q);
        for (int i = 0; i < TENANTS_AT_ONCE && q->next != NULL; i++) {
                q->outstanding++;
                queue_counter_count(q->counter, q->next->tenant, on_counted, q->next);
                q->next = q->next->hh.next;
        }
}

static void on_alarm(void *owner)
{
        struct queue_sizes *q = owner;

        count_next(q);
        alarm_set(q->alarm, q->next != NULL ? BETWEEN_MS : IDLE_MS);
}

static void show(struct queue_sizes *q, const struct tenant_sizes *t, msec now)
{
        for (int i = 0; i < LANE_COUNT; i++) {
                const struct lane_size *lane = &t->lanes[i];
                if (lane->counted_at != 0 && now - lane->counted_at < SHOWN_FOR)
                        metric_increment(q->metric, lane->jobs, t->tenant, lane_name((enum lane)i));
        }
}

static void collect(void *owner)
{
        struct queue_sizes *q = owner;
        msec now = clock_mono();

        metric_reset(q->metric);
        pthread_mutex_lock(&q->mutex);
        q->read_until = now + READ_WITHIN;
        for (const struct tenant_sizes *t = q->tenants; t != NULL; t = t->hh.next)
                show(q, t, now);
        pthread_mutex_unlock(&q->mutex);
}

struct queue_sizes *queue_sizes_create(const struct queue_sizes_config *c, uv_loop_t *loop,
                                       struct err *e)
{
        AUTO_FREE struct queue_sizes *q = xcalloc(1, sizeof(*q));

        q->control = c->control;
        q->counter = link_create(&c->link, NULL, NULL, loop, e);
        if (q->counter == NULL)
                return NULL;
        pthread_mutex_init(&q->mutex, NULL);
        q->alarm = alarm_create(loop, on_alarm, q);
        alarm_set(q->alarm, IDLE_MS);
        const struct metric_spec spec = {
                .name = "warren_queue_size",
                .help = "Jobs that wait in a queue, without those that a consumer has.",
                .kind = METRIC_GAUGE,
                .labels = {"tenant", "lane"},
                .series_max = c->tenants_max * LANE_COUNT + 1,
        };
        q->metric = metric_add(c->metrics, &spec);
        metrics_on_collect(c->metrics, collect, q);
        return TAKE(q);
}

void queue_sizes_destroy(struct queue_sizes **queue_sizes)
{
        struct queue_sizes *q = TAKE(*queue_sizes);

        if (q == NULL)
                return;
        link_destroy(&q->counter);
        alarm_destroy(&q->alarm);
        free_tenants(q, true);
        pthread_mutex_destroy(&q->mutex);
        free(q);
}
