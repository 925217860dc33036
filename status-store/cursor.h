/* SPDX-License-Identifier: Apache-2.0
 *
 * cursor.h: where a page of jobs ended, as text that only we make: the sort key of its last row
 * and a check against inventions. It holds across restarts, rebuilds and replicas.
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
/* False when it is none of ours. */
bool cursor_read(const char *text, struct cursor *c);

#endif
