/* SPDX-License-Identifier: Apache-2.0
 *
 * assembly.h: assembles one channel's messages from frames: a method, a header, and bodies.
 * (rabbitmq-c's own reader drops the frames of other channels.)
 */
#pragma once

#include "common/amqp/incoming.h"
#include "common/amqp/outgoing.h"

/* While active it borrows from rabbitmq-c's memory of that channel. */
struct assembly {
        bool active, is_return; /* is_return: a basic.return */
        amqp_basic_deliver_t deliver;
        amqp_basic_return_t back;
        amqp_bytes_t message_id;
        struct incoming *incoming; /* NULL until the header was read */
        char *return_body;         /* owned */
        char *body;                /* where the next bytes go */
        size_t left;
        size_t size; /* of the body */
};

/* Frees an unfinished message. */
void assembly_reset(struct assembly *a);
/* m: basic.deliver or basic.return. */
int assembly_begin(struct assembly *a, const amqp_method_t *m, struct err *e) MUST_CHECK;
/* Adds a header or body frame. 1: the message is whole; 0: more frames follow; -1: an error. Sizes
 * are checked against RabbitMQ's own limit before memory is allocated. */
int assembly_add(struct assembly *a, const amqp_frame_t *f, struct err *e) MUST_CHECK;
/* The whole delivery, which the caller then owns. */
struct incoming *assembly_take(struct assembly *a);
/* The whole return, borrowed from the assembly. */
struct returned assembly_returned(const struct assembly *a);
