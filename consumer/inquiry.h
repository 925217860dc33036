/* SPDX-License-Identifier: Apache-2.0
 *
 * inquiry.h: asks the status-store, in batches and off the loop, what became of attempts that may
 * have run before. Each question gets exactly one answer, unless it is withdrawn.
 *
 * An answer is worth something only when the store knows all that was told before the delivery
 * came. So a batch begins with a marker of its own in the event stream, and a store that has not
 * folded it says that it is behind. Of several stores the next is asked when one is away or behind.
 * GUARD_BEHIND: all that answered are. GUARD_SILENT: none has answered for GUARD_PATIENCE. While
 * nothing can be published, questions wait.
 *
 * Loop thread only.
 */
#ifndef WARREN_CONSUMER_INQUIRY_H
#define WARREN_CONSUMER_INQUIRY_H

#include <uv.h>

#include "common/amqp/outbox.h"
#include "common/base/bytes.h"
#include "common/base/err.h"
#include "consumer/attempt.h"
#include "consumer/guard.h"
#include "consumer/stores.h"

enum {
        INQUIRY_MAX = 256, /* questions in a batch */
};

struct inquiry;

/* Never inside inquiry_ask. */
typedef void answered_fn(void *owner, struct attempt *a, const struct guard_answer *answer);

struct inquiry_config {
        const struct stores *stores; /* borrowed */
        struct outbox *outbox;       /* borrowed; for markers */
        const char *app_id;          /* borrowed */
        uv_loop_t *loop;
        answered_fn *answered;
        void *owner;
};

struct inquiry *inquiry_create(const struct inquiry_config *c);
/* Waits for a call under way (it runs the loop). No question may be open, and the outbox must be
 * gone. */
void inquiry_destroy(struct inquiry **q);
/* The attempt must be ASKED; it is the inquiry's until it is answered or withdrawn. */
void inquiry_ask(struct inquiry *q, struct attempt *a);
void inquiry_withdraw(struct inquiry *q, struct attempt *a);
/* Any one attempt that waits for its answer, or NULL. */
struct attempt *inquiry_any(const struct inquiry *q);

/* The answer's body for `count` questions. -1: it is not what the contract says. Either way each
 * answer ends with guard_answer_fini. */
int inquiry_parse(struct bytes body, struct guard_answer *answers, size_t count,
                  struct err *e) MUST_CHECK;

#endif
