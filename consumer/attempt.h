/* SPDX-License-Identifier: Apache-2.0
 *
 * attempt.h: one delivery of a job on its way through the consumer, from its arrival until it is
 * settled. attempt_move is the one place that changes its state. Loop thread only.
 */
#ifndef WARREN_CONSUMER_ATTEMPT_H
#define WARREN_CONSUMER_ATTEMPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "common/amqp/link.h"
#include "common/amqp/outbox.h"
#include "common/model/event.h"
#include "common/model/job.h"
#include "consumer/attempt_state.h"
#include "consumer/progress.h"
#include "consumer/runner/handlers.h"
#include "consumer/runner/runner.h"
#include "consumer/tenant.h"

/* How it leaves: what is published before its delivery is acked. */
enum departure {
        DEPART_COMPLETE,  /* the event `completed`, in a batch */
        DEPART_GIVE_BACK, /* the event `released`, likewise; then it is requeued, not acked */
        DEPART_RETRY,     /* to a delay exchange, charged */
        DEPART_BURY,      /* to `dead` */
        DEPART_HOP,       /* to a delay exchange, the same attempt later */
        DEPART_FIRST_HOP, /* the same, of a job from outside that was never delayed */
        DEPART_LANE,      /* to its tenant's lane `long` */
};

/* Why a handler was told to stop. */
enum stop_reason { STOP_UNASKED, STOP_LINK_LOST, STOP_DRAINING };

/* Zero-padded, for hashing. */
struct attempt_key {
        char tenant[TENANT_SIZE];
        char id[UUID_SIZE];
        int64_t run, number;
        msec stamp; /* 0, or which of its messages: see attempt_key_of_message */
};

struct consumer;
struct question;
struct redelivery;

struct attempt {
        struct job job; /* borrows from the delivery, and from `error` */
        struct attempt_key key;
        int64_t number; /* of this attempt, from 1 */
        enum attempt_state state;
        struct tenant_queue *queue;
        struct delivery *delivery;       /* kept for its bytes even when its connection is gone */
        struct redelivery *redeliveries; /* its other deliveries */
        size_t bytes;                    /* what the deliveries take */
        bool redelivered;                /* it may have run before: the handler is told */
        bool checked;                    /* was asked about: not again */
        msec arrived_at;                 /* monotonic */

        struct attempt *prev, *next; /* of the list its state puts it in */
        UT_hash_handle hh;

        struct question *question;     /* ASKED */
        struct consumer *consumer;     /* for the runner, which knows only the attempt */
        const struct handler *handler; /* WAITING to LEAVING; borrowed from the set in force
                                          while WAITING, from `set` after it */
        struct handlers *set;          /* RUNNING to LEAVING: a reference */
        struct run *run;               /* RUNNING, STOPPING */
        int64_t started_us, took_us;   /* monotonic; how long its handler ran */
        msec started_at;               /* wall */
        struct progress_note progress; /* RUNNING, STOPPING */
        msec told_at;                  /* wall; the greatest that an event of it told */
        uint64_t content;              /* event_content() of its job, once it was started */
        enum stop_reason stopped_for;  /* STOPPING */

        enum departure departure;       /* LEAVING */
        struct publication publication; /* LEAVING: its message on the way out */
        struct buffer error;
};

/* Takes the delivery. The job is copied and borrows from it. */
struct attempt *attempt_create(const struct job *job, struct tenant_queue *queue,
                               struct delivery **d, msec mono_now);
/* Frees it; its deliveries must have been settled. */
void attempt_destroy(struct attempt **a);

/* Asserts that the map allows it. */
void attempt_move(struct attempt *a, enum attempt_state to);
/* RUNNING: tells its handler to stop, and kills it after its grace. */
void attempt_stop(struct attempt *a, enum stop_reason why);
/* Its handler has begun, and not ended. */
bool attempt_is_running(const struct attempt *a);
/* It is here and could run, or be given back. */
bool attempt_is_unstarted(const struct attempt *a);

/* Takes another delivery of the same attempt; the dead ones among the earlier are dropped. */
void attempt_join(struct attempt *a, struct tenant_queue *queue, struct delivery **d);
/* Settles all its deliveries; those of dead connections are dropped. */
void attempt_settle(struct attempt *a, enum settle how);
/* One of its deliveries can still be settled. */
bool attempt_is_live(const struct attempt *a);

/* An event of this attempt, at that time. */
void attempt_event(struct attempt *a, enum event_kind kind, msec at, struct event *out);

void attempt_key_of(const struct job *job, struct attempt_key *out);
/* The key of this very message, for what may come again under the same attempt: a hop. */
void attempt_key_of_message(const struct job *job, struct attempt_key *out);

#endif
