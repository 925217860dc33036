/* SPDX-License-Identifier: Apache-2.0
 *
 * listing.h: what the commands that list things share: pages as a table.
 */
#pragma once

#include "ui/cli/api.h"
#include "ui/cli/table.h"
#include "ui/cli/view.h"

/* What an answer lists, and the commands to suggest next. */
struct listing {
        const char *member; /* the answer's array */
        const struct view_column *columns;
        /* Commands that take what the first column shows: "dlq show"; NULL ends the list. */
        const char *const *next;
        const char *none; /* what to say on standard error when the list is empty, or NULL */
};

/* The answer's array `member`, a row each. */
struct table *listing_table(struct scan_value answer, const char *member,
                            const struct view_column *columns) MUST_CHECK;
/* Adds the option that continues the list, unless this was its last page. */
void listing_add_more(struct scan_value answer, struct buffer *out);
/* Adds "searched 50000 jobs, as far as those created …". False, and nothing added, unless a search
 * for a text ended before all was searched. */
bool listing_add_search(struct scan_value answer, struct buffer *out);
/* Prints the list and the cursor of its next page; with --json, the answer. Without --json it also
 * suggests commands for the first item, or says what an empty list means, on standard error. */
enum exit_code listing_show(const struct cli *c, const struct http_reply *reply,
                            const struct listing *l);
/* Asks for the list at `path`, with the given options as its query, and shows it. */
enum exit_code listing_get(struct cli *c, enum api_role role, const char *path,
                           const struct listing *l);
