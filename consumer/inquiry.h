/* SPDX-License-Identifier: Apache-2.0
 *
 * inquiry.h: asks the status-store, in batches and off the loop, what became of attempts that may
 * have run before. Each question gets exactly one answer, GUARD_SILENT after GUARD_PATIENCE, unless
 * it is withdrawn. Loop thread only.
 */
#ifndef WARREN_CONSUMER_INQUIRY_H
#define WARREN_CONSUMER_INQUIRY_H

#include <uv.h>

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "consumer/attempt.h"
#include "consumer/guard.h"

enum { INQUIRY_MAX = 256 }; /* questions in a batch */

struct inquiry;

/* Never inside inquiry_ask. */
typedef void answered_fn(void *owner, struct attempt *a, const struct guard_answer *answer);

struct inquiry_config {
        const char *url;   /* of the status-store */
        const char *token; /* the internal one */
        uv_loop_t *loop;
        answered_fn *answered;
        void *owner;
};

struct inquiry *inquiry_create(const struct inquiry_config *c, struct err *e) MUST_CHECK;
/* Waits for a call under way (it runs the loop). No question may be open. */
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
