/* SPDX-License-Identifier: Apache-2.0
 *
 * attempt.c: an attempt's life, and its deliveries.
 */
#include "consumer/attempt.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/base/memory.h"

/* Another delivery of an attempt: redelivered after a lost connection, or published twice. */
struct redelivery {
        struct delivery *delivery;
        struct tenant_queue *queue;
        struct redelivery *next;
};

void attempt_move(struct attempt *a, enum attempt_state to)
{
        assert(attempt_may_move(a->state, to));
        a->state = to;
}

void attempt_stop(struct attempt *a, enum stop_reason why)
{
        a->stopped_for = why;
        if (a->state == STATE_STOPPING)
                return;
        attempt_move(a, STATE_STOPPING);
        run_stop(a->run, a->handler->grace);
}

bool attempt_is_running(const struct attempt *a)
{
        return a->state == STATE_RUNNING || a->state == STATE_STOPPING;
}

bool attempt_is_unstarted(const struct attempt *a)
{
        return a->state == STATE_ASKED || a->state == STATE_HELD || a->state == STATE_WAITING ||
               a->state == STATE_PICKED;
}

static size_t delivery_size(const struct delivery *d)
{
        return sizeof(*d) + d->message.body.length + d->message.properties.length;
}

struct attempt *attempt_create(const struct job *job, struct tenant_queue *queue,
                               struct delivery **d, msec mono_now)
{
        struct attempt *a = xcalloc(1, sizeof(*a));

        a->job = *job;
        a->number = job->attempt + 1;
        attempt_key_of(job, &a->key);
        a->queue = queue;
        a->delivery = *d;
        a->bytes = sizeof(*a) + delivery_size(*d);
        a->redelivered = (*d)->redelivered || job->again;
        a->arrived_at = a->unseen_since = mono_now;
        a->progress.attempt = a;
        *d = NULL;
        queue->held++;
        queue->tenant->attempts++;
        return a;
}

void attempt_destroy(struct attempt **a)
{
        if (*a == NULL)
                return;
        assert((*a)->delivery == NULL && (*a)->redeliveries == NULL);
        (*a)->queue->tenant->attempts--;
        handlers_destroy(&(*a)->set);
        buffer_fini(&(*a)->error);
        buffer_fini(&(*a)->progress.text);
        free(*a);
        *a = NULL;
}

static void settle_redelivery(struct redelivery *r, enum settle how)
{
        r->queue->held--;
        link_settle(&r->delivery, how);
        free(r);
}

static void drop_dead_redeliveries(struct attempt *a)
{
        struct redelivery *r, *next;

        LL_FOREACH_SAFE (a->redeliveries, r, next) {
                if (delivery_is_live(r->delivery))
                        continue;
                LL_DELETE(a->redeliveries, r);
                a->bytes -= delivery_size(r->delivery);
                settle_redelivery(r, SETTLE_ACK);
        }
}

void attempt_join(struct attempt *a, struct tenant_queue *queue, struct delivery **d)
{
        struct redelivery *r = xcalloc(1, sizeof(*r));

        assert(queue->tenant == a->queue->tenant);
        drop_dead_redeliveries(a);
        a->bytes += delivery_size(*d);
        r->delivery = *d;
        r->queue = queue;
        LL_PREPEND(a->redeliveries, r);
        queue->held++;
        *d = NULL;
}

void attempt_settle(struct attempt *a, enum settle how)
{
        while (a->redeliveries != NULL) {
                struct redelivery *r = a->redeliveries;
                a->redeliveries = r->next;
                settle_redelivery(r, how);
        }
        if (a->delivery != NULL) {
                a->queue->held--;
                link_settle(&a->delivery, how);
        }
}

bool attempt_is_live(const struct attempt *a)
{
        if (a->delivery != NULL && delivery_is_live(a->delivery))
                return true;
        for (const struct redelivery *r = a->redeliveries; r != NULL; r = r->next)
                if (delivery_is_live(r->delivery))
                        return true;
        return false;
}

void attempt_event(struct attempt *a, enum event_kind kind, msec at, struct event *out)
{
        *out = (struct event){
                .kind = kind,
                .run = a->job.run,
                .attempt = a->number,
                .copy = a->job.copy,
                .at = at,
        };
        memcpy(out->id, a->job.id, sizeof(out->id));
        memcpy(out->tenant, a->job.tenant, sizeof(out->tenant));
        if (at > a->last_event_at)
                a->last_event_at = at;
}

void attempt_hint(const struct attempt *a, struct job_hint *out)
{
        const struct job *job = &a->job;

        *out = (struct job_hint){
                .priority = job->priority,
                .max_retries = job->max_retries,
                .submitted_at = job->submitted_at,
                .run_at = job->hop ? 0 : job->run_at, /* a hop's end is no time of the job */
                .expires_at = job->expires_at,
        };
        memcpy(out->type, job->type, sizeof(out->type));
        memcpy(out->traceparent, job->traceparent, sizeof(out->traceparent));
}
