/* SPDX-License-Identifier: Apache-2.0
 *
 * listing.h: what the commands that list things share: filters as a query, pages as a table.
 */
#ifndef WARREN_CLI_LISTING_H
#define WARREN_CLI_LISTING_H

#include "ui/cli/api.h"
#include "ui/cli/table.h"
#include "ui/cli/view.h"

struct listing_filter {
        const char *parameter; /* of the query; NULL ends the table */
        const char *option;    /* of the command */
};

/* Adds base, with the given options as its query. */
void listing_path(const struct cli *c, const char *base, const struct listing_filter *filters,
                  struct buffer *path);
/* What an answer lists, and the commands to suggest next. */
struct listing {
        const char *member; /* the answer's array */
        const struct view_column *columns;
        /* Commands that take what the first column shows: "dlq show"; NULL ends the list. */
        const char *const *next;
};

/* The answer's array `member`, a row each. */
struct table *listing_table(const struct http_reply *reply, const char *member,
                            const struct view_column *columns) MUST_CHECK;
/* Prints the list and the cursor of its next page; with --json, the answer. Without --json it also
 * suggests commands for the first item, on standard error. */
enum exit_code listing_show(const struct cli *c, const struct http_reply *reply,
                            const struct listing *l);

#endif
