/* SPDX-License-Identifier: Apache-2.0
 *
 * duplicate_check.h: asks the status-store, in batches and off the loop, what became of attempts
 * that may have run before. Each question gets exactly one answer, unless it is withdrawn.
 *
 * An answer is worth something only when the store knows all that was told before the delivery
 * came. So a batch begins with a marker of its own in the event stream, and a store that has not
 * folded it says that it is behind. Of several stores the next is asked when one is away or behind.
 * DUPLICATE_BEHIND: all that answered are, or
 * are too busy to say. DUPLICATE_SILENT: none has answered for
 * DUPLICATE_PATIENCE. While nothing can be published, questions wait.
 *
 * Loop thread only.
 */
#ifndef WARREN_CONSUMER_DUPLICATE_CHECK_H
#define WARREN_CONSUMER_DUPLICATE_CHECK_H

#include <uv.h>

#include "common/amqp/outbox.h"
#include "common/base/bytes.h"
#include "common/base/err.h"
#include "consumer/attempt.h"
#include "consumer/duplicate.h"
#include "consumer/stores.h"

enum {
        DUPLICATE_CHECK_MAX = 256, /* questions in a batch */
};

struct duplicate_check;

/* Never inside duplicate_check_ask. */
typedef void answered_fn(void *owner, struct attempt *a, const struct duplicate_answer *answer);

struct duplicate_check_config {
        const struct stores *stores; /* borrowed */
        struct outbox *outbox;       /* borrowed; for markers */
        const char *app_id;          /* borrowed */
        uv_loop_t *loop;
        answered_fn *answered;
        void *owner;
};

struct duplicate_check *duplicate_check_create(const struct duplicate_check_config *c);
/* Waits for a call under way (it runs the loop). No question may be open, and the outbox must be
 * gone. */
void duplicate_check_destroy(struct duplicate_check **d);
/* The attempt must be ASKED; it is the duplicate_check's until it is answered or withdrawn. */
void duplicate_check_ask(struct duplicate_check *d, struct attempt *a);
void duplicate_check_withdraw(struct duplicate_check *d, struct attempt *a);

/* The answer's body for `count` questions. -1: it is not what the contract says. Either way each
 * answer ends with duplicate_answer_fini. */
int duplicate_check_parse(struct bytes body, struct duplicate_answer *answers, size_t count,
                          struct err *e) MUST_CHECK;

#endif
