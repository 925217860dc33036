/* SPDX-License-Identifier: Apache-2.0
 *
 * router.c: between the parts of a link.
 */
#include "common/amqp/router.h"

#include <stdlib.h>

#include "common/amqp/gate.h"
#include "common/amqp/publisher.h"
#include "common/amqp/subscriber.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/event.h"

#define LOOK_FOR_STREAM UINT64_MAX

struct router {
        const struct link_settings *settings;
        struct handover *handover;
        struct channel *channel; /* NULL: not connected */
        uint64_t connection;     /* counts them */
        struct publisher *publisher;
        struct subscriber *subscriber;
        struct declarer *declarer;
        struct gate *gate;
        bool blocked; /* the broker's alarm */
        bool told_up;
        bool draining;
        msec drain_deadline;      /* 0: over */
        struct node_list notices; /* to be handed over */
};

struct router *router_create(const struct link_settings *s, struct handover *h)
{
        struct router *r = xcalloc(1, sizeof(*r));

        r->settings = s;
        r->handover = h;
        r->publisher = publisher_create(s->resend, s->confirm_timeout);
        r->subscriber = subscriber_create(handover_live(h), s->renew_when_told);
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
        declarer_destroy(&r->declarer);
        gate_destroy(&r->gate);
        free(r);
}

bool router_is_connected(const struct router *r)
{
        return r->channel != NULL;
}

bool router_is_open(const struct router *r)
{
        return gate_is_open(r->gate);
}

static void tell_state(struct router *r)
{
        const struct link_state s = {
                .connection = r->channel == NULL ? 0 : r->connection,
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

/* `up` comes after what the renewal found. */
static void tell_up(struct router *r)
{
        subscriber_take_notices(r->subscriber, &r->notices);
        if (r->told_up || r->channel == NULL || !gate_is_open(r->gate) ||
            !subscriber_is_renewed(r->subscriber))
                return;
        r->told_up = true;
        notice_add(&r->notices, NOTICE_UP);
}

void router_hand_over(struct router *r)
{
        tell_up(r);
        handover_give(r->handover, &r->notices);
}

/* A publish that has ended: its owner hears of it here, or on the loop. */
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

static void report_ended(struct router *r)
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
        gate_connected(r->gate, clock_mono());
        tell_state(r);
        if (channel_open_confirmed(r->channel, PUBLISH_CHANNEL, e) < 0)
                return -1;
        return subscriber_renew(r->subscriber, r->channel, false, e);
}

static void set_blocked(struct router *r, bool blocked)
{
        msec now = clock_mono();

        if (r->blocked == blocked)
                return;
        r->blocked = blocked;
        tell_state(r);
        notice_add(&r->notices, blocked ? NOTICE_BLOCKED : NOTICE_UNBLOCKED);
        if (blocked)
                return;
        gate_wait_anew(r->gate, now);
        if (r->settings->resend) /* their time did not run while the broker did not read */
                publisher_skip_time(r->publisher, 0, now);
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
                /* After a failure the rest is followed too: it cannot write, but must be known. */
                if (follow(r, o, result == 0 ? e : &more) < 0)
                        result = -1;
        }
        if (subscriber_settle(r->subscriber, &work->settles, r->channel, result == 0 ? e : &more) <
            0)
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
        report_ended(r);
        set_blocked(r, false);
        router_tell_down(r, why);
}

static size_t bytes_held(const struct router *r)
{
        /* What comes while it drains is given back at once. */
        return r->draining ? 0 : subscriber_bytes(r->subscriber);
}

/* Pauses reading or resumes it. The time in which the broker could not be heard does not count. */
static void weigh(struct router *r)
{
        msec now = clock_mono();
        msec paused_at = gate_weigh(r->gate, bytes_held(r), now);

        if (paused_at == 0)
                return;
        publisher_skip_time(r->publisher, paused_at, now);
        declarer_skip_time(r->declarer, now - paused_at);
        gate_wait_anew(r->gate, now);
}

/* rabbitmq-c 0.11 reads in a publish when it has not for two heartbeats, and may hang there: over
 * TLS, where it is the library that publishes, nothing is while reading is paused. */
static bool may_publish(const struct router *r)
{
        return publisher_is_ready(r->publisher) && !r->blocked && gate_is_open(r->gate) &&
               !(gate_is_paused(r->gate) && channel_is_tls(r->channel));
}

int router_write(struct router *r, struct err *e)
{
        bool all = r->draining || gate_is_spent(r->gate, bytes_held(r));
        const char *queue;
        uint64_t id = 0;

        if (subscriber_write(r->subscriber, r->channel, all, e) < 0)
                return -1;
        weigh(r);
        if (may_publish(r) && publisher_write(r->publisher, r->channel, clock_mono(), e) < 0)
                return -1;
        while ((queue = subscriber_next_look(r->subscriber, &id)) != NULL)
                declarer_look_for(r->declarer, queue, id);
        return declarer_write(r->declarer, r->channel, e);
}

/* The probe is kept by the stream that everything published here feeds. */
static int send_probe(struct router *r, struct err *e)
{
        const struct message m = {.exchange = bytes_of_text(r->settings->stream),
                                  .routing_key = bytes_of_text(""),
                                  .type = bytes_of_text("probe"),
                                  .content_type = bytes_of_text(EVENTS_CONTENT_TYPE), /* of none */
                                  .timestamp = -1,
                                  .delivery_mode = 2,
                                  .mandatory = true,
                                  .body = bytes_of_text("")};
        struct outgoing *o = outgoing_create(&m, r->settings->login, e);

        return o == NULL ? -1 : publisher_probe(r->publisher, r->channel, o, e);
}

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

/* What a declaration found, for whoever asked. */
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

static int answer_ended(struct router *r, struct err *e)
{
        struct request *q;
        int result = 0;

        while ((q = declarer_take_ended(r->declarer)) != NULL) {
                if (answer(r, q, e) < 0)
                        result = -1;
        }
        return result;
}

int router_keep_time(struct router *r, struct err *e)
{
        bool deaf = gate_is_paused(r->gate);
        msec now = clock_mono();
        struct err why = {0};

        if (!deaf && !(r->settings->resend && r->blocked))
                publisher_expire(r->publisher, now);
        report_ended(r);
        declarer_expire(r->declarer, now, deaf);
        if (answer_ended(r, e) < 0)
                return -1;
        if (r->channel == NULL)
                return 0;
        if (deaf && gate_beat_is_due(r->gate, now) && channel_beat(r->channel, e) < 0)
                return -1;
        if (take_step(r, gate_step(r->gate, now, r->blocked, &why), &why, e) < 0)
                return -1;
        return subscriber_retry(r->subscriber, now, r->channel, e);
}

/* The channel's publishes are gone, and no delivery. */
static int on_publish_closed(struct router *r, const amqp_channel_close_t *why, struct err *e)
{
        bool by_publish = why->class_id == AMQP_BASIC_CLASS && why->method_id == 40;
        /* RESOURCE_ERROR: the broker's coordinator of streams is away. */
        bool stream_away = r->settings->stream != NULL && why->reply_code == AMQP_RESOURCE_ERROR;

        if (stream_away || (by_publish && !gate_is_open(r->gate)))
                return err_set(e, wire_reply_code(why->reply_code), "%.*s",
                               (int)why->reply_text.len, (const char *)why->reply_text.bytes);
        publisher_disconnected(r->publisher, by_publish);
        report_ended(r);
        if (channel_closed(r->channel, PUBLISH_CHANNEL, e) < 0)
                return -1;
        return channel_open_confirmed(r->channel, PUBLISH_CHANNEL, e);
}

/* What came by the channel is void. */
static int on_delivery_closed(struct router *r, uint16_t channel, const amqp_channel_close_t *why,
                              struct err *e)
{
        bool consuming = why->class_id == AMQP_BASIC_CLASS && why->method_id == 20;
        struct err reason = {0};

        err_set(&reason, wire_reply_code(why->reply_code), "%.*s", (int)why->reply_text.len,
                (const char *)why->reply_text.bytes);
        subscriber_channel_closed(r->subscriber, channel, consuming, &reason);
        router_tell_down(r, &reason);
        r->told_up = false;
        if (channel_closed(r->channel, channel, e) < 0)
                return -1;
        return subscriber_renew(r->subscriber, r->channel, false, e);
}

static int on_declare(struct router *r, const amqp_method_t *m, struct err *e)
{
        int result = m->id == AMQP_CHANNEL_CLOSE_METHOD
                             ? declarer_refused(r->declarer, m->decoded, r->channel, e)
                             : declarer_answered(r->declarer, m, e);

        return result < 0 ? -1 : answer_ended(r, e);
}

static int on_publishing(struct router *r, const amqp_method_t *m, struct err *e)
{
        const amqp_basic_ack_t *ack = m->decoded;
        const amqp_basic_nack_t *nack = m->decoded;

        if (m->id == AMQP_CHANNEL_CLOSE_METHOD)
                return on_publish_closed(r, m->decoded, e);
        if (m->id == AMQP_BASIC_ACK_METHOD)
                publisher_confirm(r->publisher, ack->delivery_tag, ack->multiple, LINK_CONFIRMED);
        else if (m->id == AMQP_BASIC_NACK_METHOD)
                publisher_confirm(r->publisher, nack->delivery_tag, nack->multiple, LINK_NACKED);
        report_ended(r);
        return 0;
}

static int on_delivering(struct router *r, uint16_t channel, const amqp_method_t *m, struct err *e)
{
        switch (m->id) {
        case AMQP_CHANNEL_CLOSE_METHOD:
                return on_delivery_closed(r, channel, m->decoded, e);
        case AMQP_BASIC_CONSUME_OK_METHOD:
                subscriber_consumed(r->subscriber, channel,
                                    ((amqp_basic_consume_ok_t *)m->decoded)->consumer_tag);
                return 0;
        case AMQP_BASIC_CANCEL_METHOD:
                subscriber_cancelled(r->subscriber,
                                     ((amqp_basic_cancel_t *)m->decoded)->consumer_tag);
                return 0;
        default:
                return 0; /* answers that carry nothing */
        }
}

static int on_connection(struct router *r, const amqp_method_t *m, struct err *e)
{
        const amqp_connection_close_t *close = m->decoded;
        amqp_connection_close_ok_t ok = {0};

        switch (m->id) {
        case AMQP_CONNECTION_CLOSE_METHOD:
                if (channel_send(r->channel, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok, e) < 0)
                        return -1;
                return err_set(e, wire_reply_code(close->reply_code), "%.*s",
                               (int)close->reply_text.len, (const char *)close->reply_text.bytes);
        case AMQP_CONNECTION_BLOCKED_METHOD:
                set_blocked(r, true);
                return 0;
        case AMQP_CONNECTION_UNBLOCKED_METHOD:
                set_blocked(r, false);
                return 0;
        default:
                return 0;
        }
}

static int on_method(struct router *r, uint16_t channel, const amqp_method_t *m, struct err *e)
{
        if (channel == PUBLISH_CHANNEL)
                return on_publishing(r, m, e);
        if (channel == DECLARE_CHANNEL)
                return on_declare(r, m, e);
        return channel == 0 ? on_connection(r, m, e) : on_delivering(r, channel, m, e);
}

int router_read(struct router *r, struct err *e)
{
        struct channel_event event;
        int result = channel_read(r->channel, &event, e);

        if (result <= 0)
                return result;
        if (event.returned != NULL)
                publisher_return(r->publisher, event.returned);
        if (event.delivery != NULL)
                result = subscriber_deliver(r->subscriber, event.delivery, r->channel, e);
        if (event.method != NULL)
                result = on_method(r, event.channel, event.method, e);
        return result < 0 ? -1 : 1;
}

bool router_may_read(const struct router *r)
{
        return !gate_is_spent(r->gate, bytes_held(r));
}

bool router_is_paused(const struct router *r)
{
        return gate_is_paused(r->gate);
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

msec router_deadline(const struct router *r)
{
        bool deaf = gate_is_paused(r->gate);
        msec deadline = INT64_MAX;

        if (!deaf && !(r->settings->resend && r->blocked))
                sooner(&deadline, publisher_deadline(r->publisher));
        sooner(&deadline, declarer_deadline(r->declarer, deaf));
        sooner(&deadline, r->drain_deadline);
        if (r->channel == NULL)
                return deadline;
        sooner(&deadline, subscriber_retry_at(r->subscriber));
        sooner(&deadline, subscriber_ack_deadline(r->subscriber));
        sooner(&deadline, gate_deadline(r->gate, r->blocked));
        if (deaf)
                sooner(&deadline, gate_beat_at(r->gate));
        return deadline;
}

bool router_has_input(const struct router *r)
{
        return r->channel != NULL && !gate_is_paused(r->gate) && channel_has_input(r->channel);
}

bool router_has_output(const struct router *r)
{
        return r->channel != NULL && (declarer_has_work(r->declarer) || may_publish(r));
}

int router_fd(const struct router *r)
{
        return r->channel == NULL ? -1 : channel_fd(r->channel);
}

void router_end(struct router *r, bool orderly)
{
        struct err none = {0};

        if (orderly && r->channel != NULL && !r->blocked &&
            subscriber_write(r->subscriber, r->channel, true, &none) == 0)
                channel_close(&r->channel);
        (void)handover_set_socket(r->handover, -1);
        channel_destroy(&r->channel);
        gate_disconnected(r->gate);
        tell_state(r);
        subscriber_disconnected(r->subscriber);
        publisher_end(r->publisher);
        report_ended(r);
        declarer_end(r->declarer);
        while (answer_ended(r, &none) < 0)
                ;
        router_hand_over(r);
}
