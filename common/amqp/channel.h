/* SPDX-License-Identifier: Apache-2.0
 *
 * channel.h: one connection to a broker and its channels: writes methods and publishes, reads
 * methods and whole messages. Link's thread only. Every call may block for about 5 s while the
 * broker does not read. After a failure (-1) destroy the connection.
 */
#pragma once

#include "common/amqp/incoming.h"
#include "common/amqp/login.h"
#include "common/amqp/outgoing.h"

struct channel;

enum {
        PUBLISH_CHANNEL = 1,
        DECLARE_CHANNEL = 2,  /* its own: a refusal closes the channel */
        DELIVERY_CHANNEL = 3, /* the first of DELIVERY_CHANNELS */
        DELIVERY_CHANNELS = CHANNEL_MAX - DELIVERY_CHANNEL + 1,
        TRIAL_CHANNEL = CHANNEL_MAX, /* the last of them: see answers.h */
};

/* Connects and logs in. Borrows its arguments until it returns. */
struct channel *channel_create(const struct address *a, const struct login *l,
                               struct err *e) MUST_CHECK;
/* Closes the socket without telling the broker. */
void channel_destroy(struct channel **ch);
/* Sends connection.close, waits up to 1 s for the answer, then destroys. */
void channel_close(struct channel **ch);

int channel_send(struct channel *ch, uint16_t channel, amqp_method_number_t id, void *method,
                 struct err *e) MUST_CHECK;
/* Opens the channel; PUBLISH_CHANNEL: with publisher confirms. Does not wait for the answer. */
int channel_open(struct channel *ch, uint16_t channel, struct err *e) MUST_CHECK;
/* The broker has closed the channel: drops its unfinished message and sends channel.close-ok. */
int channel_closed(struct channel *ch, uint16_t channel, struct err *e) MUST_CHECK;
int channel_ack(struct channel *ch, const struct incoming *in, bool multiple,
                struct err *e) MUST_CHECK;
int channel_requeue(struct channel *ch, const struct incoming *in, struct err *e) MUST_CHECK;
int channel_reject(struct channel *ch, const struct incoming *in, struct err *e) MUST_CHECK;
/* Publishes between begin and flush may be buffered until flush. Send nothing else meanwhile. */
void channel_begin(struct channel *ch);
int channel_publish(struct channel *ch, const struct outgoing *o, struct err *e) MUST_CHECK;
int channel_flush(struct channel *ch, struct err *e) MUST_CHECK;
/* Sends a heartbeat, which rabbitmq-c does only while it reads. */
int channel_beat(struct channel *ch, struct err *e) MUST_CHECK;

/* A delivery whose headers rabbitmq-c cannot decode. */
struct unreadable {
        amqp_bytes_t consumer_tag;
        uint16_t channel;
        uint64_t tag;
        int64_t offset; /* in a stream; -1: not known */
};
/* basic.reject without requeue. */
int channel_refuse(struct channel *ch, const struct unreadable *u, struct err *e) MUST_CHECK;

/* What was read: at most one of these is set. */
struct channel_event {
        uint16_t channel;
        const amqp_method_t *method;         /* borrowed until the next read */
        struct incoming *delivery;           /* the caller owns it */
        const struct returned *returned;     /* borrowed until the next read */
        const struct unreadable *unreadable; /* set only when it made the read fail */
};
/* Reads one frame without waiting. 1: read, see `event`; 0: there is no frame now. */
int channel_read(struct channel *ch, struct channel_event *event, struct err *e) MUST_CHECK;
/* Bytes read from the socket are still to be parsed. */
bool channel_has_input(const struct channel *ch);

int channel_fd(const struct channel *ch);
bool channel_is_tls(const struct channel *ch);
