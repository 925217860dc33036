/* SPDX-License-Identifier: Apache-2.0
 *
 * list.h: a page of jobs, by filters, in the order they were created.
 *
 * A page reads a bounded number of rows. With a filter that few jobs match, it may hold fewer jobs
 * than `limit`, even none, and still have a next_cursor.
 */
#pragma once

#include "common/db/readers.h"
#include "status-store/schema.h"

/* Where a page of jobs ended: the sort key of its last row. As text, it has a checksum, by which a
 * text that cursor_write did not make is refused. Valid across restarts and replicas; of replicas
 * that saw a rewind of the stream and others the order of equal times may differ. */
struct cursor {
        bool ascending;
        msec created;
        int64_t seq;
};

enum { CURSOR_SIZE = 1 + 16 + 16 + 8 + 1 };

void cursor_write(const struct cursor *c, char out[CURSOR_SIZE]);
/* False when cursor_write did not make the text. */
bool cursor_read(const char *text, struct cursor *c);

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
