/* SPDX-License-Identifier: Apache-2.0
 *
 * cursor.c: a cursor as text, and its order.
 */
#include "status-store/jobs/cursor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"

struct cursor cursor_start(bool ascending)
{
        return ascending ? (struct cursor){true, -1, INT64_MAX}
                         : (struct cursor){false, INT64_MAX, -1};
}

bool cursor_precedes(const struct cursor *a, const struct cursor *b)
{
        bool less = a->created < b->created || (a->created == b->created && a->seq < b->seq);
        bool same = a->created == b->created && a->seq == b->seq;
        return !same && less == a->ascending;
}

void cursor_write(const struct cursor *c, char out[CURSOR_SIZE])
{
        int length = snprintf(out, CURSOR_SIZE, "%c%016" PRIx64 "%016" PRIx64,
                              c->ascending ? 'a' : 'd', (uint64_t)c->created, (uint64_t)c->seq);
        uint64_t check = bytes_hash(bytes_of(out, (size_t)length));
        snprintf(out + length, CURSOR_SIZE - (size_t)length, "%08" PRIx32, (uint32_t)check);
}

static uint64_t hex_at(const char *text)
{
        char digits[17];
        memcpy(digits, text, 16);
        digits[16] = '\0';
        return strtoull(digits, NULL, 16);
}

bool cursor_read(const char *text, struct cursor *c)
{
        if (strlen(text) != CURSOR_SIZE - 1)
                return false;
        *c = (struct cursor){.ascending = text[0] == 'a',
                             .created = (msec)hex_at(text + 1),
                             .seq = (int64_t)hex_at(text + 17)};
        /* Bad digits or a bad checksum make this text differ. */
        char again[CURSOR_SIZE];
        cursor_write(c, again);
        return strcmp(again, text) == 0;
}
