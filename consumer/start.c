/* SPDX-License-Identifier: Apache-2.0
 *
 * start.c: starts the attempts that the scheduler picks, and handles the runner's events.
 */
#include "consumer/start.h"

#include <stdlib.h>

#include "common/base/log.h"
#include "consumer/accept.h"
#include "consumer/copies.h"
#include "consumer/departure.h"
#include "consumer/finish.h"
#include "consumer/flow.h"
#include "consumer/scheduler.h"
#include "consumer/type_limits.h"

static void on_progress(void *owner, double done, struct bytes text)
{
        struct attempt *a = owner;

        progress_note(a->consumer->progress, &a->progress, done, text);
}

static void poll_progress(void *owner, struct attempt *a)
{
        (void)owner;
        run_poll(a->run);
}

/* While the link is down, progress events would only pile up. */
static bool may_publish(void *owner)
{
        const struct consumer *c = owner;

        return link_is_up(c->publish);
}

static void publish_progress(void *owner, struct attempt *a, double done, struct bytes text)
{
        struct consumer *c = owner;
        msec now = clock_wall();
        struct event e;

        /* Later than the last event: of two at the same time a reader may show the older. */
        attempt_event(a, EVENT_PROGRESS, now > a->last_event_at ? now : a->last_event_at + 1, &e);
        e.progress = done;
        e.message = text;
        events_add(c->events, &e, NULL);
}

struct progress *start_progress(struct consumer *c)
{
        const struct progress_config config = {
                .loop = c->loop,
                .poll = poll_progress,
                .may_publish = may_publish,
                .publish = publish_progress,
                .owner = c,
        };

        return progress_create(&config);
}

static void leave(struct consumer *c, struct attempt *a, const struct run_end *end)
{
        msec now = clock_wall();

        departure_decide(a, end, end->outcome == OUTCOME_DONE ? 0 : random_fraction(), now);
        if (a->departure == DEPART_COMPLETE)
                finish_complete(c, a, end->result, now);
        else if (a->departure == DEPART_GIVE_BACK)
                finish_give_back(c, a, now);
        else if (a->departure == DEPART_CANCEL)
                finish_cancel(c, a, now);
        else
                finish_publish(c, a);
}

static void on_ended(void *owner, const struct run_end *end)
{
        struct attempt *a = owner;
        struct consumer *c = a->consumer;
        int64_t now_us = clock_mono_us();

        progress_end(c->progress, &a->progress);
        a->took_us = now_us - a->started_us;
        a->run = NULL;
        type_rate_spend(a); /* if it has not told that it began */
        c->running--;
        c->changed_at = now_us / 1000;
        window_note(&a->queue->window, a->took_us);
        window_note(&c->runs, a->took_us);
        type_limits_ended(c->type_limits, a->handler, a->took_us, c->changed_at);
        metric_observe(c->measures.processing, (double)a->took_us / 1e6, a->job.type);
        leave(c, a, end);
        finish_give_limits_back(c, a); /* later than the time in the event of its end */
        if (!consumer_is_draining(c))
                flow_run_ended(c);
}

static void on_began(void *owner)
{
        struct attempt *a = owner;
        struct consumer *c = a->consumer;
        const struct job *job = &a->job;
        msec since = job->queued_at > 0 ? job->queued_at : job->submitted_at;
        struct event e;

        type_rate_spend(a);
        a->content = event_content(job);
        attempt_event(a, EVENT_STARTED, a->started_at, &e);
        e.content = a->content;
        e.worker = bytes_of_text(c->worker);
        e.redelivered = a->redelivered;
        attempt_hint(a, &e.hint);
        events_add(c->events, &e, NULL);

        if (job->run_at > since)
                since = job->run_at;
        if (since > 0)
                metric_observe(c->measures.wait,
                               a->started_at > since ? (double)(a->started_at - since) / 1e3 : 0,
                               priority_name(job->priority));
}

/* The handler has not run, and no event was published. */
static void on_put_off(void *owner)
{
        struct attempt *a = owner;
        struct consumer *c = a->consumer;

        a->run = NULL;
        finish_give_limits_back(c, a);
        c->running--;
        if (!consumer_is_draining(c))
                flow_run_ended(c);
        if (!consumer_is_draining(c) && a->state == STATE_RUNNING && attempt_is_live(a)) {
                accept_take_back(c, a);
                return;
        }
        if (a->state == STATE_RUNNING)
                attempt_move(a, STATE_STOPPING);
        finish_settle(c, a, SETTLE_REQUEUE);
}

static const struct run_events run_events = {
        .progress = on_progress,
        .ended = on_ended,
        .began = on_began,
        .put_off = on_put_off,
};

/* A handler that cannot be started: the attempt has failed. */
static void fail_start(struct consumer *c, struct attempt *a, const struct err *why)
{
        const struct run_end end = {
                .outcome = OUTCOME_RETRY,
                .error_kind = ERROR_KIND_ERROR,
                .error = bytes_of_text(why->text),
        };

        LOG_WARN("a handler could not be started", log_text("job", a->job.id),
                 log_text("type", a->job.type), log_err(why));
        attempt_move(a, STATE_RUNNING);
        finish_give_limits_back(c, a);
        leave(c, a, &end);
}

/* It has a worker and what its limits ask for, and cannot start. */
static void wait_again(struct consumer *c, struct attempt *a)
{
        finish_give_limits_back(c, a);
        if (a->state == STATE_PICKED) {
                struct tenant *t = a->queue->tenant;
                accept_take_back(c, a);
                t->passed_over = t->waiting_count > 0; /* not when its last job here hops */
                scheduler_give_turn(&c->ready, t);
                return;
        }
        handlers_destroy(&a->set);
        ready_put_back(&c->ready, a);
}

/* True: it has expired, and leaves unrun. Its limits are for others. */
static bool leaves_expired(struct consumer *c, struct attempt *a)
{
        msec now = clock_wall();

        if (!job_has_expired(&a->job, now))
                return false;
        finish_give_limits_back(c, a);
        finish_expire(c, a, now);
        return true;
}

/* False: there was no room, and the attempt waits again. */
static bool run(struct consumer *c, struct attempt *a)
{
        const struct handler *h = a->handler;
        const struct run_request request = {
                .job = &a->job,
                .handler = h,
                .redelivered = a->redelivered,
                .timeout = a->job.timeout > 0 ? a->job.timeout : h->timeout,
        };
        struct err why = {0};

        if (leaves_expired(c, a) || copies_ask(c, a))
                return true;
        a->job.attempt = a->number - 1;
        a->started_us = clock_mono_us();
        a->started_at = clock_wall();
        a->run = runner_start(c->runner, &request, &run_events, a, &why);
        if (a->run == NULL && why.code == ERR_FULL) {
                wait_again(c, a);
                return false;
        }
        c->changed_at = a->started_us / 1000;
        if (a->run == NULL) {
                fail_start(c, a, &why);
                return true;
        }
        attempt_move(a, STATE_RUNNING);
        c->running++;
        type_limits_started(c->type_limits, h, c->changed_at);
        return true;
}

/* The order is that of the design: what waits for the type's slot holds the tenant's, so a full
 * type harms the tenants of its jobs alone, and what waits for the rate holds none. */
static bool start(struct consumer *c, struct attempt *a)
{
        if (leaves_expired(c, a))
                return true;
        type_rate_take(c->type_rate, a);
        slots_started(c->slots, a);
        a->set = handlers_ref(a->handler->set);
        if (type_slots_take(c->type_slots, a) == TYPE_SLOT_HAS)
                return run(c, a);
        attempt_move(a, STATE_PICKED);
        c->picked++;
        return true;
}

/* accept_review has not seen it since it was picked. */
static bool has_changed(const struct consumer *c, const struct attempt *a)
{
        return a->handler != handlers_find(c->handlers, a->job.type) ||
               control_pause(c->control, a->job.tenant, a->job.type, NULL) != PAUSE_NONE;
}

/* PICKED: it still holds its tokens, and may run here. */
static bool may_start(const struct consumer *c, const struct attempt *a)
{
        return !slots_were_away(c->slots) && !slots_lost(a) && !type_slots_lost(a) &&
               !has_changed(c, a);
}

void start_answered(void *owner, struct attempt *a, bool got)
{
        struct consumer *c = owner;

        c->picked--;
        if (got && may_start(c, a))
                run(c, a);
        else
                wait_again(c, a);
}

void start_checked(void *owner, struct attempt *a, const struct duplicate_answer *answer)
{
        struct consumer *c = owner;
        enum duplicate_step step = accept_judge(c, a, answer);
        bool runs = step == DUPLICATE_RUN || step == DUPLICATE_RUN_AGAIN;

        if (a->state != STATE_PICKED) {
                accept_judged(c, a, answer, step);
                return;
        }
        copies_answered(c, a);
        if (runs && may_start(c, a)) {
                run(c, a);
        } else if (runs) {
                wait_again(c, a);
        } else {
                finish_give_limits_back(c, a);
                accept_judged(c, a, answer, step);
        }
}

/* Of the runner, beside those that are to start when they are answered. */
static unsigned room_left(const struct consumer *c, const struct handler *h)
{
        unsigned asked = c->asked == NULL ? 0 : copies_count(c, h);
        unsigned room = runner_room(c->runner, h);

        return room > asked ? room - asked : 0;
}

bool start_has_room(void *owner, const struct handler *h)
{
        const struct consumer *c = owner;

        return runner_has_room(c->runner, h) && (c->asked == NULL || room_left(c, h) > 0) &&
               type_slots_have_room(c->type_slots, h) && type_rate_has_room(c->type_rate, h);
}

static unsigned least(unsigned a, unsigned b)
{
        return a < b ? a : b;
}

unsigned start_room(void *owner, const struct handler *h)
{
        const struct consumer *c = owner;

        if (!start_has_room(owner, h))
                return 0;
        unsigned limits = least(type_slots_room(c->type_slots, h), type_rate_room(c->type_rate, h));

        return least(room_left(c, h), limits);
}

bool start_is_limited(void *owner, const struct handler *h)
{
        const struct consumer *c = owner;

        return h->concurrency > 0 || type_slots_limit(c->type_slots, h->type) > 0 ||
               type_rate_is_limited(c->type_rate, h->type);
}

/* After the starts of a turn of the loop. */
static void settle_limits(struct consumer *c, unsigned free)
{
        slots_settle(c->slots, free);
        type_slots_turn(c->type_slots, free);
        type_rate_turn(c->type_rate, &c->ready, free);
}

/* Its tokens may be others' by now. What asks for its type's slot, or about its copies, gives back
 * the rest first. */
static void return_after_stop(struct consumer *c)
{
        while (c->asked != NULL) {
                struct attempt *a = c->asked;
                copies_withdraw(c, a);
                wait_again(c, a);
        }
        type_slots_away(c->type_slots);
        type_rate_away(c->type_rate);
}

void start_ready(struct consumer *c)
{
        unsigned workers = (unsigned)c->settings->concurrency;

        if (consumer_is_draining(c)) {
                settle_limits(c, 0);
                return;
        }
        if (slots_were_away(c->slots)) {
                return_after_stop(c);
                marks_follow_stood_still(c->marks_follow);
        }
        slots_turn(c->slots);
        if (!c->gathering && c->running + c->picked < workers && slots_keep_worker(c->slots))
                workers--;
        while (!c->gathering && c->running + c->picked < workers && c->ready.count > 0) {
                struct attempt *a = scheduler_pick(&c->ready, start_has_room, c);
                if (a == NULL || !start(c, a))
                        break;
        }
        settle_limits(c, c->gathering ? 0 : workers - c->running - c->picked);
}
