/* SPDX-License-Identifier: Apache-2.0
 *
 * core.h: the state of a consumer, shared by its files. They are layers, lowest first: slots.c,
 * type_slots.c and type_rate.c (tokens), copies.c (a question before the start), finish.c (how an
 * attempt leaves), park.c, heartbeat.c, expiry.c, cancel.c (marks), type_limits.c, accept.c
 * (deliveries), share.c and flow.c
 * (how much is held), start.c (starting runs), stop.c (draining), links.c, consumer.c (assembly).
 * None calls a later one: consumer.c checks once a turn of the loop what has changed.
 */
#pragma once

#include <stdatomic.h>

#include "common/amqp/outbox.h"
#include "common/base/alarm.h"
#include "common/base/service.h"
#include "common/clients/control.h"
#include "common/http/health.h"
#include "common/model/parked.h"
#include "consumer/attempts.h"
#include "consumer/due_soon.h"
#include "consumer/duplicate_check.h"
#include "consumer/events.h"
#include "consumer/marks.h"
#include "consumer/marks_follow.h"
#include "consumer/measures.h"
#include "consumer/ready.h"
#include "consumer/settings.h"
#include "consumer/slots.h"
#include "consumer/subscriptions.h"
#include "consumer/type_rate.h"
#include "consumer/type_slots.h"

enum phase {
        PHASE_UP,
        PHASE_FINISHING, /* running attempts may end by themselves */
        PHASE_STOPPING,  /* running attempts were told to stop */
        PHASE_GONE,      /* all attempts have ended; the worker record `gone` is being published */
        PHASE_LINKS,     /* the links are closing */
};

/* A parked queue that does not exist, or must not be written. */
struct park_refusal {
        char queue[PARKED_QUEUE_SIZE];
        msec at; /* monotonic; 0: none */
};
enum { PARK_REFUSALS_MAX = 16 };

struct consumer {
        const struct consumer_settings *settings;
        struct service *service;
        uv_loop_t *loop;
        char worker[WORKER_NAME_SIZE];
        msec started_at; /* wall */

        struct link *consume;
        struct link *publish;    /* feeds the event stream */
        struct link *queues;     /* hops: to delay queues alone */
        struct link *slots_link; /* tokens alone */
        struct control *control;
        struct marks *marks;
        struct marks_follow *marks_follow;
        struct health *health;
        struct metrics *metrics;
        struct measures measures;
        struct handlers *handlers;
        struct runner *runner;
        struct subscriptions *subscriptions;
        struct due_soon *due_soon;
        struct type_limits *type_limits;
        struct slots *slots;
        struct type_slots *type_slots;
        struct type_rate *type_rate;
        struct hops *hops;
        struct stores *stores; /* used by the two below */
        struct duplicate_check *duplicate_check;
        struct elsewhere *elsewhere;
        struct outbox *outbox;       /* of link `publish` */
        struct outbox *queue_outbox; /* of link `queues` */
        struct events *events;
        struct progress *progress;
        struct finished *finished;
        struct turn *turn;
        struct alarm *tick, *stop_alarm, *gather_alarm;

        struct attempts attempts;
        struct ready ready;
        atomic_uint running;   /* also read by the health port's thread */
        unsigned picked;       /* PICKED attempts: a worker each */
        struct attempt *asked; /* of those, the ones in copies.c */
        unsigned ticks;
        unsigned ups;           /* times the consuming link came up */
        msec reconnected_at;    /* monotonic */
        msec changed_at;        /* monotonic; when a run last started or ended */
        struct window runs;     /* of all queues: only its mean duration is used */
        unsigned idle_for;      /* checks in a row that found a worker with nothing to do */
        msec recorded_at;       /* monotonic; when the last worker record was published */
        atomic_bool takes_jobs; /* also read by the health port's thread */
        bool stalled;           /* every worker is busy and nothing has ended for a while */
        msec returned_at;       /* monotonic; when the lack of a parked queue was last logged */
        struct park_refusal park_refusals[PARK_REFUSALS_MAX]; /* the last ones; used by park.c */
        bool gathering; /* a stall is over: starts wait until the queues have delivered */

        /* Used by stop.c, and at the end by consumer.c. */
        _Atomic(enum phase) phase; /* also read by the health port's thread */
        msec stop_until;           /* monotonic; running attempts are stopped then */
        msec grace;                /* the longest grace of the stopped attempts */
        unsigned draining_links;   /* publishing links whose drain has not ended */
};

/* No delivery is accepted and no attempt started any more. */
static inline bool consumer_is_draining(const struct consumer *c)
{
        return c->phase != PHASE_UP;
}
