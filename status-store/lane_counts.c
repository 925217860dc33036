/* SPDX-License-Identifier: Apache-2.0
 *
 * lane_counts.c: counts every tenant's queues, pass by pass, and some tenants' when asked.
 */
#include "status-store/lane_counts.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#include "common/base/alarm.h"
#include "common/base/condition.h"
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
        bool exists;    /* as a tenant, when the pass began */
        unsigned asked; /* counts under way that somebody waits for */
        bool in_pass;   /* a count of the pass is under way */
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
        pthread_cond_t counted;       /* a count that somebody waits for has ended */
        struct tenant_lanes *tenants; /* guarded by mutex */
        msec wanted_until;            /* guarded by mutex */
};

/* Not those that a count under way points to. */
static void free_tenants(struct lane_counts *l, bool all)
{
        struct tenant_lanes *t = NULL;
        struct tenant_lanes *next = NULL;

        HASH_ITER (hh, l->tenants, t, next) {
                if ((t->exists || t->asked > 0 || t->in_pass) && !all)
                        continue;
                HASH_DEL(l->tenants, t);
                free(t);
        }
}

static void note_counts_locked(struct tenant_lanes *t, const struct tenant_count *c)
{
        msec now = clock_mono();

        for (int lane = 0; lane < LANE_COUNT; lane++) {
                if (c->lanes[lane].state == LANE_COUNTED)
                        t->lanes[lane] = (struct lane_count){c->lanes[lane].jobs, now};
                else if (c->lanes[lane].state == LANE_ABSENT)
                        t->lanes[lane].counted_at = 0;
        }
}

static void on_passed(void *owner, const char *tenant, const struct tenant_count *c)
{
        struct tenant_lanes *t = owner;
        struct lane_counts *l = t->owner;

        (void)tenant;
        pthread_mutex_lock(&l->mutex);
        note_counts_locked(t, c);
        t->in_pass = false;
        pthread_mutex_unlock(&l->mutex);
        l->outstanding--;
}

static void on_asked(void *owner, const char *tenant, const struct tenant_count *c)
{
        struct tenant_lanes *t = owner;
        struct lane_counts *l = t->owner;

        (void)tenant;
        pthread_mutex_lock(&l->mutex);
        note_counts_locked(t, c);
        t->asked--;
        pthread_cond_broadcast(&l->counted);
        pthread_mutex_unlock(&l->mutex);
}

static struct tenant_lanes *find_or_add_locked(struct lane_counts *l, const char *tenant)
{
        struct tenant_lanes *t = NULL;

        HASH_FIND_STR(l->tenants, tenant, t);
        if (t != NULL)
                return t;
        t = xcalloc(1, sizeof(*t));
        snprintf(t->tenant, sizeof(t->tenant), "%s", tenant);
        t->owner = l;
        HASH_ADD_STR(l->tenants, tenant, t);
        return t;
}

static void note_tenant(void *owner, const struct tenant_record *r)
{
        find_or_add_locked(owner, r->name)->exists = true;
}

/* Only between passes: it frees tenants, and the pass points to its next one. */
static void begin_pass_locked(struct lane_counts *l)
{
        for (struct tenant_lanes *t = l->tenants; t != NULL; t = t->hh.next)
                t->exists = false;
        control_each_tenant(l->control, note_tenant, l);
        free_tenants(l, false);
        l->next = l->tenants;
        l->pass_at = clock_mono() + PASS_EVERY;
}

static bool is_due_locked(const struct lane_counts *l)
{
        msec now = clock_mono();

        return now < l->wanted_until && now >= l->pass_at;
}

static void count_next(struct lane_counts *l)
{
        if (!link_is_up(l->counter) || l->outstanding > 0)
                return;
        pthread_mutex_lock(&l->mutex);
        if (l->next == NULL && is_due_locked(l))
                begin_pass_locked(l);
        for (int i = 0; i < TENANTS_AT_ONCE && l->next != NULL; i++) {
                l->outstanding++;
                l->next->in_pass = true;
                queue_counter_count(l->counter, l->next->tenant, on_passed, l->next);
                l->next = l->next->hh.next;
        }
        pthread_mutex_unlock(&l->mutex);
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

/* A lane that the broker does not have is never counted, so its tenant is not. */
static bool is_fresh_locked(const struct tenant_lanes *t, msec since)
{
        for (int i = 0; i < LANE_COUNT; i++)
                if (t->lanes[i].counted_at < since)
                        return false;
        return true;
}

static bool all_answered_locked(struct lane_counts *l, const char *const *tenants, size_t n)
{
        struct tenant_lanes *t = NULL;

        for (size_t i = 0; i < n; i++) {
                HASH_FIND_STR(l->tenants, tenants[i], t);
                if (t != NULL && t->asked > 0)
                        return false;
        }
        return true;
}

void lane_counts_want(struct lane_counts *l, const char *const *tenants, size_t n, msec max_age,
                      msec deadline)
{
        msec since = clock_mono() - max_age;

        if (!link_is_up(l->counter))
                return;
        pthread_mutex_lock(&l->mutex);
        for (size_t i = 0; i < n; i++) {
                struct tenant_lanes *t = find_or_add_locked(l, tenants[i]);
                if (t->asked > 0 || is_fresh_locked(t, since))
                        continue;
                t->asked++;
                queue_counter_count(l->counter, t->tenant, on_asked, t);
        }
        while (!all_answered_locked(l, tenants, n))
                if (!condition_wait(&l->counted, &l->mutex, deadline))
                        break;
        pthread_mutex_unlock(&l->mutex);
}

void lane_counts_of(struct lane_counts *l, const char *tenant, msec max_age,
                    struct lanes_counted *out)
{
        const struct tenant_lanes *t = NULL;
        msec now = clock_mono();
        msec oldest = 0;

        *out = (struct lanes_counted){.at = 0};
        pthread_mutex_lock(&l->mutex);
        HASH_FIND_STR(l->tenants, tenant, t);
        for (int i = 0; i < LANE_COUNT; i++) {
                msec at = t != NULL ? t->lanes[i].counted_at : 0;
                bool is_known = at != 0 && now - at <= max_age;
                out->ready[i] = is_known ? (int64_t)t->lanes[i].jobs : -1;
                if (is_known && (oldest == 0 || at < oldest))
                        oldest = at;
        }
        pthread_mutex_unlock(&l->mutex);
        if (oldest != 0)
                out->at = clock_wall() - (now - oldest);
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
        condition_init(&l->counted);
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
        pthread_cond_destroy(&l->counted);
        pthread_mutex_destroy(&l->mutex);
        free(l);
}
