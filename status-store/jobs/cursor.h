/* SPDX-License-Identifier: Apache-2.0
 *
 * cursor.h: where a page of jobs ended.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"

/* The sort key of a row: lists are in the order of (created, seq), or in the opposite one. As text,
 * it has a checksum, by which a text that cursor_write did not make is refused. Valid across
 * restarts and replicas; of replicas that saw a rewind of the stream and others the order of equal
 * times may differ. */
struct cursor {
        bool ascending;
        msec created;
        int64_t seq;
};

enum { CURSOR_SIZE = 1 + 16 + 16 + 8 + 1 };

/* Before the first row of the order. */
struct cursor cursor_start(bool ascending);
/* Whether a comes before b in the order of a. */
bool cursor_precedes(const struct cursor *a, const struct cursor *b);
void cursor_write(const struct cursor *c, char out[CURSOR_SIZE]);
/* False when cursor_write did not make the text. */
bool cursor_read(const char *text, struct cursor *c);
