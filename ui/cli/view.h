/* SPDX-License-Identifier: Apache-2.0
 *
 * view.h: members of an answer as text for people. Values are copied from the answer's bytes:
 * parsing and printing a payload again would change it. Pure.
 */
#pragma once

#include <stdbool.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/json_path.h"
#include "common/base/json_scan.h"
#include "ui/cli/table.h"

/* As json_path_… do. */
static inline bool view_find(struct scan_value object, const char *path, struct scan_value *out)
{
        return json_path_find(object, path, out);
}
static inline bool view_add(struct scan_value object, const char *path, struct buffer *out)
{
        return json_path_add(object, path, out);
}
static inline int64_t view_int(struct scan_value object, const char *path)
{
        return json_path_int(object, path);
}
static inline bool view_is(struct scan_value object, const char *path, const char *text)
{
        return json_path_is(object, path, text);
}
static inline bool view_is_true(struct scan_value object, const char *path)
{
        return json_path_is_true(object, path);
}

/* "12s ago", "in 5m": an RFC 3339 time against now. */
void view_add_age(struct scan_value object, const char *path, msec now, struct buffer *out);
/* A duration to about two digits, rounded: "850ms", "3.9s", "12s", "1m32s", "2h", "5d". */
void view_add_span(msec span, struct buffer *out);

enum colour view_status_colour(struct bytes status);
bool view_job_has_ended(struct scan_value job);

/* Adds "26 % the message". False, and nothing added, when the job has no progress. */
bool view_add_progress(struct scan_value job, struct buffer *out);

enum view_kind {
        VIEW_TEXT,
        VIEW_AGE,
        VIEW_SPAN,
        VIEW_STATUS,
        VIEW_PROGRESS, /* of a job, unless it completed */
        VIEW_ERROR,    /* why it failed: the error, else the reason */
        VIEW_LIST,     /* texts, with commas */
        VIEW_FLAG,     /* yes or no */
        VIEW_MARK,     /* yes or nothing */
        VIEW_COUNT,    /* a number, or nothing for 0 */
        VIEW_AMQP,     /* an AMQP table; timestamps are shown as times */
};

struct view_column {
        const char *title; /* NULL ends the list */
        const char *path;
        enum view_kind kind;
};

/* A table with these titles; view_row adds a row of an item. */
struct table *view_table(const struct view_column *columns);
void view_row(struct table *t, const struct view_column *columns, struct scan_value item, msec now);
/* Adds a cell with the member's text, or `none` when there is none. */
void view_cell(struct table *t, struct scan_value of, const char *path, const char *none);
/* The title of a line, padded. */
void view_add_title(const char *title, bool colours, struct buffer *out);
/* "title  value" lines of an object; absent members are left out. */
void view_fields(const struct view_column *columns, struct scan_value item, msec now, bool colours,
                 struct buffer *out);
