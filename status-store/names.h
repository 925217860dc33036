/* SPDX-License-Identifier: Apache-2.0
 *
 * names.h: tenants and job types by number, as the tables of status.db know them. Writer only.
 */
#ifndef WARREN_STATUS_STORE_NAMES_H
#define WARREN_STATUS_STORE_NAMES_H

#include "common/db/db.h"

struct names;

/* Reads what is there. db outlives it. */
struct names *names_create(sqlite3 *db, struct err *e) MUST_CHECK;
void names_destroy(struct names **n);
/* The number of a name, which is inserted when it is new (in the transaction that is open). -1. */
int64_t names_ref(struct names *n, const char *name, struct err *e) MUST_CHECK;
/* Reads again what is there: after a rollback, or when the tables were emptied. */
int names_reload(struct names *n, struct err *e) MUST_CHECK;

#endif
