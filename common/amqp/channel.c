/* SPDX-License-Identifier: Apache-2.0
 *
 * channel.c: a connection to a broker: opened, with TLS when the URL says so, written and read.
 *
 * On a plain connection publishes are encoded here and sent together. Over TLS only rabbitmq-c can
 * write, so it encodes and sends them.
 */
#include "common/amqp/channel.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/amqp/assembly.h"
#include "common/amqp/encode.h"
#include "common/base/memory.h"
#include "common/base/own.h"

#define WRITE_LIMIT ((msec)5000)
#define CLOSE_LIMIT ((msec)1000)

enum { FLUSH_AT = 262144 /* bytes */ };

struct channel {
        amqp_connection_state_t connection;
        int fd;
        bool tls;
        size_t frame_max;  /* of what is sent */
        struct buffer out; /* frames to be sent together */
        struct assembly assemblies[CHANNEL_MAX + 1];
        amqp_frame_t frame; /* the last one read */
        uint16_t whole;     /* channel whose message the last read completed; 0: none */
        struct returned returned;
        struct unreadable unreadable;
};

struct channel *channel_create(const struct address *a, const struct login *l, struct err *e)
{
        size_t frame_max = 0;
        amqp_connection_state_t connection = login_open(a, l, &frame_max, e);

        if (connection == NULL)
                return NULL;
        struct channel *ch = xcalloc(1, sizeof(*ch));
        ch->frame_max = frame_max;
        ch->connection = connection;
        ch->fd = amqp_get_sockfd(connection);
        ch->tls = a->tls;
        return ch;
}

void channel_destroy(struct channel **channel)
{
        struct channel *ch = TAKE(*channel);

        if (ch == NULL)
                return;
        for (size_t i = 0; i <= CHANNEL_MAX; i++)
                assembly_reset(&ch->assemblies[i]);
        amqp_destroy_connection(ch->connection);
        buffer_fini(&ch->out);
        free(ch);
}

void channel_close(struct channel **ch)
{
        struct timeval limit = {.tv_sec = CLOSE_LIMIT / MSEC_SECOND};

        if (*ch != NULL) {
                amqp_set_rpc_timeout((*ch)->connection, &limit);
                amqp_connection_close((*ch)->connection, AMQP_REPLY_SUCCESS);
        }
        channel_destroy(ch);
}

static int check(int status, const char *doing, struct err *e)
{
        return status == AMQP_STATUS_OK ? 0 : wire_fail(status, doing, e);
}

int channel_send(struct channel *ch, uint16_t channel, amqp_method_number_t id, void *method,
                 struct err *e)
{
        return check(amqp_send_method(ch->connection, channel, id, method), "send", e);
}

int channel_open(struct channel *ch, uint16_t channel, struct err *e)
{
        amqp_channel_open_t open = {0};
        amqp_confirm_select_t select = {0};

        if (channel_send(ch, channel, AMQP_CHANNEL_OPEN_METHOD, &open, e) < 0)
                return -1;
        if (channel != PUBLISH_CHANNEL)
                return 0;
        return channel_send(ch, channel, AMQP_CONFIRM_SELECT_METHOD, &select, e);
}

int channel_closed(struct channel *ch, uint16_t channel, struct err *e)
{
        amqp_channel_close_ok_t ok = {0};

        assembly_reset(&ch->assemblies[channel]);
        return channel_send(ch, channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok, e);
}

int channel_ack(struct channel *ch, const struct incoming *in, bool multiple, struct err *e)
{
        return check(amqp_basic_ack(ch->connection, in->channel, in->tag, multiple), "ack", e);
}

int channel_requeue(struct channel *ch, const struct incoming *in, struct err *e)
{
        return check(amqp_basic_nack(ch->connection, in->channel, in->tag, 0, 1), "requeue", e);
}

int channel_reject(struct channel *ch, const struct incoming *in, struct err *e)
{
        return check(amqp_basic_reject(ch->connection, in->channel, in->tag, 0), "reject", e);
}

int channel_refuse(struct channel *ch, const struct unreadable *u, struct err *e)
{
        return check(amqp_basic_reject(ch->connection, u->channel, u->tag, 0), "refuse", e);
}

static void cork(struct channel *ch, bool cork)
{
        int on = cork;

        setsockopt(ch->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
}

void channel_begin(struct channel *ch)
{
        if (ch->tls)
                cork(ch, true);
}

static int await_room(struct channel *ch, struct err *e)
{
        struct pollfd fd = {.fd = ch->fd, .events = POLLOUT};
        int ready = poll(&fd, 1, WRITE_LIMIT);

        if (ready > 0 || (ready < 0 && errno == EINTR))
                return 0;
        return err_set(e, ERR_UNAVAILABLE, "publish: the broker does not read");
}

static int send_buffer(struct channel *ch, struct err *e)
{
        struct buffer *out = &ch->out;
        int result = 0;

        for (size_t sent = 0; sent < out->length && result == 0;) {
                ssize_t n = send(ch->fd, out->data + sent, out->length - sent, MSG_NOSIGNAL);
                if (n >= 0)
                        sent += (size_t)n;
                else if (errno == EAGAIN || errno == EWOULDBLOCK)
                        result = await_room(ch, e);
                else if (errno != EINTR)
                        result = err_set(e, ERR_UNAVAILABLE, "publish: %s", strerror(errno));
        }
        if (out->size > FLUSH_AT * 2)
                buffer_fini(out);
        else
                buffer_clear(out);
        return result;
}

int channel_flush(struct channel *ch, struct err *e)
{
        if (!ch->tls)
                return send_buffer(ch, e);
        cork(ch, false);
        return 0;
}

static int buffered(struct channel *ch, const struct outgoing *o, struct err *e)
{
        if (encode_publish(&ch->out, o, PUBLISH_CHANNEL, ch->frame_max, e) < 0)
                return -1;
        return ch->out.length < FLUSH_AT ? 0 : send_buffer(ch, e);
}

static int send_body(struct channel *ch, amqp_bytes_t body)
{
        size_t most = ch->frame_max - FRAME_OVERHEAD;
        int status = AMQP_STATUS_OK;

        for (size_t at = 0; at < body.len && status == AMQP_STATUS_OK; at += most) {
                size_t left = body.len - at;
                const amqp_frame_t f = {
                        .frame_type = AMQP_FRAME_BODY,
                        .channel = PUBLISH_CHANNEL,
                        .payload.body_fragment = {.len = left < most ? left : most,
                                                  .bytes = (char *)body.bytes + at},
                };
                status = amqp_send_frame(ch->connection, &f);
        }
        return status;
}

static int send_frames(struct channel *ch, const struct outgoing *o, void *properties)
{
        amqp_basic_publish_t m = {
                .exchange = o->exchange, .routing_key = o->routing_key, .mandatory = o->mandatory};
        const amqp_frame_t header = {
                .frame_type = AMQP_FRAME_HEADER,
                .channel = PUBLISH_CHANNEL,
                .payload.properties = {.class_id = AMQP_BASIC_CLASS,
                                       .body_size = o->body.len,
                                       .decoded = properties},
        };
        int status =
                amqp_send_method(ch->connection, PUBLISH_CHANNEL, AMQP_BASIC_PUBLISH_METHOD, &m);

        if (status == AMQP_STATUS_OK)
                status = amqp_send_frame(ch->connection, &header);
        return status == AMQP_STATUS_OK ? send_body(ch, o->body) : status;
}

/* rabbitmq-c encodes the properties itself, so a raw list is decoded first. */
static int through_library(struct channel *ch, const struct outgoing *o, struct err *e)
{
        amqp_pool_t pool;
        void *decoded = (void *)&o->properties;
        int status = AMQP_STATUS_OK;

        init_amqp_pool(&pool, 4096);
        if (o->raw.len > 0)
                status = amqp_decode_properties(AMQP_BASIC_CLASS, &pool, o->raw, &decoded);
        if (status == AMQP_STATUS_OK)
                status = send_frames(ch, o, decoded);
        empty_amqp_pool(&pool);
        return check(status, "publish", e);
}

int channel_publish(struct channel *ch, const struct outgoing *o, struct err *e)
{
        return ch->tls ? through_library(ch, o, e) : buffered(ch, o, e);
}

int channel_beat(struct channel *ch, struct err *e)
{
        amqp_frame_t beat = {.frame_type = AMQP_FRAME_HEARTBEAT};

        return check(amqp_send_frame(ch->connection, &beat), "heartbeat", e);
}

/* Frees the last event: rabbitmq-c holds a message's frames until it is whole and was handled. */
static void release(struct channel *ch)
{
        if (ch->whole == 0)
                return;
        assembly_reset(&ch->assemblies[ch->whole]);
        amqp_maybe_release_buffers_on_channel(ch->connection, ch->whole);
        ch->whole = 0;
}

static int on_part(struct channel *ch, const amqp_frame_t *f, struct channel_event *event,
                   struct err *e)
{
        struct assembly *a = &ch->assemblies[f->channel];
        int whole = assembly_add(a, f, e);

        if (whole <= 0)
                return whole;
        ch->whole = f->channel;
        if (a->is_return) {
                ch->returned = assembly_returned(a);
                event->returned = &ch->returned;
        } else {
                event->delivery = assembly_take(a);
        }
        return 0;
}

static int on_method(struct channel *ch, const amqp_frame_t *f, struct channel_event *event,
                     struct err *e)
{
        const amqp_method_t *m = &f->payload.method;

        if (m->id == AMQP_BASIC_DELIVER_METHOD || m->id == AMQP_BASIC_RETURN_METHOD)
                return assembly_begin(&ch->assemblies[f->channel], m, e);
        if (!ch->assemblies[f->channel].active)
                ch->whole = f->channel;
        event->method = m;
        return 0;
}

static int on_frame(struct channel *ch, const amqp_frame_t *f, struct channel_event *event,
                    struct err *e)
{
        event->channel = f->channel;
        if (f->channel > CHANNEL_MAX)
                return err_set(e, ERR_PROTOCOL, "a frame of a channel that is not open");
        switch (f->frame_type) {
        case AMQP_FRAME_METHOD:
                return on_method(ch, f, event, e);
        case AMQP_FRAME_HEADER:
        case AMQP_FRAME_BODY:
                return on_part(ch, f, event, e);
        default:
                return 0;
        }
}

/* rabbitmq-c from 0.14 on refuses headers nested more than 100 deep and reads no further. */
static int read_failed(struct channel *ch, int status, struct channel_event *event, struct err *e)
{
        const amqp_frame_t *f = &ch->frame;
        const struct assembly *a = &ch->assemblies[f->channel <= CHANNEL_MAX ? f->channel : 0];

        if (status != AMQP_STATUS_BAD_AMQP_DATA || f->frame_type != AMQP_FRAME_HEADER ||
            !a->active || a->is_return || a->incoming != NULL)
                return wire_fail(status, "read", e);
        ch->unreadable = (struct unreadable){
                .consumer_tag = a->deliver.consumer_tag,
                .channel = f->channel,
                .tag = a->deliver.delivery_tag,
                .offset = wire_stream_offset(wire_view(f->payload.properties.raw)),
        };
        event->unreadable = &ch->unreadable;
        return err_set(e, ERR_PROTOCOL,
                       "the headers of a message from exchange %.*s with key %.*s nest too deep to "
                       "be read: it is refused, or passed over in a stream",
                       (int)a->deliver.exchange.len, (const char *)a->deliver.exchange.bytes,
                       (int)a->deliver.routing_key.len, (const char *)a->deliver.routing_key.bytes);
}

int channel_read(struct channel *ch, struct channel_event *event, struct err *e)
{
        struct timeval zero = {0};

        release(ch);
        *event = (struct channel_event){0};
        ch->frame.frame_type = 0; /* rabbitmq-c sets it, and the raw bytes, before it decodes */
        int status = amqp_simple_wait_frame_noblock(ch->connection, &ch->frame, &zero);
        if (status == AMQP_STATUS_TIMEOUT)
                return 0;
        if (status != AMQP_STATUS_OK)
                return read_failed(ch, status, event, e);
        return on_frame(ch, &ch->frame, event, e) < 0 ? -1 : 1;
}

bool channel_has_input(const struct channel *ch)
{
        return amqp_frames_enqueued(ch->connection) || amqp_data_in_buffer(ch->connection);
}

int channel_fd(const struct channel *ch)
{
        return ch->fd;
}

bool channel_is_tls(const struct channel *ch)
{
        return ch->tls;
}
