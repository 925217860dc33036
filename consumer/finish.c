/* SPDX-License-Identifier: Apache-2.0
 *
 * finish.c: publishes an attempt's outcome, then acks or requeues its deliveries.
 */
#include "consumer/finish.h"

#include <assert.h>

#include "common/base/log.h"
#include "consumer/copies.h"
#include "consumer/departure.h"

/* A job requeued this often is held: its delivery limit of 1000 counts that. */
enum { RETURNS_MAX = 500 };

static void encode(const struct publication *p, bool again, msec now, struct job_message *out)
{
        const struct attempt *a =
                (const struct attempt *)((const char *)p - offsetof(struct attempt, publication));

        departure_encode(a, again, now, out);
}

static void on_confirmed(void *owner, struct publication *p)
{
        struct attempt *a = (struct attempt *)((char *)p - offsetof(struct attempt, publication));

        finish_confirmed(owner, a);
}

static void count(struct consumer *c, const struct attempt *a)
{
        const struct measures *ms = &c->measures;
        const char *type = a->job.type;

        switch (a->departure) {
        case DEPART_COMPLETE:
                metric_increment(ms->processed, 1, type, "completed");
                break;
        case DEPART_EXPIRE:
                metric_increment(ms->processed, 1, type, "expired");
                break;
        case DEPART_CANCEL:
                metric_increment(ms->processed, 1, type, "cancelled");
                break;
        case DEPART_RETRY:
                metric_increment(ms->processed, 1, type, "retried");
                metric_increment(ms->failed, 1, type, error_kind_word(a->job.error_kind));
                metric_increment(ms->retries, 1, type);
                break;
        case DEPART_BURY:
                metric_increment(ms->processed, 1, type, "dead");
                metric_increment(ms->failed, 1, type, reason_word(a->job.reason));
                LOG_WARN("job buried", log_text("job", a->job.id),
                         log_text("tenant", a->job.tenant), log_text("type", type),
                         log_int("run", a->job.run), log_int("attempt", a->job.attempt),
                         log_text("reason", reason_word(a->job.reason)),
                         log_bytes("error", a->job.error), log_text("trace", a->job.traceparent));
                break;
        case DEPART_FORGET:
        case DEPART_GIVE_BACK:
        case DEPART_HOP:
        case DEPART_FIRST_HOP:
        case DEPART_LANE:
        case DEPART_PARK: /* when it is confirmed: it may be refused */
                break;
        }
}

void finish_complete(struct consumer *c, struct attempt *a, struct bytes result, msec now)
{
        struct event e;

        attempt_move(a, STATE_LEAVING);
        count(c, a);
        attempt_event(a, EVENT_COMPLETED, now, &e);
        e.content = a->content;
        e.hint = (struct job_hint){.priority = -1, .max_retries = -1};
        memcpy(e.hint.type, a->job.type, sizeof(e.hint.type));
        e.ms = a->took_us / 1000;
        e.result = result;
        events_add(c->events, &e, a);
}

void finish_give_back(struct consumer *c, struct attempt *a, msec now)
{
        msec last_event_at = a->last_event_at;
        struct event e;

        attempt_move(a, STATE_LEAVING);
        a->departure = DEPART_GIVE_BACK;
        attempt_event(a, EVENT_RELEASED, now, &e);
        e.worker = bytes_of_text(c->worker);
        e.after = last_event_at;
        events_add(c->events, &e, a);
}

void finish_expire(struct consumer *c, struct attempt *a, msec now)
{
        struct event e;

        attempt_move(a, STATE_LEAVING);
        a->departure = DEPART_EXPIRE;
        count(c, a);
        attempt_event(a, EVENT_CANCELLED, now, &e);
        e.attempt = 0; /* it was not started */
        e.reason = REASON_EXPIRED;
        attempt_hint(a, &e.hint);
        events_add(c->events, &e, a);
}

/* `by` is known to who has cancelled it, and told by that. */
void finish_cancel(struct consumer *c, struct attempt *a, msec now)
{
        struct event e;
        bool ran = attempt_is_running(a);

        attempt_move(a, STATE_LEAVING);
        a->departure = DEPART_CANCEL;
        count(c, a);
        attempt_event(a, EVENT_CANCELLED, now, &e);
        e.running = ran;
        if (ran) {
                e.content = a->content;
                e.worker = bytes_of_text(c->worker);
        }
        attempt_hint(a, &e.hint);
        events_add(c->events, &e, a);
}

void finish_forget(struct consumer *c, struct attempt *a, msec now)
{
        struct event e;

        attempt_move(a, STATE_LEAVING);
        a->departure = DEPART_FORGET;
        attempt_event(a, EVENT_FORGOTTEN, now, &e);
        events_add(c->events, &e, a);
}

/* Hops and parking are no transitions: the stream is not told, so they have the other link. */
static struct outbox *outbox_for(const struct consumer *c, enum departure d)
{
        return d == DEPART_HOP || d == DEPART_PARK ? c->queue_outbox : c->outbox;
}

static bool comes_again(enum departure d)
{
        return d == DEPART_HOP || d == DEPART_FIRST_HOP || d == DEPART_LANE || d == DEPART_PARK;
}

static bool on_returned(void *owner, struct publication *p)
{
        struct attempt *a = (struct attempt *)((char *)p - offsetof(struct attempt, publication));

        a->refused(owner, a);
        return true;
}

static void post(struct consumer *c, struct attempt *a, refused_fn *refused)
{
        a->refused = refused;
        a->publication = (struct publication){.encode = encode,
                                              .confirmed = on_confirmed,
                                              .returned = refused == NULL ? NULL : on_returned,
                                              .owner = c};
        outbox_post(outbox_for(c, a->departure), &a->publication);
}

void finish_publish_again(struct consumer *c, struct attempt *a)
{
        assert(a->state == STATE_LEAVING);
        count(c, a);
        post(c, a, NULL);
}

void finish_publish(struct consumer *c, struct attempt *a)
{
        finish_publish_or(c, a, NULL);
}

void finish_publish_or(struct consumer *c, struct attempt *a, refused_fn *refused)
{
        attempt_move(a, STATE_LEAVING);
        count(c, a);
        /* The new message may be delivered before its confirm comes. It must not join this attempt:
         * the ack of this attempt would ack it too. */
        if (comes_again(a->departure))
                attempts_rekey(&c->attempts, a);
        post(c, a, refused);
}

void finish_confirmed(void *owner, struct attempt *a)
{
        struct consumer *c = owner;

        if (a->departure == DEPART_PARK)
                metric_increment(c->measures.parked, 1, a->job.type);
        if (a->departure == DEPART_GIVE_BACK) {
                finish_settle(c, a, SETTLE_REQUEUE);
        } else {
                /* For one that comes again the key is that of its message only. */
                finished_add(c->finished, &a->key);
                finish_settle(c, a, SETTLE_ACK);
        }
}

void finish_settle(struct consumer *c, struct attempt *a, enum settle how)
{
        attempt_move(a, STATE_SETTLED);
        attempt_settle(a, how);
        attempts_remove(&c->attempts, a);
        attempt_destroy(&a);
}

void finish_give_limits_back(struct consumer *c, struct attempt *a)
{
        type_slots_release(c->type_slots, a);
        slots_ended(c->slots, a);
        type_rate_put_back(c->type_rate, a);
}

void finish_withdraw(struct consumer *c, struct attempt *a)
{
        switch (a->state) {
        case STATE_ASKED:
                duplicate_check_withdraw(c->duplicate_check, a);
                break;
        case STATE_HELD:
                due_soon_remove(c->due_soon, a);
                break;
        case STATE_WAITING:
                ready_remove(&c->ready, a);
                break;
        case STATE_PICKED:
                if (a->question != NULL) {
                        copies_withdraw(c, a);
                } else {
                        c->picked--;
                        type_slots_withdraw(c->type_slots, a);
                }
                finish_give_limits_back(c, a);
                break;
        case STATE_ARRIVED:
        case STATE_RUNNING:
        case STATE_STOPPING:
        case STATE_LEAVING:
        case STATE_SETTLED:
                break;
        }
}

/* The broker sets x-delivery-count from the first return on; before that a publisher may have. */
bool finish_may_release(const struct attempt *a)
{
        const struct delivery *d = a->delivery;
        bool came_too_often = d->redelivered &&
                              message_header_int(&d->message, "x-delivery-count", 0) >= RETURNS_MAX;

        return attempt_is_unstarted(a) && !came_too_often;
}

void finish_release(struct consumer *c, struct attempt *a)
{
        finish_withdraw(c, a);
        finish_settle(c, a, SETTLE_REQUEUE);
}

void finish_release_all(struct consumer *c, const struct tenant *of)
{
        struct attempt *a, *after;

        HASH_ITER (hh, c->attempts.table, a, after) {
                if (attempt_is_unstarted(a) && (of == NULL || a->queue->tenant == of))
                        finish_release(c, a);
        }
}
