/* SPDX-License-Identifier: Apache-2.0
 *
 * why.c: `warren why`: why a job waits, and what shows it.
 */
#include <string.h>

#include "common/base/own.h"
#include "ui/cli/jobs.h"
#include "ui/cli/listing.h"

static const struct view_column head_columns[] = {
        {"job", "id", VIEW_TEXT},       {"status", "status", VIEW_STATUS},
        {"code", "code", VIEW_TEXT},    {"since", "since", VIEW_AGE},
        {"expected", "next", VIEW_AGE}, {"also", "also", VIEW_LIST},
        {NULL, NULL, VIEW_TEXT},
};

static const struct view_column holder_columns[] = {
        {"HOLDER", "id", VIEW_TEXT},
        {"TENANT", "tenant", VIEW_TEXT},
        {"TYPE", "type", VIEW_TEXT},
        {"STARTED", "started_at", VIEW_AGE},
        {"TIMEOUT", "timeout_ms", VIEW_SPAN},
        {"WORKER", "worker", VIEW_TEXT},
        {NULL, NULL, VIEW_TEXT},
};

static const struct view_column worker_columns[] = {
        {"WORKER", "worker", VIEW_TEXT},
        {"RUNNING", "running", VIEW_TEXT},
        {"MAY RUN", "concurrency", VIEW_TEXT},
        {NULL, NULL, VIEW_TEXT},
};

enum { TITLE_WIDTH = 16 }; /* to which view_add_title pads */

/* "holders_left_out" becomes "holders left out". */
static void add_title(struct bytes name, bool colours, struct buffer *out)
{
        AUTO_BUFFER title = {0};

        buffer_add(&title, name.data, name.length);
        for (size_t i = 0; i < title.length; i++)
                if (title.data[i] == '_')
                        title.data[i] = ' ';
        view_add_title(title.data, colours, out);
        if (title.length >= TITLE_WIDTH)
                buffer_add_char(out, ' ');
}

static bool has_no_elements(struct scan_value array)
{
        struct scan_cursor at = scan_items(array);
        struct scan_item item;

        return !scan_next(&at, &item);
}

/* Members that are objects or lists of names; an empty one says nothing. */
static void add_parts(struct scan_value of, struct buffer *out)
{
        struct scan_item item;
        const char *comma = "";

        for (struct scan_cursor at = scan_items(of); scan_next(&at, &item); comma = ", ") {
                AUTO_BUFFER text = {0};
                view_add(item.value, "", &text);
                buffer_add_text(out, comma);
                if (item.key.data != NULL) {
                        show_text(out, item.key);
                        buffer_add_char(out, ' ');
                }
                show_text(out, buffer_bytes(&text));
        }
}

/* Lists are shown as tables, below. The version of a limit's tokens is for programs. */
static bool says_nothing(struct scan_item item)
{
        switch (item.value.kind) {
        case SCAN_NULL:
        case SCAN_ARRAY:
        case SCAN_FALSE:
                return true;
        case SCAN_OBJECT:
                return has_no_elements(item.value);
        case SCAN_NUMBER:
                return bytes_equal_text(item.key, "version") ||
                       (bytes_equal_text(item.key, "holders_left_out") &&
                        bytes_equal_text(item.value.raw, "0"));
        case SCAN_TRUE:
        case SCAN_STRING:
                return false;
        }
        return false;
}

static void add_evidence(const struct cli *c, struct scan_item item, struct buffer *out)
{
        AUTO_BUFFER text = {0};

        if (says_nothing(item))
                return;
        add_title(item.key, c->colours, out);
        if (item.value.kind == SCAN_OBJECT) {
                add_parts(item.value, out);
        } else {
                view_add(item.value, "", &text);
                show_text(out, buffer_bytes(&text));
        }
        buffer_add_char(out, '\n');
}

static void add_rows(const struct cli *c, struct scan_value answer, const char *member,
                     const struct view_column *columns, struct buffer *out)
{
        AUTO(table) t = listing_table(answer, member, columns);

        if (table_rows(t) == 0)
                return;
        buffer_add_char(out, '\n');
        table_render(t, c->width, c->colours, out);
}

static void show_why(const struct cli *c, struct scan_value answer, struct buffer *out)
{
        struct scan_value evidence;
        struct scan_item item;
        AUTO_BUFFER text = {0};

        view_add(answer, "text", &text);
        show_text(out, buffer_bytes(&text));
        buffer_add_text(out, "\n\n");
        view_fields(head_columns, answer, clock_wall(), c->colours, out);
        if (!view_find(answer, "evidence", &evidence) || evidence.kind != SCAN_OBJECT)
                return;
        for (struct scan_cursor at = scan_items(evidence); scan_next(&at, &item);)
                add_evidence(c, item, out);
        add_rows(c, answer, "evidence.holders", holder_columns, out);
        add_rows(c, answer, "evidence.workers", worker_columns, out);
}

enum exit_code command_why(struct cli *c)
{
        AUTO_FREE char *path = api_path_tenant(c, "/api/v1/jobs/*/why", cli_word(c, 0));

        enum exit_code code = job_check_id(c, cli_word(c, 0));

        if (code != EXIT_DONE)
                return code;
        return api_show(c, API_USER, &(struct http_call){.method = "GET", .path = path}, show_why);
}
