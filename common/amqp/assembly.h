/* SPDX-License-Identifier: Apache-2.0
 *
 * assembly.h: puts the messages of one channel together out of frames: a method, a header, and
 * bodies. (rabbitmq-c's own reader drops the frames of other channels.)
 */
#ifndef WARREN_AMQP_ASSEMBLY_H
#define WARREN_AMQP_ASSEMBLY_H

#include "common/amqp/incoming.h"
#include "common/amqp/outgoing.h"

/* While it is active it points into rabbitmq-c's memory of that channel. */
struct assembly {
        bool active, is_return; /* is_return: a basic.return */
        amqp_basic_deliver_t deliver;
        amqp_basic_return_t back;
        amqp_bytes_t message_id;
        struct incoming *incoming; /* NULL until the header is here */
        char *own_body;            /* a return's */
        char *body;                /* where the next bytes go */
        size_t left;
        size_t size;
};

/* Frees what is unfinished. */
void assembly_reset(struct assembly *a);
/* basic.deliver or basic.return. */
int assembly_begin(struct assembly *a, const amqp_method_t *m, struct err *e) MUST_CHECK;
/* A header or body frame. 1: the message is whole; 0: there is more to come; -1: an error. Sizes
 * are checked against RabbitMQ's own limit before anything is allocated. */
int assembly_add(struct assembly *a, const amqp_frame_t *f, struct err *e) MUST_CHECK;
/* Of a whole delivery: it is the caller's. */
struct incoming *assembly_take(struct assembly *a);
/* Of a whole return: borrows from the assembly. */
struct returned assembly_returned(const struct assembly *a);

#endif
