/* SPDX-License-Identifier: Apache-2.0
 *
 * guard.h: against running a job twice: which deliveries could be duplicates, and what to do with
 * one once the status-store has answered. Pure.
 */
#ifndef WARREN_CONSUMER_GUARD_H
#define WARREN_CONSUMER_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/model/event.h"
#include "common/model/job.h"

enum {
        GUARD_POISON_STARTS = 5, /* started so often by workers that died: buried */
        GUARD_HOP = 1000,        /* ms until a job that runs elsewhere is looked at again */
        GUARD_HOP_MAX = 30000,   /* the same of one that a store far behind was asked about */
        GUARD_PATIENCE = 5000,   /* ms to wait for an answer */
        GUARD_RECONNECT = 60000, /* ms after a reconnect in which retries may come twice */
};

struct guard_view {
        bool redelivered;
        bool again;        /* published again after a lost confirm */
        int64_t attempt;   /* attempts already made */
        bool reconnected;  /* the link was renewed at most GUARD_RECONNECT ms ago */
        msec queued_at;    /* 0: unknown; then submitted_at counts */
        msec submitted_at; /* 0: unknown */
};

bool guard_is_wanted(const struct guard_view *v, msec now);

enum guard_state {
        GUARD_UNKNOWN,
        GUARD_OPEN,
        GUARD_RUNNING,
        GUARD_RETRYING, /* its retry is known to the stream, and has not come due */
        GUARD_BURIED,   /* in this very attempt: perhaps in the stream alone */
        GUARD_CLOSED,
        GUARD_SUPERSEDED,
        GUARD_BEHIND, /* the store does not know yet what was told before the delivery came */
        GUARD_SILENT, /* no answer in time */
};

/* The words of POST /internal/v1/deliveries/check; GUARD_SILENT has none. */
bool guard_state_parse(struct bytes word, enum guard_state *out);

struct guard_answer {
        enum guard_state state;
        char worker[WORKER_NAME_SIZE]; /* "" unknown */
        bool worker_alive;
        int64_t starts; /* by workers that then died */
        msec lag;       /* BEHIND: of the store */
        /* BURIED: why. */
        enum reason reason;
        enum error_kind error_kind;
        struct buffer error;
};

void guard_answer_fini(struct guard_answer *a);

enum guard_step {
        GUARD_RUN,
        GUARD_RUN_AGAIN,  /* run, telling the handler that it may have run before */
        GUARD_DROP,       /* ack unrun */
        GUARD_WAIT,       /* hop, and ask again */
        GUARD_POSTPONE,   /* likewise: the store has to catch up first */
        GUARD_BURY,       /* poison */
        GUARD_BURY_AGAIN, /* as it was */
};

/* me: this worker's name. An attempt that runs here is adopted before anybody is asked, so one that
 * is said to run on me was started by an earlier process of that name. */
enum guard_step guard_judge(const struct guard_answer *a, const char *me);
/* How long it hops then. Each hop makes the stream longer, so it grows with how far the store is
 * behind. */
msec guard_hop(const struct guard_answer *a);

#endif
