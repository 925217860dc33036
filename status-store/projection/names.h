/* SPDX-License-Identifier: Apache-2.0
 *
 * names.h: the numbers of tenants and job types in the tables of status.db. Writer only. At most
 * NAMES_HELD_MAX names are held in memory, because publishers may use any number of types.
 */
#pragma once

#include "common/db/database.h"

struct names;

enum { NAMES_HELD_MAX = 4096 };

/* db must outlive it. */
struct names *names_create(struct database *db);
void names_destroy(struct names **n);
/* The number of a name; inserts a new name in the open transaction. -1 on failure. */
int64_t names_ref(struct names *n, const char *name, struct err *e) MUST_CHECK;
/* Empties the memory: after a rollback, or when names were deleted from the table. */
void names_forget(struct names *n);
/* How many names are held. */
size_t names_held(const struct names *n);
