/* SPDX-License-Identifier: Apache-2.0
 *
 * dispatch.h: a job that was accepted so far, from its publish to its end: it enters the window, is
 * published to its queue, and the event stream is told of it.
 */
#pragma once

#include "gateway/core.h"
#include "gateway/refusal.h"

enum dispatch_end {
        DISPATCH_TOLD,      /* accepted */
        DISPATCH_TOLD_LATE, /* accepted; the event stream is told later */
        DISPATCH_RETURNED,  /* not accepted */
        DISPATCH_UNKNOWN,   /* the job may have been accepted, and will not be published again */
};

struct dispatch;

/* On the loop's thread. The dispatch, with what its job borrows, may be gone when it returns. */
typedef void dispatch_ended_fn(struct dispatch *d);

/* The owner's memory, which stays where it is until `ended`. */
struct dispatch {
        /* of the owner */
        struct gateway *g;
        struct job job;         /* the payload is borrowed */
        char holder[UUID_SIZE]; /* of the claim, when the job has a key; dispatch.c ends the claim
                                 */
        msec publish_by;        /* likewise: as in claim_answer */
        int64_t taken;          /* likewise */
        bool scheduled;         /* likewise; without a key it is of dispatch_init. The status that
                                 * the answer shows */
        dispatch_ended_fn *ended;
        void *owner;
        msec room_until; /* monotonic: waits so long for room, of the batches' half; 0: a single
                            submission, which does not wait */
        /* for the owner to read */
        msec published; /* wall clock; from dispatch_init on */
        /* of dispatch.c */
        int64_t since; /* monotonic, us */
        size_t bytes;  /* as they entered in_flight */
        enum link_result result;
        enum dispatch_end end;
};

/* The time is now. Completes the job, which judge_read has filled; without a claim it gets a new
 * id. */
void dispatch_init(struct dispatch *d, const char *traceparent);
/* May wait until room_until. True: `ended` is called once. False: not published, the rate and the
 * backlog have their parts back, *why says why; `ended` is not called. Any thread. */
bool dispatch_begin(struct dispatch *d, struct refusal *why) MUST_CHECK;
/* After `ended` (not on the loop's thread, as it logs), at most once. False: *why says why the job
 * is not accepted, or not known to be; after DISPATCH_RETURNED the rate and the backlog have their
 * parts back. */
bool dispatch_outcome(const struct dispatch *d, struct refusal *why) MUST_CHECK;
