/* SPDX-License-Identifier: Apache-2.0
 *
 * link.h: one AMQP connection in a thread of its own, because rabbitmq-c blocks when the broker
 * stops reading. Only common/amqp calls amqp_*. The link reconnects by itself, for ever, with
 * jittered backoff, trying its URLs in turn.
 *
 * Threads: link_publish and link_declare may be called from any thread; everything else from the
 * loop's thread. All callbacks run on the loop's thread, one at a time, never inside a call.
 */
#ifndef WARREN_AMQP_LINK_H
#define WARREN_AMQP_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/amqp/declaration.h"
#include "common/amqp/delivery.h"
#include "common/amqp/link_events.h"
#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/model/message.h"

struct link;

/* Every string is copied. */
struct link_config {
        const char *urls; /* "amqp://host:port/vhost,amqps://…": 1 to ADDRESSES_MAX; no password */
        const char *login; /* also the user_id of every publish */
        const char *password;
        const char *name;         /* connection name in the console: "gateway@host publish" */
        const char *ca_file;      /* amqps: PEM; NULL: the system's */
        msec heartbeat;           /* 0: 10 s */
        msec confirm_timeout;     /* 0: 5 s; a publish without confirm for so long: LINK_EXPIRED */
        uint32_t window_messages; /* 0: 1024 unconfirmed publishes */
        size_t window_bytes;      /* 0: 1 MiB of them (one larger message is let through alone) */
        /* The stream that every publish of this link feeds, through whichever exchange (see
         * common/model/feed.h), or NULL: none. link_publish refuses any other exchange
         * (ERR_INVALID): on a channel whose publishes do not all reach the same stream RabbitMQ
         * confirms, and loses, what the stream was to get when its writer is replaced
         * (docs/facts.md). A job for a lane that went with its tenant ends in `unroutable` alone:
         * rare enough. Nothing is published, and the link is not up, before a probe (type `probe`,
         * no body) is kept in the stream. */
        const char *stream;
        bool unprobed; /* without that probe: what is published is published again until it is seen
                        */
        /* 0: none. Bytes of deliveries that are not settled yet, above which the link reads nothing
         * more from the broker until settles bring it below (one larger delivery is let through
         * alone). Confirms, answers and notices wait meanwhile, without running late by it; a
         * broker that falls silent is not noticed, and RabbitMQ closes a connection that takes
         * nothing for 30 s (3.10.8). So it is for an owner who settles soon, and needs nothing of
         * the broker for that. */
        size_t read_bytes;
        bool renew_when_told; /* subscriptions begin, at each connection, with link_renew */
        bool resend;          /* after a reconnect send unconfirmed publishes again with x-again;
                                 false: they end as LINK_CLOSED */
};

/* Starts the thread and returns; the first connection is made in the background. */
struct link *link_create(const struct link_config *c, const struct link_events *on, void *owner,
                         uv_loop_t *loop, struct err *e) MUST_CHECK;
/* Closes at once: waiting publishes end as LINK_CLOSED (their callbacks run before it returns),
 * deliveries go back to the broker; those still held can be settled, to no effect. Ends the thread,
 * which a hanging connect can delay by 3 s. Loop thread only; allowed in a callback. */
void link_destroy(struct link **l);

/* Copies m; done may be NULL. 0: `done` runs exactly once. -1: no callback; ERR_FULL when the
 * window is full, ERR_UNAVAILABLE when the link is down or blocked and `resend` is off (nothing was
 * sent). With `resend` a publish made while the link is down waits within the window. */
int link_publish(struct link *l, const struct message *m, const struct publish_wait *done,
                 struct err *e) MUST_CHECK;
/* Connected, its stream there, and not blocked. Any thread. */
bool link_is_up(const struct link *l);
bool link_is_blocked(const struct link *l);
/* As link_is_up; why says what is missing, and what to do when it stays so. Any thread. */
bool link_is_ready(struct link *l, struct err *why);
/* Unconfirmed now. Any thread. */
uint32_t link_in_flight(const struct link *l);

/* Renewed after a reconnect; ends with the link. Never NULL: usage errors are asserted. */
struct subscription *link_subscribe(struct link *l, const struct source *s, delivery_fn *on,
                                    void *owner);
/* basic.cancel (nowait); deliveries the owner still holds stay his to settle; those not yet handed
 * over are requeued. Clears *s; no callback after it. */
void link_unsubscribe(struct subscription **s);

/* With renew_when_told: begins the subscriptions of the connection whose `up` was told last, which
 * did not wait for them; nothing once `down` was told. A connection that was lost and made again
 * meanwhile is not that one: its own `up` comes. */
void link_renew(struct link *l);

/* Clears *d and frees it. A delivery of a dead connection is dropped silently. On a stream ACK only
 * gives credit and REQUEUE is treated as ACK. Acks are coalesced. */
void link_settle(struct delivery **d, enum settle how);
/* True while the connection that brought it lives: an ack can still reach the broker. */
bool delivery_is_live(const struct delivery *d);

/* Copies d; done in order among themselves, not with publishes. A refusal disturbs nothing else on
 * the link. While the link is down it waits up to `confirm_timeout`. Any thread. */
void link_declare(struct link *l, const struct declaration *d, declared_fn *done, void *owner);

/* Refuses new publishes, cancels subscriptions (held deliveries can still be settled), waits until
 * every publish has its outcome and every settle is written, at most `limit` ms, then calls back
 * once. link_destroy afterwards. */
void link_drain(struct link *l, msec limit, drained_fn *done, void *owner);

#endif
