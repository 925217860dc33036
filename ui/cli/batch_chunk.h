/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_chunk.h: the jobs of one request of a batch, until each is accepted or refused. What the
 * gateway could not take yet is sent again, with the same keys. Pure.
 */
#pragma once

#include <stdbool.h>

#include "common/base/clock.h"
#include "ui/cli/batch_job.h"

/* A request holds less than the gateway's 1000 jobs and 8 MiB: the last job may exceed CHUNK_BYTES,
 * by 4 MiB at most. */
enum { CHUNK_JOBS = 500, CHUNK_BYTES = 2 << 20 };

struct chunk_job {
        struct batch_place place; /* its text is set for a request */
        size_t begin, length;     /* of its text in `texts` */
        bool open;                /* to be sent */
        char *problem;            /* why it was refused; owned */
};

struct batch_chunk { /* starts as {0} */
        struct buffer texts;
        struct chunk_job jobs[CHUNK_JOBS];
        size_t count;
        size_t accepted, replayed, refused; /* replayed: of the accepted */
};

struct chunk_answer {      /* starts as {0} */
        size_t settled;    /* jobs that it accepted or refused */
        msec wait;         /* the longest that it asks to wait for the others; 0: not said */
        struct buffer why; /* why the others are to be sent again */
};

void batch_chunk_fini(struct batch_chunk *c);
void batch_chunk_clear(struct batch_chunk *c);
bool batch_chunk_is_full(const struct batch_chunk *c);
size_t batch_chunk_open(const struct batch_chunk *c);
/* Copies the text. Not when it is full. A job without text (too large) is refused. */
void batch_chunk_add(struct batch_chunk *c, const struct batch_place *p);
/* Adds a body of the open jobs: an array, or lines. */
void batch_chunk_request(struct batch_chunk *c, const char *key, bool array, struct buffer *body);
/* Takes the answer to the last request. ERR_PROTOCOL: it is no answer to it. ERR_INVALID: the
 * gateway read no job, and would read none again. */
int batch_chunk_take(struct batch_chunk *c, struct scan_value answer, struct chunk_answer *out,
                     struct err *e) MUST_CHECK;
/* Adds a line for each refused job, in order. */
void batch_chunk_refused(const struct batch_chunk *c, struct buffer *out);
