/* SPDX-License-Identifier: Apache-2.0
 *
 * link_types.h: what passes between a link and its owners: changes of its connection, the end of a
 * publish, deliveries and their sources, declarations.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/model/message.h"

struct subscription;

/* Any may be NULL. */
struct link_events {
        void (*up)(void *owner); /* connected, its stream available, subscriptions renewed */
        /* Also when the first connection fails. Deliveries can no longer be settled, but for one
         * case: still connected, and the stream has been missing for 5 s. */
        void (*down)(void *owner, const struct err *why);
        void (*blocked)(void *owner, bool blocked); /* the broker's memory or disk alarm */
        /* The broker cancelled a subscription, or its queue does not exist. It is tried again every
         * 5 s and after every reconnect. */
        void (*refused)(void *owner, struct subscription *s, const struct err *why);
};

enum link_result {
        LINK_CONFIRMED,
        LINK_RETURNED, /* mandatory and unroutable, or refused by the broker (no such exchange, not
                          allowed): stored nowhere */
        LINK_NACKED,   /* unknown: some queue may hold it */
        LINK_EXPIRED,  /* unknown: no confirm in time; it is not sent again */
        LINK_CLOSED,   /* unknown: it may have been written before the connection ended */
};

struct publish_wait {
        void (*done)(void *owner, enum link_result result);
        void *owner;
        bool direct; /* `done` runs at once on the link's own thread: it must neither block nor
                        call the link */
};

typedef void drained_fn(void *owner, bool clean);

/* A message that the broker has delivered. Lent to the callback's owner until link_settle. */
struct delivery {
        struct message message;
        int64_t offset; /* in a stream; -1 for a queue */
        bool redelivered;
        struct subscription *subscription; /* invalid after link_unsubscribe or `down` */
};

/* REJECT: the queue's dead lettering moves it, and keeps it until it has arrived there (quorum
 * queue with the strategy at-least-once). */
enum settle { SETTLE_ACK, SETTLE_REQUEUE, SETTLE_REJECT };

enum source_start { SOURCE_NEXT, SOURCE_FIRST, SOURCE_OFFSET };

struct source {
        const char *queue; /* copied */
        uint16_t prefetch; /* 1.. */
        int32_t priority;  /* x-priority; 0: none */
        /* Each subscription takes the next channel: RabbitMQ handles the consumes and cancels of
         * one channel one by one, each with a write to a quorum queue's log. */
        bool spread;
        bool stream;
        /* Streams: where to start. Called at each (re)connect, on the loop's thread. */
        enum source_start (*start)(void *owner, int64_t *offset);
};

/* For a stream's `start`: the offset of a message that rabbitmq-c cannot decode and that ended the
 * last connection, when it is the one after `after` (-1: the first one); else -1. (A queue's
 * unreadable message is rejected.) */
int64_t subscription_unreadable(const struct subscription *s, int64_t after);

/* The callback must settle the delivery, then or later. */
typedef void delivery_fn(void *owner, struct delivery *d);

/* An exchange, queue or binding to be declared or deleted, or a queue to be counted. */
enum declare_what {
        DECLARE_EXCHANGE,
        DECLARE_QUEUE,
        DECLARE_BINDING, /* queue `name` to exchange `source` with `key` */
        DELETE_BINDING,  /* the same fields; no error when it does not exist */
        DELETE_EXCHANGE, /* no error when it does not exist */
        DELETE_QUEUE,    /* likewise; ERR_CONFLICT while it has consumers */
        COUNT_QUEUE,     /* passive declare */
};

struct argument {
        const char *name; /* NULL ends the list */
        const char *text; /* NULL: number */
        int64_t number;
        bool boolean; /* number is sent as a boolean */
};

struct declaration {
        enum declare_what what;
        const char *name;
        const char *type;   /* exchange type */
        const char *source; /* binding */
        const char *key;
        const struct argument *arguments; /* or NULL */
};

/* The counts are of COUNT_QUEUE, else 0. why: NULL: success; else ERR_NOT_FOUND, ERR_CONFLICT
 * (declared with other arguments, or in use), ERR_FORBIDDEN or ERR_UNAVAILABLE. */
typedef void declared_fn(void *owner, const struct err *why, uint32_t messages, uint32_t consumers);
