/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_tokens.h: the queues of limits' tokens in registry.db (common/model/limit_queue.h). Each
 * is one version of a limit. It is filled once; only then the record that names it is published. A
 * queue whose filling failed, or whose limit has another version by now, is stale: it is deleted
 * later. A version is never used twice, also when a tenant is deleted and made again: tokens of
 * both would add up.
 *
 * Threads and errors as in registry.h.
 */
#pragma once

#include "common/model/limit_queue.h"
#include "status-store/registry/registry.h"

struct token_queue {
        enum limit_queue kind;  /* not LIMIT_TYPE_COOLING */
        char of[JOB_TYPE_SIZE]; /* the tenant or type */
        int64_t version;
        int64_t tokens;   /* the limit; not in the lists below */
        msec per;         /* LIMIT_TYPE_RATE */
        msec stale_since; /* of a stale one */
};

/* Takes the next version of the limit kind, of, and fills q->version. Call it before the queue is
 * declared. What was being filled for the same limit is stale now. */
int registry_begin_tokens(struct registry *r, struct token_queue *q, struct err *e) MUST_CHECK;
/* The queue is filled: the tenant or type uses it, and is to be published under a new v.
 * ERR_CONFLICT: its limit is another one by now, or it has tokens already; nothing is changed. */
int registry_use_tokens(struct registry *r, const struct token_queue *q, struct err *e) MUST_CHECK;
/* The queue is stale from now on. */
int registry_abandon_tokens(struct registry *r, const struct token_queue *q,
                            struct err *e) MUST_CHECK;
/* It is deleted. Its version stays used. */
int registry_forget_tokens(struct registry *r, const struct token_queue *q,
                           struct err *e) MUST_CHECK;

/* Call each for every queue that is filled and not stale, or that has been stale since `before` or
 * longer, until it fails. They work on a copy of the list. */
typedef int token_queue_fn(void *owner, const struct token_queue *q, struct err *e);
int registry_each_filled(struct registry *r, token_queue_fn *each, void *owner,
                         struct err *e) MUST_CHECK;
int registry_each_stale(struct registry *r, msec before, token_queue_fn *each, void *owner,
                        struct err *e) MUST_CHECK;
