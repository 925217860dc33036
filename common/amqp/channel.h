/* SPDX-License-Identifier: Apache-2.0
 *
 * channel.h: one connection to a broker and the channels on it, as rabbitmq-c gives them: methods
 * and publishes out, methods and whole messages in. The link's thread only. Every call may block
 * until the broker reads, at most some 5 s; after a failure (-1) the connection is to be destroyed.
 */
#ifndef WARREN_AMQP_CHANNEL_H
#define WARREN_AMQP_CHANNEL_H

#include "common/amqp/incoming.h"
#include "common/amqp/login.h"
#include "common/amqp/outgoing.h"

struct channel;

enum {
        PUBLISH_CHANNEL = 1,
        DECLARE_CHANNEL = 2,  /* so that a refusal does not end publishes */
        DELIVERY_CHANNEL = 3, /* and those behind it */
        DELIVERY_CHANNELS = CHANNEL_MAX - DELIVERY_CHANNEL + 1,
};

/* Connects and logs in. Everything is borrowed until the call returns. */
struct channel *channel_create(const struct address *a, const struct login *l,
                               struct err *e) MUST_CHECK;
/* Closes at once. */
void channel_destroy(struct channel **ch);
/* Tells the broker first, and waits 1 s for its answer. */
void channel_close(struct channel **ch);

int channel_send(struct channel *ch, uint16_t channel, amqp_method_number_t id, void *method,
                 struct err *e) MUST_CHECK;
/* Opens the channel; confirms: with publisher confirms. */
int channel_open(struct channel *ch, uint16_t channel, struct err *e) MUST_CHECK;
int channel_open_confirmed(struct channel *ch, uint16_t channel, struct err *e) MUST_CHECK;
/* The broker has closed it: its unfinished message goes. */
int channel_closed(struct channel *ch, uint16_t channel, struct err *e) MUST_CHECK;
int channel_ack(struct channel *ch, const struct incoming *in, bool multiple,
                struct err *e) MUST_CHECK;
int channel_requeue(struct channel *ch, const struct incoming *in, struct err *e) MUST_CHECK;
/* Written at the next flush, or before it. Between begin and flush nothing else is sent. */
void channel_begin(struct channel *ch);
int channel_publish(struct channel *ch, const struct outgoing *o, struct err *e) MUST_CHECK;
int channel_flush(struct channel *ch, struct err *e) MUST_CHECK;
/* rabbitmq-c sends heartbeats only while it reads: this sends one. */
int channel_beat(struct channel *ch, struct err *e) MUST_CHECK;

/* A delivery whose headers the library cannot decode. */
struct unreadable {
        amqp_bytes_t consumer_tag;
        uint16_t channel;
        uint64_t tag;
        int64_t offset; /* of a stream; -1: not known */
};
/* basic.reject: it does not come again. */
int channel_refuse(struct channel *ch, const struct unreadable *u, struct err *e) MUST_CHECK;

/* What was read: one of these, or none. */
struct channel_event {
        uint16_t channel;
        const amqp_method_t *method;         /* until the next read */
        struct incoming *delivery;           /* the reader's */
        const struct returned *returned;     /* until the next read */
        const struct unreadable *unreadable; /* only with a failure, which it is the cause of */
};
/* Never waits. 1: something was read, of which `event` tells what concerns the reader; 0: there is
 * nothing more now. */
int channel_read(struct channel *ch, struct channel_event *event, struct err *e) MUST_CHECK;
/* Bytes were read from the socket and not looked at yet. */
bool channel_has_input(const struct channel *ch);

int channel_fd(const struct channel *ch);
bool channel_is_tls(const struct channel *ch);

#endif
