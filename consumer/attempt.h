/* SPDX-License-Identifier: Apache-2.0
 *
 * attempt.h: one attempt of a job, from the arrival of its delivery until that is settled. Only
 * attempt_move changes its state. Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "common/amqp/link.h"
#include "common/amqp/outbox.h"
#include "common/model/event.h"
#include "common/model/job.h"
#include "consumer/attempt_key.h"
#include "consumer/attempt_state.h"
#include "consumer/progress.h"
#include "consumer/runner/handlers.h"
#include "consumer/runner/runner.h"
#include "consumer/tenant.h"

/* What is published of an attempt before its delivery is settled. */
enum departure {
        DEPART_COMPLETE,  /* the event `completed`, in a batch; then acked */
        DEPART_GIVE_BACK, /* the event `released`, in a batch; then requeued */
        DEPART_FORGET,    /* the event `forgotten`, in a batch; then acked: it had ended before */
        DEPART_EXPIRE,    /* the event `cancelled`, in a batch; then acked */
        DEPART_CANCEL,    /* likewise: somebody cancelled it, before it started or while it ran */
        DEPART_RETRY,     /* to a delay exchange; counted as an attempt */
        DEPART_BURY,      /* to `dead` */
        DEPART_HOP,       /* to a delay queue alone; not counted as an attempt */
        /* To a delay exchange, so that the stream is told: the first wait of a job from outside. */
        DEPART_FIRST_HOP,
        DEPART_LANE, /* to its tenant's lane `long`; not counted as an attempt */
        DEPART_PARK, /* to the parked queue of a pause; likewise */
};

/* Why a handler was told to stop. */
enum stop_reason { STOP_UNASKED, STOP_LINK_LOST, STOP_DRAINING, STOP_CANCELLED };

struct consumer;
struct question;
struct redelivery;
struct slot;

struct attempt {
        struct job job; /* borrows from the delivery, and from `error` */
        struct attempt_key key;
        int64_t number; /* of this attempt, from 1 */
        enum attempt_state state;
        struct tenant_queue *queue;
        struct delivery *delivery; /* `job` borrows from it, also once its connection is gone */
        struct redelivery *redeliveries; /* other deliveries of this attempt */
        size_t bytes;                    /* of memory, with its deliveries */
        bool redelivered;                /* it may have run before; passed to the handler */
        bool checked;                    /* its duplicate check is done */
        bool unmarked;                   /* marks that are not known here may be of it: it is asked
                                            about before it starts */
        msec arrived_at;                 /* monotonic */
        msec unseen_since; /* monotonic; no copy of it is known to have started before */
        msec answered_at;  /* monotonic; when it was last asked about; 0: never */

        struct attempt *prev, *next; /* of the list that belongs to its state */
        UT_hash_handle hh;

        struct question *question;     /* ASKED; PICKED for its answer, else NULL */
        msec picked_at;                /* PICKED for its type's slot: monotonic */
        struct type_slot *type_slot;   /* RUNNING, STOPPING: of its type's running limit, or NULL */
        struct rate_token *rate_token; /* PICKED, and RUNNING until its run has begun; or NULL */
        struct consumer *consumer;     /* for callbacks that get the attempt alone */
        const struct handler *handler; /* WAITING to LEAVING; borrowed from the set in force
                                          while WAITING, from `set` after it */
        struct handlers *set;          /* PICKED to LEAVING: owns a reference */
        struct run *run;               /* RUNNING, STOPPING */
        struct slot *slot;             /* RUNNING, STOPPING; NULL: the tenant was not limited */
        int64_t started_us, took_us;   /* monotonic; how long its handler ran */
        msec started_at;               /* wall */
        struct progress_note progress; /* RUNNING, STOPPING */
        msec last_event_at;            /* wall; the latest time in an event of this attempt */
        uint64_t content;              /* event_content() of its job; set once started */
        enum stop_reason stopped_for;  /* STOPPING */

        enum departure departure;       /* LEAVING */
        struct publication publication; /* LEAVING: its unconfirmed message */
        /* LEAVING: called when the broker has no queue for that; NULL: it is published again. */
        void (*refused)(struct consumer *c, struct attempt *a);
        struct buffer error;
};

/* Takes the delivery. The copy of the job borrows its texts from the delivery. */
struct attempt *attempt_create(const struct job *job, struct tenant_queue *queue,
                               struct delivery **d, msec mono_now);
/* Its deliveries must have been settled. */
void attempt_destroy(struct attempt **a);

/* Asserts that attempt_may_move allows it. */
void attempt_move(struct attempt *a, enum attempt_state to);
/* RUNNING: tells its handler to stop; it is killed after its grace. STOPPING: only its reason
 * changes. */
void attempt_stop(struct attempt *a, enum stop_reason why);
/* RUNNING or STOPPING. */
bool attempt_is_running(const struct attempt *a);
/* ASKED, HELD, WAITING or PICKED: it can be requeued. */
bool attempt_is_unstarted(const struct attempt *a);

/* Takes another delivery of the same attempt; frees earlier ones of dead connections. */
void attempt_join(struct attempt *a, struct tenant_queue *queue, struct delivery **d);
/* Settles all its deliveries; those of dead connections are only freed. */
void attempt_settle(struct attempt *a, enum settle how);
/* The connection of at least one of its deliveries still lives. */
bool attempt_is_live(const struct attempt *a);

/* Fills an event of this attempt; at: wall clock. */
void attempt_event(struct attempt *a, enum event_kind kind, msec at, struct event *out);
/* What the event `started` says of the job. */
void attempt_hint(const struct attempt *a, struct job_hint *out);
