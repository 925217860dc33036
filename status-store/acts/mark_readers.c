/* SPDX-License-Identifier: Apache-2.0
 *
 * mark_readers.c: reads the records of consumers.
 */
#include "status-store/acts/mark_readers.h"

#include <stdlib.h>

#include "common/base/json_scan.h"
#include "common/base/memory.h"
#include "status-store/acts/seen.h"
#include "status-store/jobs/lookup.h"

void mark_readers_fini(struct mark_readers *m)
{
        free(m->names);
        free(m->workers);
        *m = (struct mark_readers){.count = 0};
}

/* A consumer of an earlier version does not. */
static bool follows_marks(struct bytes record)
{
        struct scan_value marks = {0};
        return scan_find(scan_root(record), "marks", &marks) && marks.kind == SCAN_TRUE;
}

int mark_readers_list(struct readers *readers, msec as_of, struct mark_readers *out, struct err *e)
{
        AUTO_READER *reader = readers_take(readers, e);
        if (reader == NULL)
                return -1;
        AUTO_RESET *rows = reader_query(
                reader,
                "SELECT worker, raw FROM workers WHERE at > ?1 AND"
                " state IS NOT 'gone' ORDER BY worker LIMIT ?2",
                DB_VALUES(value_int(as_of - WORKER_ALIVE), value_int(SEEN_WORKERS_MAX)), e);
        int more = 0;
        while ((more = db_step(rows, e)) == 1) {
                if (!follows_marks(db_bytes(rows, 1)))
                        continue;
                out->names = xrealloc(out->names, (out->count + 1) * sizeof(*out->names));
                db_text(rows, 0, out->names[out->count++], WORKER_NAME_SIZE);
        }
        out->workers = xcalloc(out->count + 1, sizeof(*out->workers));
        for (size_t i = 0; i < out->count; i++)
                out->workers[i] = out->names[i];
        return more < 0 ? -1 : 0;
}
