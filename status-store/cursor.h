/* SPDX-License-Identifier: Apache-2.0
 *
 * cursor.h: where a page of jobs ended, as text: the sort key of its last row, and a checksum that
 * finds texts which cursor_write did not make. Valid across restarts, rebuilds and replicas.
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
