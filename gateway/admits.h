/* SPDX-License-Identifier: Apache-2.0
 *
 * admits.h: tells the other gateways what this one admitted, and charges this one's limiter with
 * what they did, over stream `admits`. Every 50 ms in which something was admitted one record is
 * published, by a link that publishes nothing else. The stream is read from its first message, so a
 * gateway that starts knows what was admitted before.
 *
 * Loop thread only, but for admits_is_ready.
 */
#pragma once

#include "common/amqp/link.h"
#include "common/clients/control.h"
#include "gateway/limiter.h"

struct admits;

/* The pointers are borrowed until admits_destroy, `link` for the call. */
struct admits_config {
        const struct link_config *link; /* for two links */
        const char *gateway;            /* gateway@host */
        struct limiter *limiter;
};

struct admits *admits_create(const struct admits_config *c, uv_loop_t *loop,
                             struct err *e) MUST_CHECK;
/* Before the limiter, and before `control` of admits_begin. Run the loop afterwards. */
void admits_destroy(struct admits **a);

/* Starts to read, once: the tenants are known now. */
void admits_begin(struct admits *a, struct control *control);
/* Has read what was told before this gateway started; or has read nothing for 10 s, or
 * for a minute: a tenant that may exceed its rate is better than one that may not submit. Any
 * thread. */
bool admits_is_ready(const struct admits *a, struct err *why);
/* The others can be told. */
bool admits_is_up(const struct admits *a);

/* Tells the others what is left to tell and how full the buckets are, waits until the broker has
 * it, `limit` ms at most, and calls back once, perhaps before it returns. */
void admits_finish(struct admits *a, msec limit, void (*done)(void *owner), void *owner);
