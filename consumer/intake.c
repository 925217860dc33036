/* SPDX-License-Identifier: Apache-2.0
 *
 * intake.c: what becomes of a delivery: it joins one that is here already, is dropped, sent on,
 * buried, asked about, held until its time, or waits for a worker.
 */
#include "consumer/core.h"

#include "common/base/log.h"
#include "common/model/delay.h"
#include "consumer/elsewhere.h"
#include "consumer/hops.h"
#include "consumer/intake_step.h"
#include "consumer/outcome.h"
#include "consumer/overflow.h"

static void wait_for_worker(struct consumer *c, struct attempt *a, const struct handler *h)
{
        if (overflow_takes(c, a, h))
                return;
        attempt_move(a, STATE_WAITING);
        a->handler = h;
        inbox_add(&c->inbox, a);
}

static void hop(struct consumer *c, struct attempt *a, enum hop_why why, msec wanted)
{
        msec wait = hops_wait(c->hops, a->job.type, why, wanted, clock_mono());

        metric_increment(c->measures.hops, 1, hop_why_word(why));
        outcome_hop(a, wait, clock_wall());
        leaving_begin(c, a);
}

static bool is_suspect(const struct consumer *c, const struct attempt *a, msec now)
{
        const struct guard_view v = {
                .redelivered = a->delivery->redelivered,
                .again = a->job.again,
                .attempt = a->job.attempt,
                .reconnected = c->ups > 1 && clock_mono() - c->reconnected_at < GUARD_RECONNECT,
                .queued_at = a->job.queued_at,
                .submitted_at = a->job.submitted_at,
        };

        return !a->guarded && guard_is_wanted(&v, now);
}

static void ask(struct consumer *c, struct attempt *a)
{
        attempt_move(a, STATE_ASKED);
        inquiry_ask(c->inquiry, a);
}

static void bury_unhandled(struct consumer *c, struct attempt *a, msec now)
{
        char text[256];

        if (is_suspect(c, a, now)) {
                ask(c, a);
                return;
        }
        snprintf(
                text, sizeof(text),
                "no handler for type %s: for %lld s no live consumer's handlers.json has mapped it",
                a->job.type, (long long)((now - a->job.unhandled_at) / MSEC_SECOND));
        outcome_bury(a, REASON_NO_HANDLER, bytes_of_text(text));
        leaving_begin(c, a);
}

/* No handler for it is here. */
static void pass_on(struct consumer *c, struct attempt *a, msec now)
{
        bool fresh;
        enum handled by = elsewhere_look(c->elsewhere, a->job.type, &fresh);
        msec since = a->job.unhandled_at;

        if (by == HANDLED_ELSEWHERE)
                since = 0;
        else if (by == HANDLED_BY_NONE && (since == 0 || since > now))
                since = now;
        a->job.unhandled_at = since;
        const struct handled_view view = {
                .by = by,
                .fresh = fresh,
                .since = since,
                .limit = c->settings->no_handler_wait,
                .last = hops_last(&a->job),
        };
        msec wanted;
        switch (unhandled_judge(&view, now, &wanted)) {
        case UNHANDLED_BURY:
                bury_unhandled(c, a, now);
                return;
        case UNHANDLED_ELSEWHERE:
                hop(c, a, HOP_ELSEWHERE, wanted);
                return;
        case UNHANDLED_UNKNOWN:
                hop(c, a, HOP_UNKNOWN, wanted);
                return;
        case UNHANDLED_WAIT:
                hop(c, a, HOP_UNHANDLED, wanted);
                return;
        }
}

static void hop_paused(struct consumer *c, struct attempt *a)
{
        a->job.unhandled_at = 0;
        hop(c, a, HOP_PAUSED, 0);
}

/* Decides what an attempt that has not started does next. */
static void consider(struct consumer *c, struct attempt *a, msec now)
{
        const struct handler *h = handlers_find(c->handlers, a->job.type);
        const struct intake_view view = {
                .job = &a->job,
                .handler = h,
                .paused = control_type_is_paused(c->control, a->job.type),
                .suspect = is_suspect(c, a, now),
        };

        if (h != NULL)
                a->job.unhandled_at = 0;
        switch (intake_step(&view, now)) {
        case INTAKE_TRAVEL:
                outcome_travel(a);
                leaving_begin(c, a);
                return;
        case INTAKE_NO_HANDLER:
                if (view.paused)
                        hop_paused(c, a);
                else
                        pass_on(c, a, now);
                return;
        case INTAKE_LANE:
                outcome_move_to_long(a);
                leaving_begin(c, a);
                return;
        case INTAKE_PAUSED:
                hop_paused(c, a);
                return;
        case INTAKE_ASK:
                ask(c, a);
                return;
        case INTAKE_HOLD:
                attempt_move(a, STATE_HELD);
                holding_add(c->holding, a);
                return;
        case INTAKE_RUN:
                wait_for_worker(c, a, h);
                return;
        }
}

static struct attempt *admit(struct consumer *c, const struct job *job, struct feed *f,
                             struct delivery **d)
{
        struct attempt *a = attempt_create(job, f, d, clock_mono());

        a->consumer = c;
        HASH_ADD(hh, c->attempts, key, sizeof(a->key), a);
        c->held++;
        c->held_bytes += a->bytes;
        leaving_account(c);
        return a;
}

/* Another delivery of an attempt that is here: settled with it. */
static void join(struct consumer *c, struct attempt *a, struct feed *f, struct delivery **d)
{
        if (attempt_is_running(a))
                LOG_INFO("a redelivery joins the attempt that runs here",
                         log_text("job", a->job.id), log_int("attempt", a->number));
        c->held_bytes -= a->bytes;
        attempt_join(a, f, d);
        c->held_bytes += a->bytes;
}

/* The attempt of this delivery, if it is here. */
static struct attempt *find(const struct consumer *c, const struct attempt_key *key)
{
        struct attempt *found;

        HASH_FIND(hh, c->attempts, key, sizeof(*key), found);
        return found;
}

/* Takes a delivery whose attempt is here, or was finished here and only its ack was lost. What was
 * sent on under the same attempt is known by its message, and only when that is redelivered. */
static bool is_known(struct consumer *c, const struct job *job, struct feed *f, struct delivery **d)
{
        struct attempt_key keys[2];
        int count = (*d)->redelivered ? 2 : 1;

        attempt_key_of(job, &keys[0]);
        attempt_key_of_message(job, &keys[1]);
        for (int i = 0; i < count; i++) {
                struct attempt *here = find(c, &keys[i]);
                if (here != NULL) {
                        join(c, here, f, d);
                        return true;
                }
        }
        for (int i = 0; i < count; i++) {
                if (recent_has(c->recent, &keys[i])) {
                        metric_increment(c->measures.guarded, 1, "remembered");
                        link_settle(d, SETTLE_ACK);
                        return true;
                }
        }
        return false;
}

/* It is told what of the properties a burial has no room for. */
static void explain_malformed(const struct message *m, const struct err *why, struct buffer *text)
{
        buffer_add_text(text, why->text);
        if (m->properties.length > JOB_ORIGINAL_MAX)
                buffer_printf(text, "; of its %zu bytes of properties the first %d are kept",
                              m->properties.length, JOB_ORIGINAL_MAX);
}

static void bury_malformed(struct consumer *c, struct job *job, struct feed *f, struct delivery **d,
                           const struct err *why)
{
        AUTO_BUFFER text = {0};

        explain_malformed(&(*d)->message, why, &text);
        outcome_disown(job, f, &(*d)->message);
        if (is_known(c, job, f, d))
                return;
        struct attempt *a = admit(c, job, f, d);
        outcome_bury(a, REASON_MALFORMED, buffer_bytes(&text));
        leaving_begin(c, a);
}

void intake_delivery(void *owner, struct feed *f, struct delivery *d)
{
        struct consumer *c = owner;
        const struct job_limits limits = {.payload_max = (size_t)c->settings->payload_max};
        msec now = clock_wall();
        struct job job;
        struct err why = {0};

        if (c->draining) {
                link_settle(&d, SETTLE_REQUEUE);
                return;
        }
        if (job_decode(&d->message, &limits, now, &job, &why) != 0) {
                bury_malformed(c, &job, f, &d, &why);
                return;
        }
        /* What it is called on its way does not matter: it is the queue's tenant's. */
        memcpy(job.tenant, f->tenant->name, sizeof(job.tenant));
        job.lane = f->lane;
        if (is_known(c, &job, f, &d))
                return;
        consider(c, admit(c, &job, f, &d), now);
        work_dispatch(c);
}

/* The first burial may be in the stream alone (the broker died between its two writes, the consumer
 * before it made them again): this delivery is then all that is left to replay. */
static void bury_again(struct consumer *c, struct attempt *a, const struct guard_answer *was)
{
        outcome_bury_again(a, was->reason, was->error_kind, buffer_bytes(&was->error));
        leaving_begin(c, a);
}

static void bury_poison(struct consumer *c, struct attempt *a, int64_t starts)
{
        char text[128];

        snprintf(text, sizeof(text), "started %lld times by workers that died", (long long)starts);
        a->job.attempt = a->number;
        outcome_bury(a, REASON_POISON, bytes_of_text(text));
        leaving_begin(c, a);
}

void intake_answered(void *owner, struct attempt *a, const struct guard_answer *answer)
{
        static const char *const verdicts[] = {
                [GUARD_RUN] = "run",         [GUARD_RUN_AGAIN] = "run_again",
                [GUARD_DROP] = "dropped",    [GUARD_WAIT] = "wait",
                [GUARD_BURY] = "poison",     [GUARD_BURY_AGAIN] = "buried",
                [GUARD_POSTPONE] = "behind",
        };
        struct consumer *c = owner;
        enum guard_step step = guard_judge(answer, c->worker);

        metric_increment(c->measures.guarded, 1, verdicts[step]);
        a->guarded = true;
        switch (step) {
        case GUARD_RUN_AGAIN:
                a->redelivered = true;
                consider(c, a, clock_wall());
                break;
        case GUARD_RUN:
                consider(c, a, clock_wall());
                break;
        case GUARD_DROP:
                leaving_end(c, a, SETTLE_ACK);
                break;
        case GUARD_WAIT:
        case GUARD_POSTPONE:
                a->redelivered = true;
                outcome_hop(a, guard_hop(answer), clock_wall());
                leaving_begin(c, a);
                break;
        case GUARD_BURY:
                bury_poison(c, a, answer->starts);
                break;
        case GUARD_BURY_AGAIN:
                bury_again(c, a, answer);
                break;
        }
        work_dispatch(c);
}

void intake_due(void *owner, struct attempt *a)
{
        struct consumer *c = owner;

        consider(c, a, clock_wall());
        work_dispatch(c);
}

void intake_withdraw(struct consumer *c, struct attempt *a)
{
        switch (a->state) {
        case STATE_ASKED:
                inquiry_withdraw(c->inquiry, a);
                break;
        case STATE_HELD:
                holding_remove(c->holding, a);
                break;
        case STATE_WAITING:
                inbox_remove(&c->inbox, a);
                break;
        case STATE_ARRIVED:
        case STATE_RUNNING:
        case STATE_STOPPING:
        case STATE_LEAVING:
        case STATE_SETTLED:
                break;
        }
}

void intake_give_back(struct consumer *c, const struct tenant *of)
{
        struct attempt *a, *after;

        HASH_ITER (hh, c->attempts, a, after) {
                if (!attempt_is_unstarted(a) || (of != NULL && a->feed->tenant != of))
                        continue;
                intake_withdraw(c, a);
                leaving_end(c, a, SETTLE_REQUEUE);
        }
}

static void review(void *owner, struct attempt *a)
{
        struct consumer *c = owner;
        const struct handler *h = handlers_find(c->handlers, a->job.type);

        if (h != NULL && !control_type_is_paused(c->control, a->job.type)) {
                a->handler = h;
                return;
        }
        inbox_remove(&c->inbox, a);
        if (control_type_is_paused(c->control, a->job.type))
                hop_paused(c, a);
        else
                hop(c, a, HOP_UNKNOWN, 0); /* and is judged as what arrives */
}

void intake_take_back(struct consumer *c, struct attempt *a)
{
        attempt_move(a, STATE_WAITING);
        handlers_destroy(&a->set);
        inbox_put_back(&c->inbox, a);
        review(c, a);
}

void intake_review(struct consumer *c)
{
        inbox_each(&c->inbox, review, c);
        work_dispatch(c);
}
