/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_chunk.h: the jobs of one request of a batch, until each is accepted or refused. What the
 * gateway could not take yet is sent again, with the same keys. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "ui/cli/batch_answer.h"
#include "ui/cli/batch_job.h"

/* A request holds less than the gateway's 1000 jobs and 8 MiB: the last job may exceed CHUNK_BYTES,
 * by 4 MiB at most. */
enum { CHUNK_JOBS = 500, CHUNK_BYTES = 2 << 20 };

struct chunk_job {
        struct batch_place place; /* its text is set for a request */
        size_t begin, length;     /* of its text in `texts` */
        bool open;                /* to be sent */
        bool replayed;
        msec since;    /* the gateway may have its key, which is not older; 0: it has not */
        char *problem; /* why it was refused; owned */
};

struct batch_chunk { /* starts as {0} */
        bool dry;    /* a dry run: a job that would have to wait would be accepted */
        struct buffer texts;
        struct chunk_job jobs[CHUNK_JOBS];
        size_t count;
        size_t accepted, replayed, refused; /* replayed: of the accepted */
};

/* Jobs that are accepted or refused. */
struct chunk_settled {
        uint64_t last; /* number of the last one; 0 when none is settled */
        uint64_t end;  /* bytes of the input up to its end */
        size_t accepted, replayed, refused;
};

struct chunk_answer {      /* starts as {0} */
        size_t settled;    /* jobs that it accepted or refused */
        size_t made;       /* jobs that it accepted now */
        size_t limited;    /* jobs that are over a rate */
        msec wait;         /* the longest that it asks to wait for the others; 0: not said */
        struct buffer why; /* why the others are to be sent again */
};

void batch_chunk_fini(struct batch_chunk *c);
bool batch_chunk_is_full(const struct batch_chunk *c);
size_t batch_chunk_open(const struct batch_chunk *c);
/* Copies the text. Not when it is full. A job without text (too large) is refused. since: as in
 * chunk_job; an earlier run may have sent it. */
void batch_chunk_add(struct batch_chunk *c, const struct batch_place *p, msec since);
/* Adds a body of the open jobs, which is sent now: an array, or lines. */
void batch_chunk_request(struct batch_chunk *c, const char *key, bool array, msec now,
                         struct buffer *body);
/* Takes the answer to the last request. ERR_PROTOCOL: it is no answer to it. ERR_INVALID: the
 * gateway read no job, and would read none again. */
int batch_chunk_take(struct batch_chunk *c, struct scan_value answer, struct chunk_answer *out,
                     struct err *e) MUST_CHECK;
/* The pause before the open jobs are sent again. *pace: of the chunk, for answers in which only the
 * rate kept jobs open. pause: after an answer that settled nothing, the least. */
msec batch_chunk_pause(const struct batch_chunk *c, const struct chunk_answer *answer,
                       struct batch_pace *pace, msec pause);
/* Takes the jobs before the first open one out. Adds a line for each that was refused, in order. */
void batch_chunk_take_settled(struct batch_chunk *c, struct chunk_settled *out,
                              struct buffer *refused);
/* The least `since` of the open jobs whose keys the gateway may have; 0: there is none. */
msec batch_chunk_unknown_since(const struct batch_chunk *c);
/* Likewise of all jobs. */
msec batch_chunk_since(const struct batch_chunk *c);
