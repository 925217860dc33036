/* SPDX-License-Identifier: Apache-2.0
 *
 * list.h: a page of jobs, by filters, in the order they were created.
 *
 * A page is full unless the list ends. Two are cut: one whose answer is large, and one that
 * searches for a text, because a search is bounded in time, bytes and rows; they may hold fewer
 * jobs than `limit`, even none, and still have a next_cursor.
 */
#pragma once

#include "common/db/readers.h"
#include "status-store/jobs/cursor.h"
#include "status-store/jobs/job_filter.h"
#include "status-store/jobs/job_json.h"

enum { LIST_LIMIT_MAX = 500, LIST_LIMIT_DEFAULT = 50 };

struct list_query {
        struct job_filter filter;
        struct job_view view;
        int limit;
        struct cursor after; /* cursor_start, or where the page before ended */
};

/* Adds `"jobs": […], "next_cursor": …`, without braces; of a search also `"search": {…}`: how far
 * it looked. */
int list_write(struct reader *r, const struct list_query *q, struct buffer *out,
               struct err *e) MUST_CHECK;
