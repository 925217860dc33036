/* SPDX-License-Identifier: Apache-2.0
 *
 * handled.h: how many live workers handle a type, according to the last record of each worker.
 */
#pragma once

#include <uthash.h>

#include "common/db/readers.h"
#include "status-store/projection/schema.h"

enum { UNHANDLED_MAX = 100 };

/* A set of types, by name. */
struct handled_type {
        char type[JOB_TYPE_SIZE];
        int64_t jobs; /* that wait: see handled_read_waiting */
        int64_t workers;
        UT_hash_handle hh;
};

/* Adds a type, unless it is in the set. */
struct handled_type *handled_add(struct handled_type **set, const char *type);
void handled_forget(struct handled_type **set);
/* Adds the types of which jobs of a tenant ("*": of any) wait, and how many. */
int handled_read_waiting(struct reader *r, const char *tenant, struct handled_type **set,
                         struct err *e) MUST_CHECK;
/* Counts the workers of each type. Draining workers do not count: they take no more jobs. A worker
 * whose record does not name all of its types counts for every type. */
int handled_count(struct reader *r, msec as_of, struct handled_type *set, struct err *e) MUST_CHECK;

/* Adds `"unhandled_types": […]`: at most UNHANDLED_MAX types that have waiting jobs and that no
 * live worker handles. */
int unhandled_write(struct reader *r, const char *tenant, msec as_of, struct buffer *out,
                    struct err *e) MUST_CHECK;
