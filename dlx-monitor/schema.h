/* SPDX-License-Identifier: Apache-2.0
 *
 * schema.h: the tables of archive.db, and the way there from what an earlier version wrote.
 */
#ifndef WARREN_DLX_MONITOR_SCHEMA_H
#define WARREN_DLX_MONITOR_SCHEMA_H

#include <sqlite3.h>

#include "common/base/err.h"

/* ERR_CONFLICT when a later version wrote the file. */
int archive_schema_apply(sqlite3 *db, struct err *e) MUST_CHECK;

#endif
