/* SPDX-License-Identifier: Apache-2.0
 *
 * mark_numbers.c: numbers of the present time, or the one after the last.
 */
#include "status-store/acts/mark_numbers.h"

#include <stdlib.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/mark.h"
#include "status-store/registry/registry_rows.h"

struct mark_numbers {
        struct registry *registry;
        int64_t last;
        int64_t reserved; /* stored */
};

static int read_reserved(struct mark_numbers *n, struct err *e)
{
        AUTO_READER *reader = registry_read(n->registry, e);
        if (reader == NULL)
                return -1;
        AUTO_RESET *find = reader_query(reader, "SELECT max(reserved) FROM mark_numbers", NULL, e);
        if (db_step(find, e) != 1)
                return -1;
        n->last = n->reserved = sqlite3_column_int64(find, 0);
        return 0;
}

struct mark_numbers *mark_numbers_create(struct registry *r, struct err *e)
{
        AUTO(mark_numbers) n = xcalloc(1, sizeof(*n));
        n->registry = r;
        return read_reserved(n, e) == 0 ? TAKE(n) : NULL;
}

void mark_numbers_destroy(struct mark_numbers **n)
{
        free(TAKE(*n));
}

static int reserve(struct mark_numbers *n, int64_t until, struct err *e)
{
        if (registry_rows_change(n->registry,
                                 "INSERT OR REPLACE INTO mark_numbers(one, reserved) VALUES(1, ?1)",
                                 DB_VALUES(value_int(until)), e) < 0)
                return -1;
        n->reserved = until;
        return 0;
}

int mark_numbers_next(struct mark_numbers *n, int64_t *number, struct err *e)
{
        msec now = clock_wall();
        int64_t next = copy_number(now, 0, n->last);
        if (next > n->reserved && reserve(n, copy_number(now + MSEC_MINUTE, 0, next), e) != 0)
                return -1;
        *number = n->last = next;
        return 0;
}
