/* SPDX-License-Identifier: Apache-2.0
 *
 * handover.h: what a link's callers and its thread exchange: lists under one mutex, and a few
 * atomics. Callers hand over publishes, settles, orders and declarations, and wake the thread; the
 * thread hands back notices and wakes the loop.
 */
#pragma once

#include <stdatomic.h>

#include "common/amqp/channel.h"
#include "common/amqp/declarer.h"
#include "common/amqp/link_settings.h"
#include "common/amqp/order.h"

struct handover;

/* Borrows s. ring: called on the link's thread when there are notices. */
struct handover *handover_create(const struct link_settings *s, void (*ring)(void *owner),
                                 void *owner, struct err *e) MUST_CHECK;
/* Frees the settles and orders not taken. */
void handover_destroy(struct handover **h);

/* For callers, on any thread. Takes o when it returns 0. Errors as link_publish. */
int handover_publish(struct handover *h, struct outgoing *o, struct err *e) MUST_CHECK;
/* After handover_stop r ends with an error. */
void handover_request(struct handover *h, struct request *r);
bool handover_is_up(const struct handover *h);
uint32_t handover_in_flight(const struct handover *h);
/* Fills e with why publishes are not accepted now. Always -1. */
int handover_refusal(struct handover *h, struct err *e);

/* For callers, on the loop's thread. */
void handover_settle(struct handover *h, struct incoming *in);
void handover_order(struct handover *h, struct order order); /* copied */
void handover_take_notices(struct handover *h, struct node_list *to);
/* Refuses publishes from now on. */
void handover_close(struct handover *h);
/* Tells the thread to end. Called again, it shuts down the socket, on which the thread may hang. */
void handover_stop(struct handover *h);

/* A delivery of that channel and epoch can still be settled. Any thread. */
bool handover_is_live(const struct handover *h, uint16_t channel, uint64_t epoch);

/* For the link's thread, from here on. */
struct handed_over {
        struct node_list publishes, settles, orders, requests;
        bool stop; /* the thread is to end */
};
struct handed_over handover_take(struct handover *h);
void handover_give(struct handover *h, struct node_list *notices);
/* A publish leaves the window. Any thread. */
void handover_leave(struct handover *h, size_t cost);
/* Before poll: from now on callers wake the thread. False: there is work, do not wait. */
bool handover_fall_asleep(struct handover *h);
/* After poll. */
void handover_wake_up(struct handover *h);
int handover_wake_fd(const struct handover *h);
/* fd: -1 before the socket is closed. False: the thread is to end. */
bool handover_set_socket(struct handover *h, int fd);

struct link_state {
        bool connected;
        bool open; /* the stream is there, if there is one */
        bool blocked;
};
void handover_set_state(struct handover *h, struct link_state s);
/* The array `live` of subscriber_create. */
atomic_ullong *handover_live(struct handover *h);
