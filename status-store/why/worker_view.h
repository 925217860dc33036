/* SPDX-License-Identifier: Apache-2.0
 *
 * worker_view.h: one consumer as its last record shows it. Members that older consumers do not
 * write are 0 or absent.
 */
#pragma once

#include "common/base/json_scan.h"
#include "status-store/projection/schema.h"

/* LOST: it has been silent for WORKER_ALIVE and did not say that it ends. */
enum worker_status { WORKER_IS_UP, WORKER_IS_DRAINING, WORKER_IS_LOST, WORKER_IS_GONE };
const char *worker_status_name(enum worker_status s);

struct worker_view {
        char name[WORKER_NAME_SIZE];
        msec at; /* of the record */
        enum worker_status status;
        int64_t concurrency, busy, waiting; /* waiting: jobs that it holds, not started */
        msec no_handler_wait;
        bool all_types;                           /* `types` names all that it handles */
        struct scan_value types, limits, running; /* of the record; without raw.data: absent */
        struct bytes raw;                         /* the record; absent: unreadable */
};

/* From a row of workers_sql, whose bytes it borrows. as_of: the projection's time. */
void worker_view_read(sqlite3_stmt *row, msec as_of, struct worker_view *out);
/* True for every type when the record does not name all of them. */
bool worker_view_handles(const struct worker_view *w, const char *type);
/* How many of the type it runs, as far as its record names what it runs. */
int64_t worker_view_running(const struct worker_view *w, const char *type);
/* How many of the type it may run at once; RECORD_UNLIMITED: the type has no limit there. */
int64_t worker_view_limit(const struct worker_view *w, const char *type);
