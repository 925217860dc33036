/* SPDX-License-Identifier: Apache-2.0
 *
 * schema.h: the tables of archive.db, and the migration to them from earlier versions.
 */
#pragma once

#include <sqlite3.h>

#include "common/base/err.h"

enum { AUTO_VACUUM_INCREMENTAL = 2 }; /* of PRAGMA auto_vacuum */

/* SQL: the bytes that a letter takes: its row of `contents`, and about 1024 for its row of
 * `letters` and the indexes. */
#define CONTENT_BYTES(row) \
        "(1024 + coalesce(length(" row ".properties), 0) + coalesce(length(" row ".body), 0)" \
        " + coalesce(length(" row ".edited), 0))"

/* SQL: of a tenant's letters l, the untouched ones (dead "1") archived before `before`, or those
 * (dead "0") replayed or discarded before it; without letters in replay or not announced yet. */
#define LETTERS_DUE(tenant, dead, before) \
        " l.tenant = " tenant " AND (l.state = 'dead') = " dead \
        " AND coalesce(l.replayed_at, l.archived_at) < " before \
        " AND l.replaying = 0 AND l.announced = 1"

/* Creates or migrates the tables. ERR_CONFLICT: a later version wrote the file. */
int archive_schema_apply(sqlite3 *db, struct err *e) MUST_CHECK;
