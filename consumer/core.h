/* SPDX-License-Identifier: Apache-2.0
 *
 * core.h: what the parts of the consumer share: intake.c (what comes), work.c (what runs),
 * leaving.c (what goes), overflow.c (what is too much of its type), stall.c (what waits too long),
 * drain.c (the end), consumer.c (how it is put together).
 */
#ifndef WARREN_CONSUMER_CORE_H
#define WARREN_CONSUMER_CORE_H

#include <stdatomic.h>

#include "common/amqp/outbox.h"
#include "common/base/alarm.h"
#include "common/clients/control.h"
#include "common/http/health.h"
#include "consumer/attempt.h"
#include "consumer/consumer.h"
#include "consumer/events.h"
#include "consumer/holding.h"
#include "consumer/inbox.h"
#include "consumer/inquiry.h"
#include "consumer/measures.h"
#include "consumer/recent.h"
#include "consumer/subscriptions.h"
#include "consumer/worker.h"

enum { RECENT_MAX = 16384 }; /* finished attempts remembered */

enum drain_phase {
        DRAIN_NONE,
        DRAIN_FINISHING, /* what runs may end */
        DRAIN_STOPPING,  /* it was told to stop */
        DRAIN_GONE,      /* everything has ended: that is being told */
        DRAIN_LINKS,     /* the links close */
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
        struct holding *holding;
        struct overflow *overflow;
        struct hops *hops;
        struct stores *stores; /* asked by the two below */
        struct inquiry *inquiry;
        struct elsewhere *elsewhere;
        struct outbox *outbox;
        struct events *events;
        struct progress *progress;
        struct recent *recent;
        struct alarm *tick, *drain_alarm, *gather_alarm;

        struct attempt *attempts; /* all of them, by key */
        struct inbox inbox;
        atomic_uint running, held; /* these three are read by the health port's thread too */
        atomic_size_t held_bytes;
        unsigned ticks;
        unsigned ups;        /* times the consuming link came up */
        msec reconnected_at; /* monotonic */
        msec changed_at;     /* monotonic; when a run last started or ended */
        msec recorded_at;    /* monotonic; the last record of this worker */
        bool dispatching;
        bool stalled;   /* every worker is busy and nothing has ended for a while */
        bool gathering; /* a stall is over: nothing starts until the queues have answered */

        bool draining; /* takes and starts nothing more */
        enum drain_phase phase;
        msec drain_until;        /* monotonic: then what runs is stopped */
        msec grace;              /* the longest of what was stopped */
        atomic_bool is_draining; /* for readyz, on another thread */
};

/* intake.c */
void intake_delivery(void *owner, struct feed *f, struct delivery *d);
void intake_answered(void *owner, struct attempt *a, const struct guard_answer *answer);
void intake_due(void *owner, struct attempt *a);
/* Takes an attempt that has not started away from where it waits. */
void intake_withdraw(struct consumer *c, struct attempt *a);
/* Gives back, or drops when its connection has gone, every attempt that has not started; of one
 * tenant, or of all when NULL. */
void intake_give_back(struct consumer *c, const struct tenant *of);
/* One that was to run and could not begin: waits again, or goes as what waits would. */
void intake_take_back(struct consumer *c, struct attempt *a);
/* What waits is looked at again under the handlers and pauses now in force. */
void intake_review(struct consumer *c);

/* work.c */
/* Starts what can start. */
void work_dispatch(struct consumer *c);
void work_room(void *owner);
struct progress *work_progress(struct consumer *c);

/* leaving.c */
void leaving_complete(struct consumer *c, struct attempt *a, struct bytes result, msec now);
/* Of one that was started: tells that it comes again, and requeues it when the broker has that. */
void leaving_give_back(struct consumer *c, struct attempt *a, msec now);
/* By a->departure, which an outcome_ function has set. */
void leaving_begin(struct consumer *c, struct attempt *a);
void leaving_kept(void *owner, struct attempt *a);
/* Settles and frees it. */
void leaving_end(struct consumer *c, struct attempt *a, enum settle how);
void leaving_account(struct consumer *c);

/* drain.c */
void drain_step(struct consumer *c);
void drain_on_alarm(void *owner);
void drain_write_worker(struct consumer *c, enum worker_state state);

#endif
