/* SPDX-License-Identifier: Apache-2.0
 *
 * token_queues.h: makes, fills and deletes the queues that hold the tokens of limits. A thread of
 * its own fills what the registry's rows need, one queue after the other; so nothing
 * else waits for tokens. A queue is filled on a link of its own that never publishes again: a token
 * that the broker has twice would raise the limit. So any failure abandons that version, and the
 * next attempt takes the next one. After a failure that limit, and no other, waits: longer after
 * each in a row, because each costs a queue.
 *
 * After a reconnect the queues in use are declared again, without adding a token. Those that have
 * been stale for long enough and have no consumers are deleted.
 *
 * Threads: create, stop and destroy on the loop's thread; the other calls on any other.
 */
#pragma once

#include <pthread.h>

#include "common/amqp/link.h"
#include "status-store/registry/registry_types.h"

struct token_queues;

struct token_queues_config {
        const struct link_config *link; /* with the provisioning login; one link is made from it */
        struct registry *registry;      /* borrowed */
        /* Held while a row of a tenant or type is given its tokens. Borrowed. */
        pthread_mutex_t *changing;
        msec delete_after; /* time from when a queue is stale to its deletion */
        /* The tenant or type has all tokens that it needs: its limits can be published. On the
         * thread; may block. */
        void (*filled)(void *owner, enum record_kind kind, const char *name);
        void *owner;
};

struct token_queues *token_queues_create(const struct token_queues_config *c, uv_loop_t *loop,
                                         struct err *e) MUST_CHECK;
void token_queues_destroy(struct token_queues **q);
/* Before destroy. NULL does nothing. Stop, on the loop's thread: what the thread does fails at
 * once, and the version that it fills is abandoned. Join, on another: waits for its end. */
void token_queues_stop(struct token_queues *q);
void token_queues_join(struct token_queues *q);

/* `control` has been read: the registry knows every version that was used, so filling may begin. */
void token_queues_begin(struct token_queues *q);
/* A row may need tokens. */
void token_queues_wake(struct token_queues *q);
bool token_queues_are_up(const struct token_queues *q);
