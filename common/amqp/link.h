/* SPDX-License-Identifier: Apache-2.0
 *
 * link.h: one AMQP connection in a thread of its own, because rabbitmq-c blocks when the broker
 * stops reading. Only common/amqp calls amqp_*. The link reconnects without end, with jittered
 * backoff, trying its URLs in turn.
 *
 * Threads: link_publish and link_declare may be called from any thread; everything else from the
 * loop's thread. All callbacks run on the loop's thread, one at a time, never inside a call.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/amqp/link_types.h"
#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/model/message.h"

struct link;

/* Every string is copied. */
struct link_config {
        const char *urls; /* "amqp://host:port/vhost,amqps://…": 1 to ADDRESSES_MAX; no password */
        const char *login; /* also the user_id of every publish */
        const char *password;
        const char *name;         /* shown by RabbitMQ: "gateway@host publish" */
        const char *ca_file;      /* amqps: PEM; NULL: the system's */
        msec heartbeat;           /* 0: 10 s */
        msec confirm_timeout;     /* 0: 5 s; without a confirm by then: LINK_EXPIRED */
        uint32_t window_messages; /* unconfirmed publishes; 0: 1024 */
        size_t window_bytes;      /* their bytes; 0: 1 MiB (one larger message is sent alone) */
        /* The stream that every publish of this link feeds, through whichever exchange (see
         * common/model/feed.h); NULL: none. link_publish refuses other exchanges (ERR_INVALID): if
         * some publishes of a channel do not reach the stream, RabbitMQ confirms and loses others
         * when the stream's writer is replaced (docs/facts.md). A job for a lane that was deleted
         * with its tenant reaches only `unroutable`: rare enough. Nothing is published, and the
         * link is not up, before a probe (type `probe`, no body) is confirmed by the stream. */
        const char *stream;
        bool unprobed; /* no probe: the owner publishes again until it reads the message back */
        /* Limit for the bytes of unsettled deliveries; 0: none. Above it the link stops reading
         * from the broker until settles bring it below (one larger delivery is read alone).
         * Confirms, answers and notices are delayed meanwhile, which does not count against their
         * time limits. A broker that stops answering is not noticed, and RabbitMQ closes a
         * connection that reads nothing for 30 s (3.10.8). So set it only where the owner settles
         * soon, and without an answer of the broker. */
        size_t read_bytes;
        bool renew_when_told; /* subscriptions begin with link_renew, at each connection */
        bool resend;          /* unconfirmed publishes are sent again, with x-again, after a
                                 reconnect; false: they end as LINK_CLOSED */
};

/* Starts the thread and returns; the first connection is made in the background. */
struct link *link_create(const struct link_config *c, const struct link_events *on, void *owner,
                         uv_loop_t *loop, struct err *e) MUST_CHECK;
/* Closes at once. Unconfirmed publishes end as LINK_CLOSED (their callbacks run before it returns),
 * and the broker requeues unsettled deliveries: settling one afterwards only frees it. Joins the
 * thread, which a hanging connect can delay by 3 s. Loop's thread only; allowed in a callback. */
void link_destroy(struct link **l);
/* As link_destroy, but the link remains: other threads may still use it until they are joined. What
 * waits ends (publishes as LINK_CLOSED, declarations as ERR_UNAVAILABLE), and so does what is asked
 * for afterwards; callbacks run as always. NULL does nothing. */
void link_stop(struct link *l);

/* Copies m; done may be NULL. 0: `done` runs exactly once. -1: not sent, no callback: ERR_FULL: the
 * window is full; ERR_UNAVAILABLE: the link drains, or is down or blocked without `resend`. With
 * `resend` a publish made while the link is down waits within the window. */
int link_publish(struct link *l, const struct message *m, const struct publish_wait *done,
                 struct err *e) MUST_CHECK;
/* Connected, its stream available, and not blocked. Any thread. */
bool link_is_up(const struct link *l);
/* As link_is_up; `why` says what is missing, and what to do if that does not end. Any thread. */
bool link_is_ready(struct link *l, struct err *why);
/* Publishes not confirmed now. Any thread. */
uint32_t link_in_flight(const struct link *l);

/* Renewed after a reconnect; ends with the link. Never NULL: usage errors are asserted. */
struct subscription *link_subscribe(struct link *l, const struct source *s, delivery_fn *on,
                                    void *owner);
/* Sends basic.cancel (no-wait). The owner must still settle deliveries that it holds; those not yet
 * handed over are requeued. Clears *s; no callback afterwards. */
void link_unsubscribe(struct subscription **s);

/* With renew_when_told: begins the subscriptions on the connection of the last `up`, which comes
 * without waiting for them. Does nothing after `down`, or when that connection was replaced
 * meanwhile: the new one has its own `up`. */
void link_renew(struct link *l);

/* Clears *d and frees it. Does nothing else when the delivery's connection has ended. On a stream
 * ACK only gives credit, and the others are treated as ACK. Only acks are batched. */
void link_settle(struct delivery **d, enum settle how);
/* The connection that brought it is still up: an ack can reach the broker. */
bool delivery_is_live(const struct delivery *d);

/* Copies d. Declarations are made in order among themselves, not relative to publishes. A refusal
 * affects nothing else on the link. While the link is down it waits up to `confirm_timeout`. Any
 * thread. */
void link_declare(struct link *l, const struct declaration *d, declared_fn *done, void *owner);

/* Refuses new publishes, cancels subscriptions (held deliveries can still be settled), waits until
 * every publish has ended and every settle is written, at most `limit` ms, then calls back once.
 * Call link_destroy afterwards. */
void link_drain(struct link *l, msec limit, drained_fn *done, void *owner);
