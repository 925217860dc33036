/* SPDX-License-Identifier: Apache-2.0
 *
 * duplicate.h: against running a job twice: which deliveries could be duplicates, and what to do
 * with one once the status-store has answered. Pure.
 */
#ifndef WARREN_CONSUMER_DUPLICATE_H
#define WARREN_CONSUMER_DUPLICATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/model/event.h"
#include "common/model/job.h"

enum {
        DUPLICATE_POISON_STARTS = 5, /* started so often by workers that died: buried */
        DUPLICATE_HOP = 1000,        /* ms until a job that runs elsewhere is looked at again */
        DUPLICATE_HOP_MAX = 30000,   /* the same of one that a store far behind was asked about */
        DUPLICATE_PATIENCE = 5000,   /* ms to wait for an answer */
        DUPLICATE_RECONNECT = 60000, /* ms after a reconnect in which retries may come twice */
};

struct duplicate_view {
        bool redelivered;
        bool again;        /* published again after a lost confirm */
        int64_t attempt;   /* attempts already made */
        bool reconnected;  /* the link was renewed at most DUPLICATE_RECONNECT ms ago */
        msec queued_at;    /* 0: unknown; then submitted_at counts */
        msec submitted_at; /* 0: unknown */
};

bool duplicate_is_possible(const struct duplicate_view *v, msec now);

enum duplicate_state {
        DUPLICATE_UNKNOWN,
        DUPLICATE_OPEN,
        DUPLICATE_RUNNING,
        DUPLICATE_RETRYING, /* its retry is known to the stream, and has not come due */
        DUPLICATE_BURIED,   /* in this very attempt: perhaps in the stream alone */
        DUPLICATE_CLOSED,
        DUPLICATE_SUPERSEDED,
        DUPLICATE_BEHIND, /* the store does not know yet what was told before the delivery came */
        DUPLICATE_SILENT, /* no answer in time */
};

/* The words of POST /internal/v1/deliveries/check; DUPLICATE_SILENT has none. */
bool duplicate_state_parse(struct bytes word, enum duplicate_state *out);

struct duplicate_answer {
        enum duplicate_state state;
        char worker[WORKER_NAME_SIZE]; /* "" unknown */
        bool worker_alive;
        int64_t starts; /* by workers that then died */
        msec lag;       /* BEHIND: of the store */
        /* BURIED: why. */
        enum reason reason;
        enum error_kind error_kind;
        struct buffer error;
};

void duplicate_answer_fini(struct duplicate_answer *a);

enum duplicate_step {
        DUPLICATE_RUN,
        DUPLICATE_RUN_AGAIN,  /* run, telling the handler that it may have run before */
        DUPLICATE_DROP,       /* ack unrun */
        DUPLICATE_WAIT,       /* hop, and ask again */
        DUPLICATE_POSTPONE,   /* likewise: the store has to catch up first */
        DUPLICATE_BURY,       /* poison */
        DUPLICATE_BURY_AGAIN, /* as it was */
};

/* me: this worker's name. An attempt that runs here is adopted before anybody is asked, so one that
 * is said to run on me was started by an earlier process of that name. */
enum duplicate_step duplicate_judge(const struct duplicate_answer *a, const char *me);
/* How long it hops then. Each hop makes the stream longer, so it grows with how far the store is
 * behind. */
msec duplicate_hop(const struct duplicate_answer *a);

#endif
