/* SPDX-License-Identifier: Apache-2.0
 *
 * frames.c: reads what the broker sent: puts messages together out of frames (rabbitmq-c's own
 * reader drops frames of other channels) and hands methods to whom they concern.
 */
#include <stdlib.h>
#include <string.h>

#include "common/amqp/link_parts.h"

void assembly_reset(struct assembly *a)
{
        free(a->box);
        free(a->own_body);
        *a = (struct assembly){0};
}

static int begin_message(struct link *l, const amqp_method_t *m)
{
        struct assembly *a = &l->engine.assembly;

        if (a->active)
                return engine_fail(l, ERR_PROTOCOL, "a message within a message");
        *a = (struct assembly){.active = true};
        if (m->id == AMQP_BASIC_RETURN_METHOD) {
                a->returned = true;
                a->back = *(const amqp_basic_return_t *)m->decoded;
        } else {
                a->deliver = *(const amqp_basic_deliver_t *)m->decoded;
        }
        return 0;
}

static char *copy_in(char **at, amqp_bytes_t b)
{
        char *start = *at;

        if (b.len > 0)
                memcpy(start, b.bytes, b.len);
        *at += b.len;
        return start;
}

/* Everything of the message but the body, which the frames to come will fill. */
static void fill_box(struct box *b, const struct assembly *a, const amqp_frame_t *f)
{
        struct message *m = &b->delivery.message;
        amqp_bytes_t raw = f->payload.properties.raw;
        char *at = (char *)(b + 1);

        wire_message(f->payload.properties.decoded, raw, copy_in(&at, raw), m);
        m->exchange = bytes_of(copy_in(&at, a->deliver.exchange), a->deliver.exchange.len);
        m->routing_key = bytes_of(copy_in(&at, a->deliver.routing_key), a->deliver.routing_key.len);
        m->body = bytes_of(at, a->size);
        at[a->size] = '\0';
        b->tag = a->deliver.delivery_tag;
        b->delivery.redelivered = a->deliver.redelivered != 0;
        b->delivery.offset = -1;
}

static int begin_box(struct link *l, const amqp_frame_t *f)
{
        struct assembly *a = &l->engine.assembly;
        size_t size = sizeof(struct box) + f->payload.properties.raw.len + a->deliver.exchange.len +
                      a->deliver.routing_key.len + a->size + 1;
        struct box *b = malloc(size);

        if (b == NULL)
                return engine_fail(l, ERR_TOO_LARGE, "no memory for a message of %zu bytes", size);
        memset(b, 0, offsetof(struct box, delivery));
        b->link = l;
        b->size = size;
        b->epoch = l->engine.epoch;
        fill_box(b, a, f);
        a->box = b;
        a->body = (char *)b->delivery.message.body.data;
        return 0;
}

static int begin_return(struct link *l, const amqp_frame_t *f)
{
        struct assembly *a = &l->engine.assembly;
        const amqp_basic_properties_t *p = f->payload.properties.decoded;

        if ((p->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) != 0)
                a->message_id = p->message_id;
        a->own_body = malloc(a->size + 1);
        if (a->own_body == NULL)
                return engine_fail(l, ERR_TOO_LARGE, "no memory for a message of %zu bytes",
                                   a->size);
        a->body = a->own_body;
        return 0;
}

static int settle_unknown(struct link *l, const struct box *b, bool stream)
{
        amqp_connection_state_t c = l->engine.connection;
        /* A nack on a stream closes the connection. */
        int status = stream ? amqp_basic_ack(c, WORK_CHANNEL, b->tag, 0)
                            : amqp_basic_nack(c, WORK_CHANNEL, b->tag, 0, 1);

        return status == AMQP_STATUS_OK ? 0 : engine_fail_status(l, status, "requeue");
}

static int deliver(struct link *l)
{
        struct assembly *a = &l->engine.assembly;
        bool stream = false;
        struct subscription *s = subscriptions_find(l, a->deliver.consumer_tag, &stream);

        if (s == NULL || l->engine.draining)
                return settle_unknown(l, a->box, stream);
        struct box *b = a->box;
        a->box = NULL;
        b->stream = stream;
        b->delivery.subscription = s;
        if (stream)
                b->delivery.offset =
                        message_header_int(&b->delivery.message, "x-stream-offset", -1);
        settles_track(l, b);
        engine_post(l, &b->notice, NOTICE_DELIVERY);
        return 0;
}

static int end_message(struct link *l)
{
        struct assembly *a = &l->engine.assembly;
        int result = 0;

        if (a->returned)
                publisher_return(l, a);
        else
                result = deliver(l);
        assembly_reset(a);
        return result;
}

static int on_header(struct link *l, const amqp_frame_t *f)
{
        struct assembly *a = &l->engine.assembly;

        if (!a->active || a->body != NULL)
                return engine_fail(l, ERR_PROTOCOL, "a header out of place");
        if (f->payload.properties.body_size > BODY_MAX)
                return engine_fail(l, ERR_TOO_LARGE, "a message over %d bytes", BODY_MAX);
        a->size = a->left = (size_t)f->payload.properties.body_size;
        int result = a->returned ? begin_return(l, f) : begin_box(l, f);
        if (result < 0 || a->left > 0)
                return result;
        return end_message(l);
}

static int on_body(struct link *l, const amqp_frame_t *f)
{
        struct assembly *a = &l->engine.assembly;
        amqp_bytes_t part = f->payload.body_fragment;

        if (!a->active || a->body == NULL || part.len > a->left)
                return engine_fail(l, ERR_PROTOCOL, "a body out of place");
        memcpy(a->body, part.bytes, part.len);
        a->body += part.len;
        a->left -= part.len;
        return a->left > 0 ? 0 : end_message(l);
}

static int on_work_closed(struct link *l, const amqp_channel_close_t *why)
{
        struct engine *en = &l->engine;
        amqp_channel_close_ok_t ok = {0};
        struct err e = {0};
        bool by_publish = why->class_id == 60 && why->method_id == 40;
        /* RESOURCE_ERROR: the broker's coordinator of streams is away. */
        bool stream_away = l->stream != NULL && why->reply_code == AMQP_RESOURCE_ERROR;

        err_set(&e, wire_reply_code(why->reply_code), "%.*s", (int)why->reply_text.len,
                (const char *)why->reply_text.bytes);
        if (stream_away || (by_publish && !feed_is_open(l)))
                return engine_fail(l, e.code, "%s", e.text);
        if (connection_send(l, WORK_CHANNEL, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok) < 0)
                return -1;
        atomic_store(&l->live_epoch, 0);
        if (why->class_id == 60 && why->method_id == 20)
                subscriptions_consume_failed(l, &e);
        publisher_disconnected(l, by_publish);
        subscriptions_disconnected(l, false);
        settles_disconnected(l);
        assembly_reset(&en->assembly);
        engine_post_plain(l, NOTICE_DOWN, NULL)->why = e;
        if (connection_open_channel(l) < 0)
                return -1;
        return subscriptions_connected(l);
}

static int on_work_method(struct link *l, const amqp_method_t *m)
{
        const amqp_basic_ack_t *ack = m->decoded;
        const amqp_basic_nack_t *nack = m->decoded;

        switch (m->id) {
        case AMQP_BASIC_DELIVER_METHOD:
        case AMQP_BASIC_RETURN_METHOD:
                return begin_message(l, m);
        case AMQP_BASIC_ACK_METHOD:
                publisher_confirm(l, ack->delivery_tag, ack->multiple, LINK_CONFIRMED);
                return 0;
        case AMQP_BASIC_NACK_METHOD:
                publisher_confirm(l, nack->delivery_tag, nack->multiple, LINK_NACKED);
                return 0;
        case AMQP_BASIC_CONSUME_OK_METHOD:
                subscriptions_consumed(l, ((amqp_basic_consume_ok_t *)m->decoded)->consumer_tag);
                return 0;
        case AMQP_BASIC_CANCEL_METHOD:
                subscriptions_cancelled(l, ((amqp_basic_cancel_t *)m->decoded)->consumer_tag);
                return 0;
        case AMQP_CHANNEL_CLOSE_METHOD:
                return on_work_closed(l, m->decoded);
        default:
                return 0; /* answers that carry nothing */
        }
}

static int on_connection_method(struct link *l, const amqp_method_t *m)
{
        const amqp_connection_close_t *close = m->decoded;
        amqp_connection_close_ok_t ok = {0};

        switch (m->id) {
        case AMQP_CONNECTION_CLOSE_METHOD:
                if (connection_send(l, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok) < 0)
                        return -1;
                return engine_fail(l, wire_reply_code(close->reply_code), "%.*s",
                                   (int)close->reply_text.len,
                                   (const char *)close->reply_text.bytes);
        case AMQP_CONNECTION_BLOCKED_METHOD:
                engine_set_blocked(l, true);
                return 0;
        case AMQP_CONNECTION_UNBLOCKED_METHOD:
                engine_set_blocked(l, false);
                return 0;
        default:
                return 0;
        }
}

static int on_method(struct link *l, const amqp_frame_t *f)
{
        const amqp_method_t *m = &f->payload.method;

        if (f->channel == WORK_CHANNEL)
                return on_work_method(l, m);
        if (f->channel != DECLARE_CHANNEL)
                return on_connection_method(l, m);
        if (m->id == AMQP_CHANNEL_CLOSE_METHOD)
                return declarations_refused(l, m->decoded);
        return declarations_answered(l, m);
}

static int on_frame(struct link *l, const amqp_frame_t *f)
{
        switch (f->frame_type) {
        case AMQP_FRAME_METHOD:
                return on_method(l, f);
        case AMQP_FRAME_HEADER:
                return on_header(l, f);
        case AMQP_FRAME_BODY:
                return on_body(l, f);
        default:
                return 0;
        }
}

int frames_read(struct link *l)
{
        struct engine *en = &l->engine;
        struct timeval zero = {0};
        amqp_frame_t f;

        en->read_more = true;
        for (int i = 0; i < READ_BATCH && !budget_is_spent(l); i++) {
                int status = amqp_simple_wait_frame_noblock(en->connection, &f, &zero);
                if (status == AMQP_STATUS_TIMEOUT) {
                        en->read_more = false;
                        break;
                }
                if (status != AMQP_STATUS_OK)
                        return engine_fail_status(l, status, "read");
                if (on_frame(l, &f) < 0)
                        return -1;
                /* What is being put together still points into the channel's memory. */
                if (f.channel != WORK_CHANNEL || !en->assembly.active)
                        amqp_maybe_release_buffers_on_channel(en->connection, f.channel);
        }
        en->read_at = clock_mono();
        return 0;
}
