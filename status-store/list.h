/* SPDX-License-Identifier: Apache-2.0
 *
 * list.h: a page of jobs, by filters, in the order they were created.
 *
 * A page reads a bounded number of rows. With a filter that few jobs match, it may hold fewer jobs
 * than `limit`, even none, and still have a next_cursor.
 */
#ifndef WARREN_STATUS_STORE_LIST_H
#define WARREN_STATUS_STORE_LIST_H

#include "status-store/cursor.h"
#include "status-store/queries.h"

enum { LIST_LIMIT_MAX = 500, LIST_LIMIT_DEFAULT = 50 };

struct list_query {
        const char *tenant;                 /* "*": all */
        int status;                         /* enum status; -1: any */
        const char *type;                   /* NULL: any */
        int priority;                       /* enum priority; -1: any */
        msec created_after, created_before; /* exclusive; 0: no bound */
        const char *text;                   /* occurs in payload or error; NULL: any */
        bool ascending;
        int limit;
        bool resumes;
        struct cursor cursor; /* if resumes */
};

/* Adds `"jobs": […], "next_cursor": …`, without braces. */
int list_write(struct reader *r, const struct list_query *q, struct buffer *out,
               struct err *e) MUST_CHECK;

#endif
