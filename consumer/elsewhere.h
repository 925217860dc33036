/* SPDX-License-Identifier: Apache-2.0
 *
 * elsewhere.h: whether a live consumer elsewhere handles a type that has no handler here. Status-
 * stores know that from the worker records. They are asked off the loop, one question for whatever
 * types are wanted, and an answer is fresh for 5 s. Loop thread only.
 */
#ifndef WARREN_CONSUMER_ELSEWHERE_H
#define WARREN_CONSUMER_ELSEWHERE_H

#include <stdbool.h>
#include <uv.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "consumer/stores.h"

enum {
        ELSEWHERE_FRESH = 5000,     /* ms */
        ELSEWHERE_TYPES_MAX = 4096, /* remembered; the publishers choose them */
        ELSEWHERE_ASKED_MAX = 256,  /* in a call */
};

struct elsewhere;

enum handled { HANDLED_UNKNOWN, HANDLED_ELSEWHERE, HANDLED_BY_NONE };

/* stores is borrowed. */
struct elsewhere *elsewhere_create(const struct stores *stores, uv_loop_t *loop);
/* Waits for a call under way (it runs the loop). */
void elsewhere_destroy(struct elsewhere **e);
/* What is known, and asks unless it is fresh. */
enum handled elsewhere_look(struct elsewhere *e, const char *type, bool *fresh);

/* The answer's body about `count` types. -1: it is not what the contract says, or is of a store
 * that is behind. */
int elsewhere_parse(struct bytes body, bool *handled, size_t count, struct err *e) MUST_CHECK;

#endif
