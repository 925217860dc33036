/* SPDX-License-Identifier: Apache-2.0
 *
 * cursor.h: where a page of jobs ended, as text: the sort key of its last row, and a checksum, by
 * which a text that cursor_write did not make is refused. Valid across restarts and replicas; of
 * replicas that saw a rewind of the stream and others the order of equal times may differ.
 */
#ifndef WARREN_STATUS_STORE_CURSOR_H
#define WARREN_STATUS_STORE_CURSOR_H

#include <stdbool.h>

#include "common/base/clock.h"

struct cursor {
        bool ascending;
        msec created;
        int64_t seq;
};

enum { CURSOR_SIZE = 1 + 16 + 16 + 8 + 1 };

void cursor_write(const struct cursor *c, char out[CURSOR_SIZE]);
/* False when cursor_write did not make the text. */
bool cursor_read(const char *text, struct cursor *c);

#endif
