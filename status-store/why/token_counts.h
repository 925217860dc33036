/* SPDX-License-Identifier: Apache-2.0
 *
 * token_counts.h: how many messages are ready in queues that hold the tokens of limits, or parked
 * jobs, by passive declare. A count is used for two seconds. The counts have a link of their own,
 * with a login that may look at those queues: a link answers declarations in order, and tokens must
 * not wait.
 */
#pragma once

#include "common/amqp/link.h"
#include "common/model/limit_queue.h"
#include "common/model/parked.h"

struct token_counts;

/* Loop thread, like token_counts_destroy. */
struct token_counts *token_counts_create(const struct link_config *link, uv_loop_t *loop,
                                         struct err *e) MUST_CHECK;
/* When nobody reads any more. */
void token_counts_destroy(struct token_counts **t);

enum { COUNTED_QUEUE_SIZE = PARKED_QUEUE_SIZE };
_Static_assert((int)LIMIT_QUEUE_SIZE <= (int)PARKED_QUEUE_SIZE,
               "the name of a queue of tokens fits");

struct token_count {
        char queue[COUNTED_QUEUE_SIZE]; /* "": none is asked for */
        int64_t ready;                  /* -1: not known */
};
/* Fills in what is known by `deadline`, of clock_mono. Nothing is within ten seconds of the link's
 * connect: a broker that has just started counts 0 in every queue. t NULL: nothing is known. Any
 * thread. */
void token_counts_read(struct token_counts *t, struct token_count *counts, size_t n, msec deadline);
