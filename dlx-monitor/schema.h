/* SPDX-License-Identifier: Apache-2.0
 *
 * schema.h: the tables of archive.db, and the way there from what an earlier version wrote.
 */
#ifndef WARREN_DLX_MONITOR_SCHEMA_H
#define WARREN_DLX_MONITOR_SCHEMA_H

#include <sqlite3.h>

#include "common/base/err.h"

/* What a letter takes, of the row of `contents` by that name: its contents and, about, its row with
 * the indexes. */
#define CONTENT_BYTES(row) \
        "(1024 + coalesce(length(" row ".properties), 0) + coalesce(length(" row ".body), 0)" \
        " + coalesce(length(" row ".edited), 0))"

/* Of a tenant's letters, l, those that nobody touched (dead: "1") or that were replayed or
 * discarded ("0") before that time. One on its way, or not announced yet, is not among them. */
#define LETTERS_DUE(tenant, dead, before) \
        " l.tenant = " tenant " AND (l.state = 'dead') = " dead \
        " AND coalesce(l.replayed_at, l.archived_at) < " before \
        " AND l.replaying = 0 AND l.announced = 1"

/* ERR_CONFLICT when a later version wrote the file. */
int archive_schema_apply(sqlite3 *db, struct err *e) MUST_CHECK;

#endif
