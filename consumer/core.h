/* SPDX-License-Identifier: Apache-2.0
 *
 * core.h: a consumer, as its own files see it. They stand on each other in this order: finish.c
 * (how an attempt leaves), heartbeat.c, type_limits.c, accept.c (what comes), flow.c (how much may
 * be here), start.c (what runs), stop.c (the end), consumer.c (how it is put together). None calls
 * one that comes after it: what has changed is looked at once a turn of the loop, in consumer.c.
 */
#ifndef WARREN_CONSUMER_CORE_H
#define WARREN_CONSUMER_CORE_H

#include <stdatomic.h>

#include "common/amqp/outbox.h"
#include "common/base/alarm.h"
#include "common/base/service.h"
#include "common/clients/control.h"
#include "common/http/health.h"
#include "consumer/attempts.h"
#include "consumer/due_soon.h"
#include "consumer/duplicate_check.h"
#include "consumer/events.h"
#include "consumer/finished.h"
#include "consumer/measures.h"
#include "consumer/ready.h"
#include "consumer/settings.h"
#include "consumer/subscriptions.h"
#include "consumer/worker.h"

enum phase {
        PHASE_UP,
        PHASE_FINISHING, /* what runs may end */
        PHASE_STOPPING,  /* it was told to stop */
        PHASE_GONE,      /* everything has ended: that is being told */
        PHASE_LINKS,     /* the links close */
};

struct consumer {
        const struct consumer_settings *settings;
        struct service *service;
        uv_loop_t *loop;
        char worker[WORKER_NAME_SIZE];
        msec started_at; /* wall */

        struct link *consume, *publish;
        struct control *control;
        struct health *health;
        struct metrics *metrics;
        struct measures measures;
        struct handlers *handlers;
        struct runner *runner;
        struct subscriptions *subscriptions;
        struct due_soon *due_soon;
        struct type_limits *type_limits;
        struct hops *hops;
        struct stores *stores; /* asked by the two below */
        struct duplicate_check *duplicate_check;
        struct elsewhere *elsewhere;
        struct outbox *outbox;
        struct events *events;
        struct progress *progress;
        struct finished *finished;
        struct turn *turn;
        struct alarm *tick, *stop_alarm, *gather_alarm;

        struct attempts attempts;
        struct ready ready;
        atomic_uint running; /* also read by the health port's thread */
        unsigned ticks;
        unsigned ups;        /* times the consuming link came up */
        msec reconnected_at; /* monotonic */
        msec changed_at;     /* monotonic; when a run last started or ended */
        msec recorded_at;    /* monotonic; the last record of this worker */
        bool stalled;        /* every worker is busy and nothing has ended for a while */
        bool gathering;      /* a stall is over: nothing starts until the queues have answered */

        /* stop.c's */
        _Atomic(enum phase) phase; /* also read by the health port's thread */
        msec stop_until;           /* monotonic: then what runs is stopped */
        msec grace;                /* the longest of what was stopped */
};

/* It takes and starts nothing more. */
static inline bool consumer_is_draining(const struct consumer *c)
{
        return c->phase != PHASE_UP;
}

#endif
