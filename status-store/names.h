/* SPDX-License-Identifier: Apache-2.0
 *
 * names.h: tenants and job types by number, as the tables of status.db know them. Writer only.
 *
 * Publishers invent types: only the names met lately are held in memory.
 */
#ifndef WARREN_STATUS_STORE_NAMES_H
#define WARREN_STATUS_STORE_NAMES_H

#include "common/db/db.h"

struct names;

enum { NAMES_HELD_MAX = 4096 };

/* db outlives it. */
struct names *names_create(sqlite3 *db, struct err *e) MUST_CHECK;
void names_destroy(struct names **n);
/* The number of a name, which is inserted when it is new (in the transaction that is open). -1. */
int64_t names_ref(struct names *n, const char *name, struct err *e) MUST_CHECK;
/* Forgets what it holds: after a rollback, or when names were deleted. */
void names_forget(struct names *n);
/* At most NAMES_HELD_MAX. */
size_t names_held(const struct names *n);

#endif
