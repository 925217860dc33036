/* SPDX-License-Identifier: Apache-2.0
 *
 * handover.h: where a link's callers and its thread meet: lists under one mutex, and a few words
 * that both read. Callers hand over publishes, settles, orders and declarations, and wake the
 * thread; the thread hands back notices, and rings the loop's bell.
 */
#ifndef WARREN_AMQP_HANDOVER_H
#define WARREN_AMQP_HANDOVER_H

#include <stdatomic.h>

#include "common/amqp/channel.h"
#include "common/amqp/declarer.h"
#include "common/amqp/order.h"

struct handover;

struct handover_config {
        const char *stream; /* for the words of a refusal; borrowed */
        uint32_t window_messages;
        size_t window_bytes;
        bool resend;
        /* Any thread: there are notices. */
        void (*ring)(void *owner);
        void *owner;
};

struct handover *handover_create(const struct handover_config *c, struct err *e) MUST_CHECK;
/* Frees what nobody took. */
void handover_destroy(struct handover **h);

/* Callers, any thread. Takes o when it returns 0; ERR_FULL, ERR_UNAVAILABLE as link_publish. */
int handover_publish(struct handover *h, struct outgoing *o, struct err *e) MUST_CHECK;
void handover_request(struct handover *h, struct request *r);
bool handover_is_up(const struct handover *h);
bool handover_is_blocked(const struct handover *h);
uint32_t handover_in_flight(const struct handover *h);
/* Why nothing is accepted now. Always -1. */
int handover_refusal(struct handover *h, struct err *e);

/* Callers, the loop's thread. */
void handover_settle(struct handover *h, struct incoming *in);
void handover_order(struct handover *h, struct order order); /* copied */
void handover_take_notices(struct handover *h, struct node_list *to);
/* Refuses publishes from now on. */
void handover_close(struct handover *h);
/* The thread is to end. Called again it breaks the connection's socket, which may hang. */
void handover_stop(struct handover *h);

/* Whether what a delivery channel brought under that epoch can still be settled. Any thread. */
bool handover_is_live(const struct handover *h, uint16_t channel, uint64_t epoch);

/* The link's thread from here on. */
struct handed_over {
        struct node_list publishes, settles, orders, requests;
        bool stop;
};
struct handed_over handover_take(struct handover *h);
void handover_give(struct handover *h, struct node_list *notices);
/* A publish has left the window. Any thread. */
void handover_leave(struct handover *h, size_t cost);
/* Whoever hands something over from now on must wake the thread; false: there is something. */
bool handover_fall_asleep(struct handover *h);
void handover_wake_up(struct handover *h);
int handover_wake_fd(const struct handover *h);
/* False when the thread is to end. -1: it is about to be closed. */
bool handover_set_socket(struct handover *h, int fd);

struct link_state {
        bool connected;
        bool open; /* the stream is there, if there is one */
        bool blocked;
};
void handover_set_state(struct handover *h, struct link_state s);
/* See subscriber.h. */
atomic_ullong *handover_live(struct handover *h);

#endif
