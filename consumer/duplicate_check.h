/* SPDX-License-Identifier: Apache-2.0
 *
 * duplicate_check.h: asks a status-store, in batches and off the loop, what happened to attempts
 * that may have run before. Each question gets exactly one answer, unless it is withdrawn.
 *
 * An answer counts only if the store has read all events from before the delivery. So a batch
 * first publishes a marker to the event stream; a store that has not read it says that it is
 * behind. When one store is unreachable or behind, or is not the primary and the primary's word is
 * needed, the next is asked. DUPLICATE_BEHIND: all that answered are behind, too busy, or such.
 * DUPLICATE_SILENT: none answered for DUPLICATE_PATIENCE. While the broker is unreachable,
 * questions wait. Loop thread only.
 */
#pragma once

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

/* Never called inside duplicate_check_ask. */
typedef void answered_fn(void *owner, struct attempt *a, const struct duplicate_answer *answer);

struct duplicate_check_config {
        const struct stores *stores; /* borrowed */
        struct outbox *outbox;       /* borrowed; for markers */
        const char *app_id;          /* borrowed */
        msec marks_keep;
        uv_loop_t *loop;
        answered_fn *answered;
        void *owner;
};

struct duplicate_check *duplicate_check_create(const struct duplicate_check_config *c);
/* Runs the loop until a call has ended. First withdraw all questions and destroy the outbox. */
void duplicate_check_destroy(struct duplicate_check **d);
/* The attempt is ASKED or PICKED, and must live until it is answered or withdrawn. */
void duplicate_check_ask(struct duplicate_check *d, struct attempt *a);
void duplicate_check_withdraw(struct duplicate_check *d, struct attempt *a);
/* DUPLICATE_SILENT or DUPLICATE_BEHIND: the last answer, while its pause lasts (duplicate_pause).
 * What need not be asked should not wait for another such. Otherwise DUPLICATE_UNKNOWN. */
enum duplicate_state duplicate_check_last(const struct duplicate_check *d);

/* Reads the answer to `count` questions, and whether the store is the primary (an earlier version
 * does not say, and counts as it). -1: not as in the contract. The caller frees the answers' errors
 * in either case. */
int duplicate_check_parse(struct bytes body, struct duplicate_answer *answers, size_t count,
                          bool *primary, struct err *e) MUST_CHECK;
/* Takes what a store has said of the questions that are not settled (BEHIND), and clears `fresh`.
 * needs_primary: of each question. True: all are settled. */
bool duplicate_check_merge(struct duplicate_answer *answers, struct duplicate_answer *fresh,
                           const bool *needs_primary, size_t count, bool primary);
