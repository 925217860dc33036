/* SPDX-License-Identifier: Apache-2.0
 *
 * lane_counts.c: counts every tenant's queues, pass by pass.
 */
#include "status-store/lane_counts.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#include "common/base/alarm.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/clients/queue_counter.h"

#define PASS_EVERY ((msec)15 * MSEC_SECOND)
#define WANTED_FOR ((msec)150 * MSEC_SECOND)
#define VALID_FOR ((msec)2 * MSEC_MINUTE)

/* A pass over 1 000 tenants takes 6 s. */
enum { TENANTS_AT_ONCE = 8, BETWEEN_MS = 50, IDLE_MS = 1000 };

struct lane_count {
        uint32_t jobs;
        msec counted_at; /* 0: not known */
};

struct tenant_lanes {
        char tenant[TENANT_SIZE];
        struct lane_count lanes[LANE_COUNT];
        bool exists; /* as a tenant, when the pass began */
        struct lane_counts *owner;
        UT_hash_handle hh;
};

struct lane_counts {
        struct control *control;

        /* loop thread only */
        struct alarm *alarm;
        struct link *counter;
        msec pass_at;              /* earliest time of the next pass */
        struct tenant_lanes *next; /* to be counted in this pass */
        unsigned outstanding;

        pthread_mutex_t mutex;
        struct tenant_lanes *tenants; /* changed by the loop thread, under mutex */
        msec wanted_until;            /* guarded by mutex */
};

static void free_tenants(struct lane_counts *l, bool all)
{
        struct tenant_lanes *t = NULL;
        struct tenant_lanes *next = NULL;

        HASH_ITER (hh, l->tenants, t, next) {
                if (t->exists && !all)
                        continue;
                HASH_DEL(l->tenants, t);
                free(t);
        }
}

static void on_counted(void *owner, const char *tenant, const struct tenant_count *c)
{
        struct tenant_lanes *t = owner;
        struct lane_counts *l = t->owner;
        msec now = clock_mono();

        (void)tenant;
        pthread_mutex_lock(&l->mutex);
        for (int lane = 0; lane < LANE_COUNT; lane++) {
                if (c->lanes[lane].state == LANE_COUNTED)
                        t->lanes[lane] = (struct lane_count){c->lanes[lane].jobs, now};
                else if (c->lanes[lane].state == LANE_ABSENT)
                        t->lanes[lane].counted_at = 0;
        }
        pthread_mutex_unlock(&l->mutex);
        l->outstanding--;
}

static void note_tenant(void *owner, const struct tenant_record *r)
{
        struct lane_counts *l = owner;
        struct tenant_lanes *t = NULL;

        HASH_FIND_STR(l->tenants, r->name, t);
        if (t == NULL) {
                t = xcalloc(1, sizeof(*t));
                snprintf(t->tenant, sizeof(t->tenant), "%s", r->name);
                t->owner = l;
                HASH_ADD_STR(l->tenants, tenant, t);
        }
        t->exists = true;
}

/* Only between passes: it frees tenants, and a pending count points to its tenant. */
static void begin_pass(struct lane_counts *l)
{
        pthread_mutex_lock(&l->mutex);
        for (struct tenant_lanes *t = l->tenants; t != NULL; t = t->hh.next)
                t->exists = false;
        control_each_tenant(l->control, note_tenant, l);
        free_tenants(l, false);
        pthread_mutex_unlock(&l->mutex);
        l->next = l->tenants;
        l->pass_at = clock_mono() + PASS_EVERY;
}

static bool is_due(struct lane_counts *l)
{
        msec now = clock_mono();

        pthread_mutex_lock(&l->mutex);
        bool is_wanted = now < l->wanted_until;
        pthread_mutex_unlock(&l->mutex);
        return is_wanted && now >= l->pass_at;
}

static void count_next(struct lane_counts *l)
{
        if (!link_is_up(l->counter) || l->outstanding > 0)
                return;
        if (l->next == NULL && is_due(l))
                begin_pass(l);
        for (int i = 0; i < TENANTS_AT_ONCE && l->next != NULL; i++) {
                l->outstanding++;
                queue_counter_count(l->counter, l->next->tenant, on_counted, l->next);
                l->next = l->next->hh.next;
        }
}

static void on_alarm(void *owner)
{
        struct lane_counts *l = owner;

        count_next(l);
        alarm_set(l->alarm, l->next != NULL ? BETWEEN_MS : IDLE_MS);
}

void lane_counts_want_all(struct lane_counts *l)
{
        pthread_mutex_lock(&l->mutex);
        l->wanted_until = clock_mono() + WANTED_FOR;
        pthread_mutex_unlock(&l->mutex);
}

static void each_lane(const struct tenant_lanes *t, msec now, lane_counted_fn *each, void *owner)
{
        for (int i = 0; i < LANE_COUNT; i++) {
                const struct lane_count *lane = &t->lanes[i];
                if (lane->counted_at != 0 && now - lane->counted_at < VALID_FOR)
                        each(owner, t->tenant, (enum lane)i, lane->jobs);
        }
}

void lane_counts_each(struct lane_counts *l, lane_counted_fn *each, void *owner)
{
        msec now = clock_mono();

        pthread_mutex_lock(&l->mutex);
        for (const struct tenant_lanes *t = l->tenants; t != NULL; t = t->hh.next)
                each_lane(t, now, each, owner);
        pthread_mutex_unlock(&l->mutex);
}

struct lane_counts *lane_counts_create(const struct link_config *link, struct control *control,
                                       uv_loop_t *loop, struct err *e)
{
        AUTO_FREE struct lane_counts *l = xcalloc(1, sizeof(*l));

        l->control = control;
        l->counter = link_create(link, NULL, NULL, loop, e);
        if (l->counter == NULL)
                return NULL;
        pthread_mutex_init(&l->mutex, NULL);
        l->alarm = alarm_create(loop, on_alarm, l);
        alarm_set(l->alarm, IDLE_MS);
        return TAKE(l);
}

void lane_counts_destroy(struct lane_counts **counts)
{
        struct lane_counts *l = TAKE(*counts);

        if (l == NULL)
                return;
        link_destroy(&l->counter);
        alarm_destroy(&l->alarm);
        free_tenants(l, true);
        pthread_mutex_destroy(&l->mutex);
        free(l);
}
