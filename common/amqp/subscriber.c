/* SPDX-License-Identifier: Apache-2.0
 *
 * subscriber.c: the state and channel of each subscription.
 */
#include "common/amqp/subscriber.h"

#include <stdlib.h>

#include "common/amqp/consume.h"
#include "common/amqp/id_queue.h"
#include "common/amqp/name_set.h"
#include "common/base/memory.h"
#include "common/base/own.h"

#define REFUSED_RETRY ((msec)5000)

enum { BUSY = 16 /* deliveries from which on a subscription is worth moving */ };

static const struct order from_next = {.start = SOURCE_NEXT};

struct delivery_channel {
        int prefetch; /* as last set; 0: the channel is not open; -1: not set yet */
};

struct subscriber {
        bool renew_when_told;
        atomic_ullong *live;

        struct subscription *subscriptions; /* hash */
        struct acker *acker;
        struct answers *answers;
        struct name_set known; /* queues that exist */
        struct id_queue looks; /* subscriptions whose queue is to be looked for */
        struct delivery_channel channels[DELIVERY_CHANNELS];
        uint16_t current;    /* channel for the next basic.consume */
        unsigned spread;     /* subscriptions begun with `spread` */
        uint64_t epoch;      /* of the channel opened last */
        uint64_t generation; /* counts disconnects */
        unsigned renewing;
        bool awaits_renew; /* nothing is subscribed until link_renew */
        bool draining;
        msec retry_at; /* earliest one of refused subscriptions; 0: none */
        struct node_list notices;
};

struct subscriber *subscriber_create(struct acker *a, struct answers *answers,
                                     atomic_ullong live[DELIVERY_CHANNELS], bool renew_when_told)
{
        struct subscriber *s = xcalloc(1, sizeof(*s));

        s->live = live;
        s->renew_when_told = s->awaits_renew = renew_when_told;
        s->acker = a;
        s->answers = answers;
        s->current = DELIVERY_CHANNEL;
        return s;
}

static struct delivery_channel *channel_of(struct subscriber *s, uint16_t channel)
{
        return &s->channels[channel - DELIVERY_CHANNEL];
}

static struct subscription *find_id(const struct subscriber *s, uint64_t id)
{
        struct subscription *sub = NULL;

        HASH_FIND(hh, s->subscriptions, &id, sizeof(id), sub);
        return sub;
}

/* `up` is reported when no subscription is renewing. */
static void renewed(struct subscriber *s, struct subscription *sub)
{
        if (sub->renewing)
                s->renewing--;
        sub->renewing = false;
}

static void put_off(struct subscriber *s, struct subscription *sub, msec retry_at)
{
        sub->state = SUBSCRIPTION_REFUSED;
        sub->retry_at = retry_at;
        if (s->retry_at == 0 || retry_at < s->retry_at)
                s->retry_at = retry_at;
        renewed(s, sub);
}

static void refuse(struct subscriber *s, struct subscription *sub, const struct err *why)
{
        name_set_remove(&s->known, sub->queue);
        if (!sub->reported) {
                struct notice_plain *n = notice_add(&s->notices, NOTICE_REFUSED);
                n->subscription = sub;
                n->why = *why;
        }
        sub->reported = true;
        put_off(s, sub, clock_mono() + REFUSED_RETRY);
}

static int open_channel(struct subscriber *s, uint16_t channel, struct channel *ch, struct err *e)
{
        struct delivery_channel *d = channel_of(s, channel);

        if (d->prefetch != 0)
                return 0;
        d->prefetch = -1;
        atomic_store(&s->live[channel - DELIVERY_CHANNEL], ++s->epoch);
        return channel_open(ch, channel, e);
}

static int send_qos(struct subscriber *s, const struct subscription *sub, struct channel *ch,
                    struct err *e)
{
        struct delivery_channel *d = channel_of(s, sub->channel);
        amqp_basic_qos_t qos = {.prefetch_count = sub->source.prefetch};

        if (d->prefetch == sub->source.prefetch)
                return 0;
        d->prefetch = sub->source.prefetch;
        return channel_send(ch, sub->channel, AMQP_BASIC_QOS_METHOD, &qos, e);
}

static uint16_t choose_channel(struct subscriber *s, const struct subscription *sub)
{
        if (answers_retry_at(s->answers, sub->queue) != 0)
                return TRIAL_CHANNEL;
        if (!sub->source.spread)
                return s->current;
        return (uint16_t)(DELIVERY_CHANNEL + s->spread++ % (DELIVERY_CHANNELS - 1));
}

static int consume(struct subscriber *s, struct subscription *sub, const struct order *where,
                   struct channel *ch, struct err *e)
{
        sub->channel = choose_channel(s, sub);
        sub->state = answers_has_room(s->answers, sub->channel) ? SUBSCRIPTION_SENT
                                                                : SUBSCRIPTION_WAITING;
        if (sub->state == SUBSCRIPTION_WAITING)
                return 0;
        sub->deliveries = 0;
        sub->last_offset = -1;
        if (open_channel(s, sub->channel, ch, e) < 0 || send_qos(s, sub, ch, e) < 0)
                return -1;
        answers_await(s->answers, sub);
        return consume_send(sub, where, ch, e);
}

/* The queue exists. */
static int proceed(struct subscriber *s, struct subscription *sub, struct channel *ch,
                   struct err *e)
{
        if (!sub->source.stream || sub->source.start == NULL)
                return consume(s, sub, &from_next, ch, e);
        sub->state = SUBSCRIPTION_ASKING;
        struct notice_plain *n = notice_add(&s->notices, NOTICE_WHERE);
        n->subscription = sub;
        n->epoch = s->generation;
        return 0;
}

static int begin(struct subscriber *s, struct subscription *sub, struct channel *ch, struct err *e)
{
        msec retry_at = answers_retry_at(s->answers, sub->queue);

        if (retry_at > clock_mono()) {
                put_off(s, sub, retry_at);
                return 0;
        }
        if (retry_at != 0)
                renewed(s, sub);
        if (name_set_has(&s->known, sub->queue))
                return proceed(s, sub, ch, e);
        sub->state = SUBSCRIPTION_PROBING;
        id_queue_add(&s->looks, sub->id);
        return 0;
}

const char *subscriber_next_look(struct subscriber *s, uint64_t *id)
{
        while ((*id = id_queue_take(&s->looks)) != 0) {
                const struct subscription *sub = find_id(s, *id);
                if (sub != NULL && sub->state == SUBSCRIPTION_PROBING)
                        return sub->queue;
        }
        return NULL;
}

int subscriber_found(struct subscriber *s, uint64_t id, const struct err *why, struct channel *ch,
                     struct err *e)
{
        struct subscription *sub = find_id(s, id);

        if (sub == NULL || sub->state != SUBSCRIPTION_PROBING)
                return 0;
        if (why != NULL) {
                answers_clear(s->answers, sub->queue);
                refuse(s, sub, why);
                return 0;
        }
        if (s->generation > 0 && !sub->source.stream && !name_set_has(&s->known, sub->queue))
                answers_doubt(s->answers, sub->queue, HASH_COUNT(s->subscriptions));
        name_set_add(&s->known, sub->queue);
        return proceed(s, sub, ch, e);
}

/* Those that wait for room begin once all that were sent are answered. */
static void begin_waiting(struct subscriber *s, uint16_t channel)
{
        if (answers_none_awaited(s->answers, channel))
                s->retry_at = clock_mono();
}

/* One that is not yet answered is cancelled once it is: see consume_cancel. */
static int cancel(struct subscription *sub, struct channel *ch, struct err *e)
{
        bool active = sub->state == SUBSCRIPTION_ACTIVE;

        if (active || sub->state == SUBSCRIPTION_SENT)
                sub->state = SUBSCRIPTION_IDLE;
        return active ? consume_cancel(sub, ch, e) : 0;
}

/* To the channel for new subscriptions. Deliveries that came are settled on the old one. */
static int move(struct subscriber *s, struct subscription *sub, struct channel *ch, struct err *e)
{
        return cancel(sub, ch, e) < 0 ? -1 : consume(s, sub, &from_next, ch, e);
}

int subscriber_consumed(struct subscriber *s, uint16_t channel, amqp_bytes_t tag,
                        struct channel *ch, struct err *e)
{
        struct subscription *sub = find_id(s, consume_tag_id(wire_view(tag)));

        answers_take(s->answers, channel);
        begin_waiting(s, channel);
        if (sub == NULL || sub->state != SUBSCRIPTION_SENT)
                return consume_cancel_tag(channel, tag, ch, e); /* it ended meanwhile */
        sub->state = SUBSCRIPTION_ACTIVE;
        sub->reported = false;
        renewed(s, sub);
        return channel == TRIAL_CHANNEL && !sub->source.stream ? move(s, sub, ch, e) : 0;
}

void subscriber_cancelled(struct subscriber *s, amqp_bytes_t tag)
{
        struct subscription *sub = find_id(s, consume_tag_id(wire_view(tag)));
        struct err why = {0};

        if (sub == NULL)
                return;
        err_set(&why, ERR_NOT_FOUND, "the broker cancelled the subscription of %s", sub->queue);
        refuse(s, sub, &why);
}

int subscriber_drain(struct subscriber *s, struct channel *ch, struct err *e)
{
        struct subscription *sub, *next;

        s->draining = true;
        HASH_ITER (hh, s->subscriptions, sub, next) {
                int result = cancel(sub, ch, e);
                sub->state = SUBSCRIPTION_IDLE;
                renewed(s, sub);
                if (result < 0)
                        return -1;
        }
        return 0;
}

int subscriber_unsubscribe(struct subscriber *s, struct subscription *sub, struct channel *ch,
                           struct err *e)
{
        int result = cancel(sub, ch, e);

        HASH_DEL(s->subscriptions, sub);
        renewed(s, sub);
        notice_add(&s->notices, NOTICE_GONE)->subscription = sub;
        return result;
}

int subscriber_subscribe(struct subscriber *s, struct subscription *sub, struct channel *ch,
                         struct err *e)
{
        HASH_ADD(hh, s->subscriptions, id, sizeof(sub->id), sub);
        return ch == NULL || s->draining || s->awaits_renew ? 0 : begin(s, sub, ch, e);
}

int subscriber_consume(struct subscriber *s, const struct order *o, struct channel *ch,
                       struct err *e)
{
        if (o->epoch != s->generation || o->subscription->state != SUBSCRIPTION_ASKING)
                return 0;
        return consume(s, o->subscription, o, ch, e);
}

/* A subscription refused moments ago waits for its retry_at. */
static bool is_due(const struct subscription *sub, msec now)
{
        return sub->state == SUBSCRIPTION_IDLE ||
               (sub->state == SUBSCRIPTION_REFUSED && sub->retry_at <= now);
}

int subscriber_renew(struct subscriber *s, struct channel *ch, bool told, struct err *e)
{
        struct subscription *sub, *next;
        msec now = clock_mono();

        s->awaits_renew = s->awaits_renew && !told;
        if (s->awaits_renew || s->draining)
                return 0;
        HASH_ITER (hh, s->subscriptions, sub, next) {
                if (!is_due(sub, now))
                        continue;
                sub->renewing = true;
                s->renewing++;
                if (begin(s, sub, ch, e) < 0)
                        return -1;
        }
        return 0;
}

bool subscriber_is_renewed(const struct subscriber *s)
{
        return s->renewing == 0;
}

static void lose_channel(struct subscriber *s, uint16_t channel)
{
        channel_of(s, channel)->prefetch = 0;
        answers_lose(s->answers, channel);
        atomic_store(&s->live[channel - DELIVERY_CHANNEL], 0);
        acker_forget(s->acker, channel);
}

static void lose(struct subscriber *s, struct subscription *sub)
{
        sub->state = SUBSCRIPTION_IDLE;
        renewed(s, sub);
}

void subscriber_channel_closed(struct subscriber *s, uint16_t channel, bool consuming,
                               const struct err *why)
{
        struct subscription *sub, *next;
        struct subscription *cause = NULL;

        if (consuming)
                cause = find_id(s, answers_take(s->answers, channel));
        if (cause != NULL)
                refuse(s, cause, why);
        else if (consuming)
                name_set_clear(&s->known); /* it has ended: the name of its queue is not known */
        HASH_ITER (hh, s->subscriptions, sub, next) {
                if (sub->channel == channel &&
                    (sub->state == SUBSCRIPTION_SENT || sub->state == SUBSCRIPTION_ACTIVE))
                        lose(s, sub);
        }
        lose_channel(s, channel);
        begin_waiting(s, channel);
}

void subscriber_disconnected(struct subscriber *s)
{
        struct subscription *sub, *next;

        HASH_ITER (hh, s->subscriptions, sub, next)
                lose(s, sub);
        for (int c = DELIVERY_CHANNEL; c <= CHANNEL_MAX; c++)
                lose_channel(s, (uint16_t)c);
        name_set_clear(&s->known);
        id_queue_clear(&s->looks);
        s->current = DELIVERY_CHANNEL;
        s->generation++;
        s->awaits_renew = s->renew_when_told;
        s->retry_at = 0;
}

int subscriber_retry(struct subscriber *s, msec now, struct channel *ch, struct err *e)
{
        struct subscription *sub, *next;

        if (s->retry_at == 0 || now < s->retry_at || s->draining)
                return 0;
        s->retry_at = 0;
        HASH_ITER (hh, s->subscriptions, sub, next) {
                bool refused = sub->state == SUBSCRIPTION_REFUSED;
                if (refused && sub->retry_at > now)
                        put_off(s, sub, sub->retry_at);
                else if ((refused || sub->state == SUBSCRIPTION_WAITING) &&
                         begin(s, sub, ch, e) < 0)
                        return -1;
        }
        return 0;
}

msec subscriber_retry_at(const struct subscriber *s)
{
        return s->retry_at;
}

int subscriber_deliver(struct subscriber *s, struct incoming *in, struct channel *ch, struct err *e)
{
        struct bytes tag = bytes_of_text(in->consumer_tag);
        struct subscription *sub = find_id(s, consume_tag_id(tag));

        if (sub == NULL || s->draining)
                return consume_give_back(in, ch, e);
        in->stream = sub->source.stream;
        in->epoch = atomic_load(&s->live[in->channel - DELIVERY_CHANNEL]);
        in->delivery.subscription = sub;
        if (in->stream)
                sub->last_offset = in->delivery.offset =
                        message_header_int(&in->delivery.message, "x-stream-offset", -1);
        sub->deliveries++;
        acker_track(s->acker, in, sub->source.prefetch);
        in->notice.kind = NOTICE_DELIVERY;
        node_list_add(&s->notices, &in->notice.node);
        return 0;
}

void subscriber_pass_over(struct subscriber *s, const struct unreadable *u, struct channel *ch)
{
        struct bytes tag = wire_view(u->consumer_tag);
        struct subscription *sub = find_id(s, consume_tag_id(tag));
        struct err why = {0};

        if (!consume_tag_is_stream(tag)) {
                int ignored = channel_refuse(ch, u, &why); /* the connection ends in any case */
                (void)ignored;
        } else if (sub != NULL) {
                sub->unreadable_after = sub->last_offset;
                sub->unreadable = u->offset;
        }
}

int64_t subscription_unreadable(const struct subscription *s, int64_t after)
{
        return s->unreadable_after == after ? s->unreadable : -1;
}

/* A channel without unsettled deliveries; 0: none. */
static uint16_t clear_channel(const struct subscriber *s)
{
        for (int c = DELIVERY_CHANNEL; c < TRIAL_CHANNEL; c++) {
                if (acker_is_clear(s->acker, (uint16_t)c))
                        return (uint16_t)c;
        }
        return 0;
}

static bool may_move(const struct subscription *sub, uint16_t from)
{
        return sub->channel == from && sub->state == SUBSCRIPTION_ACTIVE && !sub->source.stream &&
               sub->deliveries >= BUSY;
}

/* Moves busy subscriptions to a clear channel. Deliveries of `from` are still settled on it. */
static int leave_pinned(struct subscriber *s, uint16_t from, struct channel *ch, struct err *e)
{
        struct subscription *sub, *next;
        uint16_t to = clear_channel(s);

        if (to != 0)
                s->current = to;
        HASH_ITER (hh, s->subscriptions, sub, next) {
                if (to != 0 && may_move(sub, from) && move(s, sub, ch, e) < 0)
                        return -1;
                sub->deliveries = 0;
        }
        acker_unpin(s->acker, from);
        return 0;
}

int subscriber_leave_pinned(struct subscriber *s, struct channel *ch, struct err *e)
{
        for (int c = DELIVERY_CHANNEL; c <= CHANNEL_MAX && !s->draining; c++) {
                if (acker_is_pinned(s->acker, (uint16_t)c) &&
                    leave_pinned(s, (uint16_t)c, ch, e) < 0)
                        return -1;
        }
        return 0;
}

void subscriber_take_notices(struct subscriber *s, struct node_list *to)
{
        node_list_append(to, &s->notices);
}

void subscriber_destroy(struct subscriber **subscriber)
{
        struct subscriber *s = TAKE(*subscriber);

        if (s == NULL)
                return;
        name_set_clear(&s->known);
        id_queue_fini(&s->looks);
        HASH_CLEAR(hh, s->subscriptions);
        free(s);
}
