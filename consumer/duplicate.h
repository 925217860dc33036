/* SPDX-License-Identifier: Apache-2.0
 *
 * duplicate.h: which deliveries may be duplicates, and what a store's answer means for one. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/model/event.h"
#include "common/model/job.h"

enum {
        DUPLICATE_POISON_STARTS = 5, /* a job started this often by workers that died is buried */
        DUPLICATE_HOP = 1000,        /* ms until a job that runs elsewhere is checked again */
        DUPLICATE_HOP_MAX = 30000,   /* the same, at most, when the store is behind */
        DUPLICATE_PATIENCE = 5000,   /* ms to wait for an answer */
        DUPLICATE_RECONNECT = 60000, /* ms after a reconnect in which retries may come twice */
        DUPLICATE_UNSEEN = 1000,     /* ms after which a copy elsewhere may have started */
        DUPLICATE_PAUSE = 2000,      /* ms without asking again, once no store could answer */
        DUPLICATE_PAUSE_MAX = 30000, /* the same, at most: the store is far behind, or silent */
};

/* What is known of a delivery beside its job. */
struct duplicate_view {
        bool redelivered;
        bool reconnected; /* the link did so at most DUPLICATE_RECONNECT ms ago */
        bool unmarked;    /* marks that are not known here may be of it (MARK_ASK) */
        msec marks_keep;
};

bool duplicate_is_possible(const struct job *job, const struct duplicate_view *v, msec now);
/* Older than half of marks_keep, by when it came to its queue: its mark may be forgotten, in the
 * stream or here. One that is younger has waited for less, and its mark is known. */
bool duplicate_is_stale(const struct job *job, const struct duplicate_view *v, msec now);
/* Only the primary status-store knows all moves and ends of a job that is older than half of
 * marks_keep: another one that does not know the job says nothing about it. */
bool duplicate_needs_primary(const struct job *job, msec marks_keep, msec now);
/* Only a store can say whether it was cancelled or moved. It is old, or it was sent away once
 * (x-again), perhaps for want of an answer, which made it young, and its job is old. False for one
 * without a time: publishers outside may give none, and their jobs must not wait for a store. */
bool duplicate_outlives_marks(const struct job *job, msec marks_keep, msec now);

enum duplicate_state {
        DUPLICATE_UNKNOWN,
        DUPLICATE_OPEN,
        DUPLICATE_RUNNING,
        DUPLICATE_RETRYING, /* its retry is in the stream and not yet due */
        DUPLICATE_BURIED,   /* in this same attempt; the letter may be in the stream only */
        DUPLICATE_CLOSED,
        DUPLICATE_SUPERSEDED,
        DUPLICATE_BEHIND, /* the store has not yet read all events from before the delivery */
        DUPLICATE_SILENT, /* no answer in time */
};

/* None says that the store knows the job's submission, which may be read after the start. The words
 * of POST /internal/v1/deliveries/check; DUPLICATE_SILENT has none. */
bool duplicate_state_parse(struct bytes word, enum duplicate_state *out);

/* It may have been published twice, also when this message does not say so: a gateway that does not
 * learn what became of its publish leaves the key to another, which publishes the id again. last:
 * what duplicate_check_last says; one that would run after such an answer is not asked about. */
bool duplicate_asks_for_copies(const struct job *job, enum duplicate_state last);

/* How long a store that is so far behind is not asked about copies. */
msec duplicate_pause(msec lag);

struct duplicate_answer {
        enum duplicate_state state;
        char worker[WORKER_NAME_SIZE]; /* "" unknown */
        bool worker_alive;
        int64_t starts; /* by workers that then died */
        msec lag;       /* BEHIND: of the store */
        bool forget;    /* the message that is asked about has made a row of an ended job again */
        /* BURIED: the reason. */
        enum reason reason;
        enum error_kind error_kind;
        struct buffer error;
};

enum duplicate_step {
        DUPLICATE_RUN,
        DUPLICATE_RUN_AGAIN,  /* run it; the handler is told that it may have run before */
        DUPLICATE_DROP,       /* ack unrun */
        DUPLICATE_WAIT,       /* hop, then check again */
        DUPLICATE_POSTPONE,   /* the same: the store has to catch up, or to answer */
        DUPLICATE_BURY,       /* poison */
        DUPLICATE_BURY_AGAIN, /* publish the same dead letter again */
};

/* Why it is asked about, and so what BEHIND and SILENT mean for it. */
enum duplicate_doubt {
        DOUBT_KEY,      /* for its key alone: it runs, as nearly all such are the only copy */
        DOUBT_POSSIBLE, /* duplicate_is_possible: it waits while the store is BEHIND */
        DOUBT_OLD,      /* duplicate_outlives_marks: it may be over, and waits in both cases */
};

/* me: this worker's name. A delivery whose attempt runs in this process joins it and is never
 * checked, so an answer that names `me` means an earlier process of that name. */
enum duplicate_step duplicate_judge(const struct duplicate_answer *a, const char *me,
                                    enum duplicate_doubt doubt);
/* How long a job hops for WAIT and POSTPONE: longer, the further the store is behind, since each
 * hop adds to the stream that it has to read. */
msec duplicate_hop(const struct duplicate_answer *a);
