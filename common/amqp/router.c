/* SPDX-License-Identifier: Apache-2.0
 *
 * router.c: a link's connection and parts: calls one part for another, and makes notices for the
 * loop.
 */
#include "common/amqp/router.h"

#include <stdlib.h>

#include "common/amqp/router_parts.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/event.h"

#define LOOK_FOR_STREAM UINT64_MAX

struct router *router_create(const struct link_settings *s, struct handover *h)
{
        struct router *r = xcalloc(1, sizeof(*r));

        r->settings = s;
        r->handover = h;
        r->publisher = publisher_create(s->resend, s->confirm_timeout);
        r->acker = acker_create();
        r->subscriber = subscriber_create(r->acker, handover_live(h), s->renew_when_told);
        r->declarer = declarer_create();
        r->gate = gate_create(s->unprobed ? NULL : s->stream, s->read_bytes, s->heartbeat);
        return r;
}

void router_destroy(struct router **router)
{
        struct router *r = TAKE(*router);

        if (r == NULL)
                return;
        publisher_destroy(&r->publisher);
        subscriber_destroy(&r->subscriber);
        acker_destroy(&r->acker);
        declarer_destroy(&r->declarer);
        gate_destroy(&r->gate);
        free(r);
}

/* Updates the state that callers read in the handover. */
static void tell_state(struct router *r)
{
        const struct link_state s = {
                .connected = r->channel != NULL,
                .open = gate_is_open(r->gate),
                .blocked = r->blocked,
        };

        handover_set_state(r->handover, s);
}

void router_tell_down(struct router *r, const struct err *why)
{
        subscriber_take_notices(r->subscriber, &r->notices);
        notice_add(&r->notices, NOTICE_DOWN)->why = *why;
}

/* An ended publish: its callback runs here if `direct`, else on the loop. */
static void report(struct router *r, struct outgoing *o)
{
        if (o->wait.done != NULL && !o->wait.direct) {
                o->notice.kind = NOTICE_PUBLISHED;
                node_list_add(&r->notices, &o->notice.node);
                return;
        }
        handover_leave(r->handover, o->cost);
        if (o->wait.done != NULL)
                o->wait.done(o->wait.owner, o->result);
        free(o);
}

void parts_report_ended(struct router *r)
{
        struct outgoing *o;

        while ((o = publisher_take_ended(r->publisher)) != NULL) {
                if (!o->probe) {
                        report(r, o);
                        continue;
                }
                gate_probed(r->gate, o->result);
                tell_state(r);
                free(o);
        }
}

void parts_set_blocked(struct router *r, bool blocked)
{
        msec now = clock_mono();

        if (r->blocked == blocked)
                return;
        r->blocked = blocked;
        tell_state(r);
        notice_add(&r->notices, blocked ? NOTICE_BLOCKED : NOTICE_UNBLOCKED);
        if (blocked)
                return;
        gate_restart_wait(r->gate, now);
        if (r->settings->resend) /* the time for confirms does not run while blocked */
                publisher_skip_time(r->publisher, 0, now);
}

/* See gate.h. */
static int send_probe(struct router *r, struct err *e)
{
        const struct message m = {.exchange = bytes_of_text(r->settings->stream),
                                  .routing_key = bytes_of_text(""),
                                  .type = bytes_of_text("probe"),
                                  /* of an empty batch of events */
                                  .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                                  .timestamp = -1,
                                  .delivery_mode = 2,
                                  .mandatory = true,
                                  .body = bytes_of_text("")};
        struct outgoing *o = outgoing_create(&m, r->settings->login, e);

        return o == NULL ? -1 : publisher_probe(r->publisher, r->channel, o, e);
}

/* Does the gate's step; why: as the gate filled it. */
static int take_step(struct router *r, enum gate_step step, const struct err *why, struct err *e)
{
        switch (step) {
        case GATE_LOOK:
                declarer_look_for(r->declarer, r->settings->stream, LOOK_FOR_STREAM);
                return 0;
        case GATE_PROBE:
                return send_probe(r, e);
        case GATE_AWAY:
                router_tell_down(r, why);
                return 0;
        case GATE_FAIL:
                return err_set(e, why->code, "%s", why->text);
        case GATE_NOTHING:
                break;
        }
        return 0;
}

/* Passes the result of a declaration to the loop, subscriber or gate. */
static int answer(struct router *r, struct request *q, struct err *e)
{
        const struct err *failed = err_is_set(&q->why) ? &q->why : NULL;
        struct err why = {0};

        if (q->look == 0) {
                q->notice.kind = NOTICE_DECLARED;
                node_list_add(&r->notices, &q->notice.node);
                return 0;
        }
        AUTO_FREE struct request *own = q;
        if (own->look != LOOK_FOR_STREAM)
                return subscriber_found(r->subscriber, own->look, failed, r->channel, e);
        enum gate_step step = gate_found(r->gate, clock_mono(), failed, &why);
        return take_step(r, step, &why, e);
}

int parts_answer_ended(struct router *r, struct err *e)
{
        struct request *q;
        int result = 0;

        while ((q = declarer_take_ended(r->declarer)) != NULL) {
                if (answer(r, q, e) < 0)
                        result = -1;
        }
        return result;
}

bool router_is_connected(const struct router *r)
{
        return r->channel != NULL;
}

bool router_is_open(const struct router *r)
{
        return gate_is_open(r->gate);
}

/* Notices of refused subscriptions come before `up`. */
static void tell_up(struct router *r)
{
        subscriber_take_notices(r->subscriber, &r->notices);
        if (r->told_up || r->channel == NULL || !gate_is_open(r->gate) ||
            !subscriber_is_renewed(r->subscriber))
                return;
        r->told_up = true;
        notice_add(&r->notices, NOTICE_UP)->epoch = r->connection;
}

void router_hand_over(struct router *r)
{
        tell_up(r);
        handover_give(r->handover, &r->notices);
}

static bool opened(void *owner, int fd)
{
        struct router *r = owner;

        return handover_set_socket(r->handover, fd);
}

int router_connect(struct router *r, const struct address *a, struct err *e)
{
        const struct link_settings *s = r->settings;
        const struct login login = {
                .login = s->login,
                .password = s->password,
                .name = s->name,
                .ca_file = s->ca_file,
                .heartbeat = s->heartbeat,
                .opened = opened,
                .owner = r,
        };

        r->channel = channel_create(a, &login, e);
        if (r->channel == NULL)
                return -1;
        r->connection++;
        r->told_up = false;
        r->read_at = clock_mono();
        r->read_more = true;
        gate_connected(r->gate, r->read_at);
        tell_state(r);
        if (channel_open_confirmed(r->channel, PUBLISH_CHANNEL, e) < 0)
                return -1;
        return subscriber_renew(r->subscriber, r->channel, false, e);
}

static int follow(struct router *r, const struct order *o, struct err *e)
{
        switch (o->kind) {
        case ORDER_SUBSCRIBE:
                return subscriber_subscribe(r->subscriber, o->subscription, r->channel, e);
        case ORDER_UNSUBSCRIBE:
                return subscriber_unsubscribe(r->subscriber, o->subscription, r->channel, e);
        case ORDER_CONSUME:
                return subscriber_consume(r->subscriber, o, r->channel, e);
        case ORDER_RENEW:
                if (r->channel == NULL || o->epoch != r->connection)
                        return 0;
                return subscriber_renew(r->subscriber, r->channel, true, e);
        case ORDER_DRAIN:
                r->draining = true;
                r->drain_deadline = clock_mono() + o->limit;
                return subscriber_drain(r->subscriber, r->channel, e);
        }
        return 0;
}

int router_take(struct router *r, struct handed_over *work, struct err *e)
{
        struct err more = {0};
        int result = 0;

        if (work->publishes.first != NULL)
                publisher_take(r->publisher, &work->publishes, clock_mono());
        declarer_take(r->declarer, &work->requests);
        for (struct node *n; (n = node_list_take(&work->orders)) != NULL;) {
                AUTO_FREE struct order *o = (struct order *)n;
                /* Also after a failure: the parts must know of every order. */
                if (follow(r, o, result == 0 ? e : &more) < 0)
                        result = -1;
        }
        if (acker_take(r->acker, &work->settles, r->channel, result == 0 ? e : &more) < 0)
                result = -1;
        return result;
}

void router_disconnect(struct router *r, const struct err *why)
{
        struct err none = {0};

        (void)handover_set_socket(r->handover, -1);
        channel_destroy(&r->channel);
        gate_disconnected(r->gate);
        tell_state(r);
        subscriber_disconnected(r->subscriber);
        declarer_disconnected(r->declarer);
        struct handed_over late = handover_take(r->handover);
        int ignored = router_take(r, &late, &none); /* nothing can be written */
        (void)ignored;
        publisher_disconnected(r->publisher, false);
        parts_report_ended(r);
        parts_set_blocked(r, false);
        router_tell_down(r, why);
}

int router_keep_time(struct router *r, struct err *e)
{
        bool paused = gate_is_paused(r->gate);
        msec now = clock_mono();
        struct err why = {0};

        if (!paused && !(r->settings->resend && r->blocked))
                publisher_expire(r->publisher, now);
        parts_report_ended(r);
        declarer_expire(r->declarer, now, paused);
        if (parts_answer_ended(r, e) < 0)
                return -1;
        if (r->channel == NULL)
                return 0;
        if (paused && gate_beat_is_due(r->gate, now) && channel_beat(r->channel, e) < 0)
                return -1;
        if (take_step(r, gate_step(r->gate, now, r->blocked, &why), &why, e) < 0)
                return -1;
        return subscriber_retry(r->subscriber, now, r->channel, e);
}

void router_end_drain(struct router *r)
{
        if (!r->draining || r->drain_deadline == 0)
                return;
        bool clean = publisher_is_idle(r->publisher);
        if (!clean && clock_mono() < r->drain_deadline)
                return;
        r->drain_deadline = 0;
        subscriber_take_notices(r->subscriber, &r->notices);
        notice_add(&r->notices, NOTICE_DRAINED)->clean = clean;
}

static void sooner(msec *deadline, msec other)
{
        if (other != 0 && other < *deadline)
                *deadline = other;
}

msec parts_deadline(const struct router *r)
{
        bool paused = gate_is_paused(r->gate);
        msec deadline = INT64_MAX;

        if (!paused && !(r->settings->resend && r->blocked))
                sooner(&deadline, publisher_deadline(r->publisher));
        sooner(&deadline, declarer_deadline(r->declarer, paused));
        sooner(&deadline, r->drain_deadline);
        if (r->channel == NULL)
                return deadline;
        sooner(&deadline, subscriber_retry_at(r->subscriber));
        sooner(&deadline, acker_deadline(r->acker));
        sooner(&deadline, gate_deadline(r->gate, r->blocked));
        if (paused)
                sooner(&deadline, gate_beat_at(r->gate));
        return deadline;
}

void router_end(struct router *r)
{
        struct err none = {0};

        if (r->channel != NULL && !r->blocked &&
            acker_write(r->acker, r->channel, true, &none) == 0)
                channel_close(&r->channel);
        (void)handover_set_socket(r->handover, -1);
        channel_destroy(&r->channel);
        gate_disconnected(r->gate);
        tell_state(r);
        subscriber_disconnected(r->subscriber);
        publisher_end(r->publisher);
        parts_report_ended(r);
        declarer_end(r->declarer);
        while (parts_answer_ended(r, &none) < 0)
                ;
        router_hand_over(r);
}
