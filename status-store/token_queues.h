/* SPDX-License-Identifier: Apache-2.0
 *
 * token_queues.h: makes, fills and deletes the queues that hold the tokens of limits. A queue is
 * filled on a link of its own that never publishes again: a token that the broker has twice would
 * raise the limit. So any failure abandons that version, and the next attempt takes the next one.
 *
 * Threads: create and destroy on the loop's thread; the other calls block, on any other thread, one
 * at a time.
 */
#pragma once

#include "common/amqp/link.h"
#include "status-store/registry_types.h"

struct token_queues;

struct token_queues_config {
        const struct link_config *link; /* with the provisioning login; one link is made from it */
        struct registry *registry;      /* borrowed */
        msec delete_after;              /* time from when a queue is stale to its deletion */
        void (*up)(void *owner); /* connected: declare the queues again; on the loop's thread */
        void *owner;
};

struct token_queues *token_queues_create(const struct token_queues_config *c, uv_loop_t *loop,
                                         struct err *e) MUST_CHECK;
void token_queues_destroy(struct token_queues **q);
bool token_queues_are_up(const struct token_queues *q);

/* Makes what t's limits need that is not there yet, and fills t's versions: then its record can be
 * published. ERR_CONFLICT: t was changed meanwhile. */
int token_queues_fill_tenant(struct token_queues *q, struct tenant *t, struct err *e) MUST_CHECK;
int token_queues_fill_type(struct token_queues *q, struct type *t, struct err *e) MUST_CHECK;
/* The same, but ERR_UNAVAILABLE at once for a time after a failure, longer after each in a row:
 * each attempt costs a queue. */
int token_queues_retry_tenant(struct token_queues *q, struct tenant *t, struct err *e) MUST_CHECK;
int token_queues_retry_type(struct token_queues *q, struct type *t, struct err *e) MUST_CHECK;

/* Declares again the queues in use, without adding a token; deletes those that have been stale for
 * long enough and have no consumers. Both go on after a refusal, and return the last. */
int token_queues_declare(struct token_queues *q, struct err *e) MUST_CHECK;
int token_queues_sweep(struct token_queues *q, struct err *e) MUST_CHECK;
