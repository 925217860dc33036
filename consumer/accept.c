/* SPDX-License-Identifier: Apache-2.0
 *
 * accept.c: what happens to a delivery: it joins its attempt that is here already, or is acked as
 * known, dropped by its mark, sent on, parked, buried, checked for a duplicate, held until due, or
 * waits for a worker.
 */
#include "consumer/accept.h"

#include <assert.h>

#include "common/base/log.h"
#include "common/model/delay.h"
#include "consumer/departure.h"
#include "consumer/finish.h"
#include "consumer/next_step.h"
#include "consumer/park.h"
#include "consumer/type_limits.h"

static void hop(struct consumer *c, struct attempt *a, enum hop_why why, msec wanted)
{
        msec wait = hops_wait(c->hops, a->job.type, why, wanted, clock_mono());

        metric_increment(c->measures.hops, 1, hop_why_word(why));
        departure_hop(a, wait, clock_wall());
        finish_publish(c, a);
}

static struct duplicate_view view_of(const struct consumer *c, const struct attempt *a,
                                     enum mark_verdict mark)
{
        return (struct duplicate_view){
                .redelivered = a->delivery->redelivered,
                .reconnected = c->ups > 1 && clock_mono() - c->reconnected_at < DUPLICATE_RECONNECT,
                .unmarked = mark == MARK_ASK || a->unmarked,
                .marks_keep = c->settings->marks_keep,
        };
}

static bool is_possible_duplicate(const struct consumer *c, const struct attempt *a, msec now)
{
        const struct duplicate_view view = view_of(c, a, marks_judge(c->marks, &a->job));

        return duplicate_is_possible(&a->job, &view, now);
}

static bool is_stale(const struct consumer *c, const struct attempt *a, enum mark_verdict mark,
                     msec now)
{
        const struct duplicate_view view = view_of(c, a, mark);

        return !a->checked && duplicate_is_stale(&a->job, &view, now);
}

/* While it hopped, a copy of it may have run. */
static bool is_suspect(const struct consumer *c, const struct attempt *a, msec now)
{
        if (a->checked)
                return false;
        return is_possible_duplicate(c, a, now) ||
               (a->job.hop &&
                duplicate_asks_for_copies(&a->job, duplicate_check_last(c->duplicate_check)));
}

static void bury_unhandled(struct consumer *c, struct attempt *a, msec now)
{
        char text[256];

        snprintf(text, sizeof(text),
                 "no handler for type %s: for %lld s no live consumer had one in its handlers.json",
                 a->job.type, (long long)((now - a->job.unhandled_at) / MSEC_SECOND));
        departure_bury(a, REASON_NO_HANDLER, bytes_of_text(text));
        finish_publish(c, a);
}

static void wait_for_worker(struct consumer *c, struct attempt *a, const struct handler *h)
{
        if (type_limits_takes(c, a, h))
                return;
        attempt_move(a, STATE_WAITING);
        a->handler = h;
        ready_add(&c->ready, a);
}

static msec hold_of(const struct consumer *c, const struct tenant_queue *f)
{
        unsigned most = window_hold_most(&f->window, (unsigned)c->settings->concurrency);

        return f->due < most ? DELAY_HOLD_LONGEST : DELAY_HOLD_MAX;
}

static enum pause pause_of(const struct consumer *c, const struct attempt *a)
{
        return control_pause(c->control, a->job.tenant, a->job.type, NULL);
}

static struct next next_of(struct consumer *c, struct attempt *a, const struct handler *h, msec now)
{
        enum mark_verdict mark = marks_judge(c->marks, &a->job);
        struct next_view view = {
                .job = &a->job,
                .handler = h,
                .paused = pause_of(c, a) != PAUSE_NONE,
                .mark = mark,
                .stale = is_stale(c, a, mark, now),
                .suspect = is_suspect(c, a, now),
                .hold = hold_of(c, a->queue),
                .unhandled_max = c->settings->no_handler_wait,
        };
        struct next next = next_step(&view, now);

        if (next.step != NEXT_ASK_WHO)
                return next;
        view.looked_up = true;
        view.by = elsewhere_look(c->elsewhere, a->job.type, &view.fresh);
        return next_step(&view, now);
}

/* Decides what an attempt that has not started does next, and does it. */
static void go_on(struct consumer *c, struct attempt *a, msec now)
{
        const struct handler *h = handlers_find(c->handlers, a->job.type);
        const struct next next = next_of(c, a, h, now);

        a->job.unhandled_at = next.unhandled_at;
        switch (next.step) {
        case NEXT_CANCEL:
                finish_cancel(c, a, now);
                return;
        case NEXT_DROP:
                finish_settle(c, a, SETTLE_ACK);
                return;
        case NEXT_EXPIRE:
                finish_expire(c, a, now);
                return;
        case NEXT_DELAY:
                departure_delay(a);
                finish_publish(c, a);
                return;
        case NEXT_MOVE_TO_LONG:
                departure_move_to_long(a);
                finish_publish(c, a);
                return;
        case NEXT_PARK:
                park(c, a, pause_of(c, a));
                return;
        case NEXT_HOP:
                hop(c, a, next.why, next.wait);
                return;
        case NEXT_ASK_WHO:
                assert(!"it was looked up");
                return;
        case NEXT_ASK_DUPLICATE:
                attempt_move(a, STATE_ASKED);
                duplicate_check_ask(c->duplicate_check, a);
                return;
        case NEXT_BURY_UNHANDLED:
                bury_unhandled(c, a, now);
                return;
        case NEXT_HOLD:
                attempt_move(a, STATE_HELD);
                due_soon_add(c->due_soon, a);
                subscriptions_make_room(c->subscriptions, a->queue);
                return;
        case NEXT_WAIT:
                wait_for_worker(c, a, h);
                return;
        }
}

/* Checked with each delivery, not once a turn: over the limit, deliveries already received for a
 * queue that is then unsubscribed are requeued. flow.c lifts the limit again. */
static void limit_bytes(struct consumer *c)
{
        if (c->attempts.bytes > (size_t)c->settings->held_max)
                subscriptions_set_full(c->subscriptions, true);
}

static struct attempt *admit(struct consumer *c, const struct job *job, struct tenant_queue *f,
                             struct delivery **d)
{
        struct attempt *a = attempt_create(job, f, d, clock_mono());

        a->consumer = c;
        attempts_add(&c->attempts, a);
        limit_bytes(c);
        return a;
}

/* Another delivery of an attempt that is here: it is settled together with it. */
static void join(struct consumer *c, struct attempt *a, struct tenant_queue *f, struct delivery **d)
{
        if (attempt_is_running(a))
                LOG_INFO("a job was redelivered while its attempt runs here; it runs once",
                         log_text("job", a->job.id), log_int("attempt", a->number));
        attempts_join(&c->attempts, a, f, d);
        limit_bytes(c);
}

/* True, and takes the delivery: its attempt is here, or was finished here and only the ack was
 * lost. A redelivery is also looked up by its message key: a hop is finished under that alone. */
static bool is_known(struct consumer *c, const struct job *job, struct tenant_queue *f,
                     struct delivery **d)
{
        struct attempt_key keys[2];
        int count = (*d)->redelivered ? 2 : 1;

        attempt_key_of(job, &keys[0]);
        attempt_key_of_message(job, &keys[1]);
        for (int i = 0; i < count; i++) {
                struct attempt *here = attempts_find(&c->attempts, &keys[i]);
                if (here != NULL) {
                        join(c, here, f, d);
                        return true;
                }
        }
        for (int i = 0; i < count; i++) {
                if (finished_has(c->finished, &keys[i])) {
                        metric_increment(c->measures.checked, 1, "remembered");
                        link_settle(d, SETTLE_ACK);
                        return true;
                }
        }
        return false;
}

static void bury_malformed(struct consumer *c, struct job *job, struct tenant_queue *f,
                           struct delivery **d, const struct err *why)
{
        AUTO_BUFFER text = {0};
        size_t properties = (*d)->message.properties.length;

        buffer_add_text(&text, why->text);
        if (properties > JOB_ORIGINAL_MAX)
                buffer_printf(&text, "; of its %zu bytes of properties the first %d are kept",
                              properties, JOB_ORIGINAL_MAX);
        departure_prepare_malformed(job, f, &(*d)->message);
        if (is_known(c, job, f, d))
                return;
        struct attempt *a = admit(c, job, f, d);
        departure_bury(a, REASON_MALFORMED, buffer_bytes(&text));
        finish_publish(c, a);
}

void accept_delivery(void *owner, struct tenant_queue *f, struct delivery *d)
{
        struct consumer *c = owner;
        const struct job_limits limits = {.payload_max = (size_t)c->settings->payload_max};
        msec now = clock_wall();
        struct job job;
        struct err why = {0};

        if (consumer_is_draining(c)) {
                link_settle(&d, SETTLE_REQUEUE);
                return;
        }
        if (job_decode(&d->message, &limits, now, &job, &why) != 0) {
                bury_malformed(c, &job, f, &d, &why);
                return;
        }
        /* The tenant is the queue's, whatever the message says. */
        memcpy(job.tenant, f->tenant->name, sizeof(job.tenant));
        job.lane = f->lane;
        if (is_known(c, &job, f, &d))
                return;
        go_on(c, admit(c, &job, f, &d), now);
}

/* The first burial may be in the stream only: the broker died between its writes to stream and
 * queue, then the consumer before it published again. This delivery is then the only copy left. */
static void bury_again(struct consumer *c, struct attempt *a, const struct duplicate_answer *was)
{
        departure_bury_again(a, was->reason, was->error_kind, buffer_bytes(&was->error));
        finish_publish(c, a);
}

static void bury_poison(struct consumer *c, struct attempt *a, int64_t starts)
{
        char text[128];

        snprintf(text, sizeof(text), "started %lld times by workers that died", (long long)starts);
        a->job.attempt = a->number;
        departure_bury(a, REASON_POISON, bytes_of_text(text));
        finish_publish(c, a);
}

/* Another copy of it does. The store does not know that before its handler has begun. */
static bool runs_here(const struct consumer *c, const struct attempt *a,
                      const struct duplicate_answer *answer, enum duplicate_step step)
{
        bool starts = step == DUPLICATE_RUN || step == DUPLICATE_RUN_AGAIN;

        return starts && (a->job.copy > 0 || answer->state == DUPLICATE_RUNNING) &&
               attempts_other_copy_runs(&c->attempts, a);
}

/* Marks that came since it was accepted here are known: only what comes is old. */
static enum duplicate_doubt doubt_of(const struct consumer *c, const struct attempt *a, msec now)
{
        if (a->state == STATE_ASKED && !a->checked &&
            duplicate_outlives_marks(&a->job, c->settings->marks_keep, now))
                return DOUBT_OLD;
        bool possible = is_possible_duplicate(c, a, now) || marks_follow_is_blind(c->marks_follow);
        return possible ? DOUBT_POSSIBLE : DOUBT_KEY;
}

enum duplicate_step accept_judge(struct consumer *c, struct attempt *a,
                                 const struct duplicate_answer *answer)
{
        static const char *const verdicts[] = {
                [DUPLICATE_RUN] = "run",         [DUPLICATE_RUN_AGAIN] = "run_again",
                [DUPLICATE_DROP] = "dropped",    [DUPLICATE_WAIT] = "wait",
                [DUPLICATE_BURY] = "poison",     [DUPLICATE_BURY_AGAIN] = "buried",
                [DUPLICATE_POSTPONE] = "behind",
        };
        enum duplicate_step step = duplicate_judge(answer, c->worker, doubt_of(c, a, clock_wall()));

        if (runs_here(c, a, answer, step))
                step = DUPLICATE_WAIT;
        metric_increment(c->measures.checked, 1, verdicts[step]);
        a->checked = true;
        a->unmarked = false;
        a->unseen_since = a->answered_at = clock_mono();
        a->redelivered = a->redelivered || step == DUPLICATE_RUN_AGAIN || step == DUPLICATE_WAIT ||
                         step == DUPLICATE_POSTPONE;
        return step;
}

void accept_judged(struct consumer *c, struct attempt *a, const struct duplicate_answer *answer,
                   enum duplicate_step step)
{
        switch (step) {
        case DUPLICATE_RUN_AGAIN:
        case DUPLICATE_RUN:
                go_on(c, a, clock_wall());
                break;
        case DUPLICATE_DROP:
                if (answer->forget)
                        finish_forget(c, a, clock_wall());
                else
                        finish_settle(c, a, SETTLE_ACK);
                break;
        case DUPLICATE_WAIT:
        case DUPLICATE_POSTPONE:
                departure_hop(a, duplicate_hop(answer), clock_wall());
                finish_publish(c, a);
                break;
        case DUPLICATE_BURY:
                bury_poison(c, a, answer->starts);
                break;
        case DUPLICATE_BURY_AGAIN:
                bury_again(c, a, answer);
                break;
        }
}

void accept_due(void *owner, struct attempt *a)
{
        struct consumer *c = owner;

        /* No copy of it starts before it is due. */
        if (!a->job.again)
                a->unseen_since = clock_mono();
        go_on(c, a, clock_wall());
}

static void review(void *owner, struct attempt *a)
{
        struct consumer *c = owner;
        const struct handler *h = handlers_find(c->handlers, a->job.type);
        enum pause pause = pause_of(c, a);

        if (h != NULL && pause == PAUSE_NONE) {
                a->handler = h;
                return;
        }
        ready_remove(&c->ready, a);
        if (pause == PAUSE_NONE) {
                hop(c, a, HOP_UNKNOWN, 0); /* checked again when it comes back */
                return;
        }
        a->job.unhandled_at = 0;
        park(c, a, pause);
}

void accept_take_back(struct consumer *c, struct attempt *a)
{
        attempt_move(a, STATE_WAITING);
        handlers_destroy(&a->set);
        ready_put_back(&c->ready, a);
        review(c, a);
}

void accept_review(struct consumer *c)
{
        ready_each(&c->ready, review, c);
}
