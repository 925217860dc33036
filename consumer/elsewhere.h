/* SPDX-License-Identifier: Apache-2.0
 *
 * elsewhere.h: whether another live consumer handles a type that has no handler here. Status-stores
 * know it from the worker records. They are asked off the loop, for all wanted types at once; an
 * answer is fresh for ELSEWHERE_FRESH. Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "consumer/stores.h"

enum {
        ELSEWHERE_FRESH = 5000,     /* ms */
        ELSEWHERE_TYPES_MAX = 4096, /* remembered; bounded, since publishers choose the types */
        ELSEWHERE_ASKED_MAX = 256,  /* types in a call */
};

struct elsewhere;

enum handled { HANDLED_UNKNOWN, HANDLED_ELSEWHERE, HANDLED_BY_NONE };

/* stores is borrowed. */
struct elsewhere *elsewhere_create(const struct stores *stores, uv_loop_t *loop);
/* Runs the loop until a call in progress has ended. */
void elsewhere_destroy(struct elsewhere **e);
/* Returns what is known now; asks a store unless that is fresh. */
enum handled elsewhere_look(struct elsewhere *e, const char *type, bool *fresh);

/* Reads the answer about `count` types. -1: not as in the contract, or the store is behind. */
int elsewhere_parse(struct bytes body, bool *handled, size_t count, struct err *e) MUST_CHECK;
