/* SPDX-License-Identifier: Apache-2.0
 *
 * job_filter.h: which jobs a list, a count or an operation is about.
 */
#pragma once

#include "status-store/projection/schema.h"

enum { FILTER_TYPES_MAX = 32 };

/* Texts are the request's. */
struct job_filter {
        const char *tenant;            /* "*": all */
        unsigned statuses, priorities; /* 1 << enum, or-ed; 0: any */
        unsigned type_count;           /* 0: any */
        char types[FILTER_TYPES_MAX][JOB_TYPE_SIZE];
        msec created_after, created_before; /* exclusive, > 0; 0: no bound */
        const char *text;                   /* occurs in payload or error; NULL: any */
};

/* Adds what one parameter of a query says: status, priority, type (values with commas between),
 * created_after, created_before or q, which is borrowed. ERR_INVALID: says why, with the name. */
int job_filter_set(struct job_filter *f, const char *name, const char *value,
                   struct err *e) MUST_CHECK;
/* Whether it names the status and the priority of a shelf (schema.h). */
bool job_filter_takes_shelf(const struct job_filter *f, int shelf);
/* All but the text, which needs the payload. */
bool job_filter_matches(const struct job_filter *f, const struct job_row *row);
