/* SPDX-License-Identifier: Apache-2.0
 *
 * subscriptions.c: subscriptions on the link's thread. A basic.consume on a queue that is not there
 * closes the channel and voids every delivery on it, so a queue not yet known on this connection is
 * looked for first, on the channel of the declarations.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/amqp/link_parts.h"
#include "common/base/memory.h"
#include "common/base/own.h"

enum { TAG_SIZE = 24 };

/* q12 or, of a stream, s12: a delivery of a subscription that is gone still tells how to settle. */
static amqp_bytes_t consumer_tag(const struct subscription *s, char out[TAG_SIZE])
{
        snprintf(out, TAG_SIZE, "%c%" PRIu64, s->source.stream ? 's' : 'q', s->id);
        return amqp_cstring_bytes(out);
}

static struct subscription *find_id(struct link *l, uint64_t id)
{
        struct subscription *s = NULL;

        HASH_FIND(hh, l->engine.subscriptions, &id, sizeof(id), s);
        return s;
}

struct subscription *subscriptions_find(struct link *l, amqp_bytes_t tag, bool *stream)
{
        const char *text = tag.bytes;
        uint64_t id = 0;

        *stream = tag.len > 0 && text[0] == 's';
        for (size_t i = 1; i < tag.len && i < TAG_SIZE; i++)
                id = id * 10 + (uint64_t)(text[i] - '0');
        return find_id(l, id);
}

static struct known_queue *find_known(struct link *l, const char *queue)
{
        struct known_queue *k = NULL;

        HASH_FIND_STR(l->engine.known, queue, k);
        return k;
}

static void know(struct link *l, const char *queue)
{
        if (find_known(l, queue) != NULL)
                return;
        size_t size = strlen(queue) + 1;
        struct known_queue *k = xcalloc(1, sizeof(*k) + size);
        memcpy(k->name, queue, size);
        HASH_ADD_KEYPTR(hh, l->engine.known, k->name, size - 1, k);
}

static void unknow(struct link *l, const char *queue)
{
        struct known_queue *k = find_known(l, queue);

        if (k == NULL)
                return;
        HASH_DEL(l->engine.known, k);
        free(k);
}

static void unknow_all(struct link *l)
{
        struct known_queue *k, *next;

        HASH_ITER (hh, l->engine.known, k, next) {
                HASH_DEL(l->engine.known, k);
                free(k);
        }
}

void subscriptions_count_down(struct link *l)
{
        if (--l->engine.renewing == 0)
                engine_post_plain(l, NOTICE_UP, NULL);
}

/* `up` is told when all that were there at the connect have their answer. */
static void renewed(struct link *l, struct subscription *s)
{
        if (!s->renewing)
                return;
        s->renewing = false;
        subscriptions_count_down(l);
}

static void refuse(struct link *l, struct subscription *s, const struct err *why)
{
        struct engine *en = &l->engine;

        s->state = SUBSCRIPTION_REFUSED;
        s->retry_at = clock_mono() + REFUSED_RETRY;
        if (en->retry_at == 0 || s->retry_at < en->retry_at)
                en->retry_at = s->retry_at;
        unknow(l, s->queue);
        if (!s->reported)
                engine_post_plain(l, NOTICE_REFUSED, s)->why = *why;
        s->reported = true;
        renewed(l, s);
}

static void push_consuming(struct engine *en, uint64_t id)
{
        if (en->consuming_count == 0)
                en->consuming_first = 0;
        if (en->consuming_first + en->consuming_count == en->consuming_size) {
                en->consuming_size = en->consuming_size == 0 ? 64 : en->consuming_size * 2;
                en->consuming = xrealloc(en->consuming, en->consuming_size * sizeof(uint64_t));
        }
        en->consuming[en->consuming_first + en->consuming_count++] = id;
}

static uint64_t pop_consuming(struct engine *en)
{
        if (en->consuming_count == 0)
                return 0;
        en->consuming_count--;
        return en->consuming[en->consuming_first++];
}

static int send_qos(struct link *l, uint16_t prefetch)
{
        if (l->engine.prefetch == prefetch)
                return 0;
        l->engine.prefetch = prefetch;
        amqp_basic_qos_t qos = {.prefetch_count = prefetch};
        return connection_send(l, WORK_CHANNEL, AMQP_BASIC_QOS_METHOD, &qos);
}

static amqp_table_entry_t offset_argument(enum source_start start, int64_t offset)
{
        amqp_table_entry_t a = {.key = amqp_cstring_bytes("x-stream-offset")};

        a.value.kind = start == SOURCE_OFFSET ? AMQP_FIELD_KIND_I64 : AMQP_FIELD_KIND_UTF8;
        switch (start) {
        case SOURCE_NEXT:
                a.value.value.bytes = amqp_cstring_bytes("next");
                break;
        case SOURCE_FIRST:
                a.value.value.bytes = amqp_cstring_bytes("first");
                break;
        case SOURCE_OFFSET:
                a.value.value.i64 = offset;
                break;
        }
        return a;
}

static int send_consume(struct link *l, struct subscription *s, enum source_start start,
                        int64_t offset)
{
        char tag[TAG_SIZE];
        amqp_table_entry_t arguments[2];
        int count = 0;

        if (s->source.stream)
                arguments[count++] = offset_argument(start, offset);
        if (s->source.priority != 0)
                arguments[count++] = (amqp_table_entry_t){
                        .key = amqp_cstring_bytes("x-priority"),
                        .value = {.kind = AMQP_FIELD_KIND_I32, .value.i32 = s->source.priority},
                };
        amqp_basic_consume_t consume = {
                .queue = amqp_cstring_bytes(s->queue),
                .consumer_tag = consumer_tag(s, tag),
                .exclusive = s->source.exclusive,
                .arguments = {.num_entries = count, .entries = arguments},
        };
        s->state = SUBSCRIPTION_SENT;
        if (send_qos(l, s->source.prefetch) < 0)
                return -1;
        push_consuming(&l->engine, s->id);
        return connection_send(l, WORK_CHANNEL, AMQP_BASIC_CONSUME_METHOD, &consume);
}

/* The queue is there. */
static int proceed(struct link *l, struct subscription *s)
{
        if (!s->source.stream || s->source.start == NULL)
                return send_consume(l, s, SOURCE_NEXT, 0);
        s->state = SUBSCRIPTION_ASKING;
        engine_post_plain(l, NOTICE_WHERE, s)->epoch = l->engine.epoch;
        return 0;
}

static int begin(struct link *l, struct subscription *s)
{
        if (find_known(l, s->queue) != NULL)
                return proceed(l, s);
        s->state = SUBSCRIPTION_PROBING;
        declarations_probe(l, s);
        return 0;
}

int subscriptions_probed(struct link *l, uint64_t id, const struct err *why)
{
        struct subscription *s = find_id(l, id);

        if (s == NULL || s->state != SUBSCRIPTION_PROBING)
                return 0;
        if (why != NULL) {
                refuse(l, s, why);
                return 0;
        }
        know(l, s->queue);
        return proceed(l, s);
}

void subscriptions_consumed(struct link *l, amqp_bytes_t tag)
{
        bool stream = false;
        struct subscription *s = subscriptions_find(l, tag, &stream);

        pop_consuming(&l->engine);
        if (s == NULL || s->state != SUBSCRIPTION_SENT)
                return;
        s->state = SUBSCRIPTION_ACTIVE;
        s->reported = false;
        renewed(l, s);
}

void subscriptions_cancelled(struct link *l, amqp_bytes_t tag)
{
        bool stream = false;
        struct subscription *s = subscriptions_find(l, tag, &stream);
        struct err why = {0};

        if (s == NULL)
                return;
        err_set(&why, ERR_NOT_FOUND, "the broker cancelled the subscription of %s", s->queue);
        refuse(l, s, &why);
}

void subscriptions_consume_failed(struct link *l, const struct err *why)
{
        struct subscription *s = find_id(l, pop_consuming(&l->engine));

        if (s != NULL)
                refuse(l, s, why);
}

static int cancel(struct link *l, struct subscription *s)
{
        char tag[TAG_SIZE];

        if (s->state != SUBSCRIPTION_SENT && s->state != SUBSCRIPTION_ACTIVE)
                return 0;
        s->state = SUBSCRIPTION_IDLE;
        amqp_basic_cancel_t m = {.consumer_tag = consumer_tag(s, tag), .nowait = 1};
        return connection_send(l, WORK_CHANNEL, AMQP_BASIC_CANCEL_METHOD, &m);
}

int subscriptions_cancel_all(struct link *l)
{
        struct subscription *s, *next;

        HASH_ITER (hh, l->engine.subscriptions, s, next) {
                int result = cancel(l, s);
                s->state = SUBSCRIPTION_IDLE;
                renewed(l, s);
                if (result < 0)
                        return -1;
        }
        return 0;
}

static int unsubscribe(struct link *l, struct subscription *s)
{
        int result = cancel(l, s);

        HASH_DEL(l->engine.subscriptions, s);
        renewed(l, s);
        engine_post_plain(l, NOTICE_GONE, s);
        return result;
}

static int subscribe(struct link *l, struct subscription *s)
{
        HASH_ADD(hh, l->engine.subscriptions, id, sizeof(s->id), s);
        if (!engine_is_connected(l) || l->engine.draining)
                return 0;
        return begin(l, s);
}

int subscriptions_order(struct link *l, struct order *o)
{
        AUTO_FREE struct order *order = o;
        struct subscription *s;

        switch (order->kind) {
        case ORDER_SUBSCRIBE:
                return subscribe(l, order->subscription);
        case ORDER_UNSUBSCRIBE:
                return unsubscribe(l, order->subscription);
        case ORDER_CONSUME:
                s = order->subscription;
                if (order->epoch != l->engine.epoch || s->state != SUBSCRIPTION_ASKING)
                        return 0;
                return send_consume(l, s, order->start, order->offset);
        case ORDER_DRAIN:
                l->engine.draining = true;
                l->engine.drain_deadline = clock_mono() + order->limit;
                return subscriptions_cancel_all(l);
        }
        return 0;
}

/* Those refused by this connection a moment ago keep their pause. */
static bool is_due(const struct subscription *s, msec now)
{
        return s->state == SUBSCRIPTION_IDLE ||
               (s->state == SUBSCRIPTION_REFUSED && s->retry_at <= now);
}

int subscriptions_connected(struct link *l)
{
        struct engine *en = &l->engine;
        struct subscription *s, *next;
        msec now = clock_mono();

        en->renewing = feed_is_open(l) ? 1 : 2; /* not before the loop is through */
        HASH_ITER (hh, en->subscriptions, s, next) {
                if (en->draining || !is_due(s, now))
                        continue;
                s->renewing = true;
                en->renewing++;
                if (begin(l, s) < 0)
                        return -1;
        }
        subscriptions_count_down(l);
        return 0;
}

void subscriptions_disconnected(struct link *l, bool connection_lost)
{
        struct engine *en = &l->engine;
        struct subscription *s, *next;

        HASH_ITER (hh, en->subscriptions, s, next) {
                s->renewing = false;
                if (connection_lost || s->state != SUBSCRIPTION_REFUSED)
                        s->state = SUBSCRIPTION_IDLE;
        }
        en->renewing = 0;
        en->prefetch = -1;
        en->consuming_first = en->consuming_count = 0;
        if (connection_lost) {
                en->retry_at = 0;
                unknow_all(l);
        }
}

int subscriptions_retry(struct link *l, msec now)
{
        struct engine *en = &l->engine;
        struct subscription *s, *next;

        if (en->retry_at == 0 || now < en->retry_at || en->draining)
                return 0;
        en->retry_at = 0;
        HASH_ITER (hh, en->subscriptions, s, next) {
                if (s->state != SUBSCRIPTION_REFUSED)
                        continue;
                if (s->retry_at <= now) {
                        if (begin(l, s) < 0)
                                return -1;
                } else if (en->retry_at == 0 || s->retry_at < en->retry_at) {
                        en->retry_at = s->retry_at;
                }
        }
        return 0;
}

void subscription_free(struct subscription *s)
{
        free(s->queue);
        free(s);
}

void subscriptions_end(struct link *l)
{
        unknow_all(l);
        HASH_CLEAR(hh, l->engine.subscriptions);
        free(TAKE(l->engine.consuming));
}
