/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_answer.h: what the gateway's answer says of a batch's jobs. Pure.
 */
#pragma once

#include "common/base/clock.h"
#include "common/base/json_scan.h"

enum batch_verdict {
        BATCH_ACCEPTED,
        BATCH_REPLAYED, /* accepted before, under the same key */
        BATCH_REFUSED,  /* and would be again */
        BATCH_LIMITED,  /* refused for now, and its key is not kept: to be sent again */
        BATCH_AGAIN,    /* refused for now, or unknown: to be sent again with its key */
        BATCH_ENDED,    /* not of a job: the gateway did not read on */
};

/* Of an entry of "jobs". dry: of a dry run; a job that waits only for the rate, for room, or for
 * the outcome of its key, would be accepted. For BATCH_LIMITED and BATCH_AGAIN, *wait becomes the
 * time that the gateway asks for, if it is more; otherwise *wait stays. */
enum batch_verdict batch_judge(struct scan_value entry, bool dry, msec *wait);
/* The answer of a request as a whole is to be asked for again: nobody was there, or not ready.
 * status 0: no answer came. */
bool batch_is_temporary(int status);
/* The pause before an unanswered request is sent again: 0.5, 1, 2 … 30 s. failures: how many came
 * in a row, from 1. */
msec batch_pause(unsigned failures);

/* The pause while a rate is over. The gateway asks for whole seconds, rounded up, and a small burst
 * is there again sooner: so a pause of a second becomes half of it, unless less is accepted after
 * that. No shorter one: each request has the primary look up the keys of all its jobs. */
struct batch_pace { /* starts as {0} */
        msec wait;
        size_t made; /* accepted by the last request; 0 before the first of a chunk */
        bool found;
};
/* The next pause, after an answer in which only the rate kept jobs open. asked: what the gateway
 * asks for; made: how many jobs the request made. */
msec batch_pace(struct batch_pace *p, msec asked, size_t made);
