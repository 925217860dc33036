/* SPDX-License-Identifier: Apache-2.0
 *
 * assembly.c: frames into messages.
 */
#include "common/amqp/assembly.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/own.h"

void assembly_reset(struct assembly *a)
{
        free(a->incoming);
        free(a->return_body);
        *a = (struct assembly){0};
}

int assembly_begin(struct assembly *a, const amqp_method_t *m, struct err *e)
{
        if (a->active)
                return err_set(e, ERR_PROTOCOL, "a message began before the last one was whole");
        *a = (struct assembly){.active = true};
        if (m->id == AMQP_BASIC_RETURN_METHOD) {
                a->is_return = true;
                a->back = *(const amqp_basic_return_t *)m->decoded;
        } else {
                a->deliver = *(const amqp_basic_deliver_t *)m->decoded;
        }
        return 0;
}

static void copy_tag(struct incoming *in, amqp_bytes_t tag)
{
        size_t length = tag.len < CONSUMER_TAG_SIZE ? tag.len : 0;

        if (length > 0)
                memcpy(in->consumer_tag, tag.bytes, length);
        in->consumer_tag[length] = '\0';
}

/* Everything but the body, which later frames fill. */
static void fill(struct incoming *in, const struct assembly *a, const amqp_frame_t *f)
{
        struct message *m = &in->delivery.message;
        amqp_bytes_t raw = f->payload.properties.raw, copy = raw;
        amqp_bytes_t exchange = a->deliver.exchange, key = a->deliver.routing_key;
        char *at = (char *)(in + 1);

        wire_place(&at, &copy);
        wire_place(&at, &exchange);
        wire_place(&at, &key);
        wire_message(f->payload.properties.decoded, raw, copy.bytes, m);
        m->exchange = wire_view(exchange);
        m->routing_key = wire_view(key);
        m->body = bytes_of(at, a->size);
        at[a->size] = '\0';
        copy_tag(in, a->deliver.consumer_tag);
        in->tag = a->deliver.delivery_tag;
        in->delivery.redelivered = a->deliver.redelivered != 0;
        in->delivery.offset = -1;
}

static int no_memory(const struct assembly *a, struct err *e)
{
        return err_set(e, ERR_TOO_LARGE, "no memory for a message of %zu bytes", a->size);
}

static int begin_delivery(struct assembly *a, const amqp_frame_t *f, struct err *e)
{
        size_t size = sizeof(struct incoming) + f->payload.properties.raw.len +
                      a->deliver.exchange.len + a->deliver.routing_key.len + a->size + 1;
        struct incoming *in = malloc(size);

        if (in == NULL)
                return no_memory(a, e);
        memset(in, 0, offsetof(struct incoming, delivery));
        in->size = size;
        in->channel = f->channel;
        fill(in, a, f);
        a->incoming = in;
        a->body = (char *)in->delivery.message.body.data;
        return 0;
}

static int begin_return(struct assembly *a, const amqp_frame_t *f, struct err *e)
{
        const amqp_basic_properties_t *p = f->payload.properties.decoded;

        if ((p->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) != 0)
                a->message_id = p->message_id;
        a->return_body = malloc(a->size + 1);
        if (a->return_body == NULL)
                return no_memory(a, e);
        a->body = a->return_body;
        return 0;
}

static int add_header(struct assembly *a, const amqp_frame_t *f, struct err *e)
{
        if (!a->active || a->body != NULL)
                return err_set(e, ERR_PROTOCOL, "an unexpected header frame");
        if (f->payload.properties.body_size > BODY_MAX)
                return err_set(e, ERR_TOO_LARGE, "a message over %d bytes", BODY_MAX);
        a->size = a->left = (size_t)f->payload.properties.body_size;
        int result = a->is_return ? begin_return(a, f, e) : begin_delivery(a, f, e);
        return result < 0 ? -1 : a->left == 0;
}

static int add_body(struct assembly *a, const amqp_frame_t *f, struct err *e)
{
        amqp_bytes_t part = f->payload.body_fragment;

        if (!a->active || a->body == NULL || part.len > a->left)
                return err_set(e, ERR_PROTOCOL, "an unexpected body frame");
        memcpy(a->body, part.bytes, part.len);
        a->body += part.len;
        a->left -= part.len;
        return a->left == 0;
}

int assembly_add(struct assembly *a, const amqp_frame_t *f, struct err *e)
{
        return f->frame_type == AMQP_FRAME_HEADER ? add_header(a, f, e) : add_body(a, f, e);
}

struct incoming *assembly_take(struct assembly *a)
{
        return TAKE(a->incoming);
}

struct returned assembly_returned(const struct assembly *a)
{
        return (struct returned){
                .exchange = a->back.exchange,
                .routing_key = a->back.routing_key,
                .message_id = a->message_id,
                .body = {.len = a->size, .bytes = a->return_body},
        };
}
