/* SPDX-License-Identifier: Apache-2.0
 *
 * mark_numbers.h: the numbers of messages of marks (x-mark), which grow also over a restart after
 * which the clock is earlier: consumers tell how far they have read by the greatest. A number far
 * enough ahead is stored, and a later process goes on above it. Not thread-safe.
 */
#pragma once

#include "status-store/registry/registry.h"

struct mark_numbers;

/* Borrows the registry. */
struct mark_numbers *mark_numbers_create(struct registry *r, struct err *e) MUST_CHECK;
void mark_numbers_destroy(struct mark_numbers **n);
/* Blocks for a write every minute. */
int mark_numbers_next(struct mark_numbers *n, int64_t *number, struct err *e) MUST_CHECK;
