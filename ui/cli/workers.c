/* SPDX-License-Identifier: Apache-2.0
 *
 * workers.c: `warren workers`: the consumers, and with --running what each runs.
 */
#include "common/base/own.h"
#include "ui/cli/api.h"
#include "ui/cli/listing.h"

static const struct view_column run_columns[] = {
        {"ID", "id", VIEW_TEXT},
        {"TENANT", "tenant", VIEW_TEXT},
        {"TYPE", "type", VIEW_TEXT},
        {"TRY", "attempt", VIEW_TEXT},
        {"SINCE", "since", VIEW_AGE},
        {"TIMEOUT", "timeout_ms", VIEW_SPAN},
        {"NO LONGER HERE", "ended", VIEW_MARK},
        {NULL, NULL, VIEW_TEXT},
};

static enum colour colour_of(struct scan_value worker)
{
        if (view_is(worker, "status", "up"))
                return COLOUR_GREEN;
        return view_is(worker, "status", "lost") ? COLOUR_RED : COLOUR_YELLOW;
}

static void add_status(struct table *t, struct scan_value worker)
{
        AUTO_BUFFER text = {0};

        view_add(worker, "status", &text);
        table_cell(t, buffer_bytes(&text), colour_of(worker));
}

/* "3 of 4" */
static void add_busy(struct table *t, struct scan_value worker)
{
        AUTO_BUFFER text = {0};

        if (view_add(worker, "busy", &text)) {
                buffer_add_text(&text, " of ");
                view_add(worker, "concurrency", &text);
        }
        table_cell(t, buffer_bytes(&text), COLOUR_NONE);
}

static void add_types(struct table *t, struct scan_value worker)
{
        AUTO_BUFFER text = {0};
        struct scan_value types;
        struct scan_item item;

        if (view_find(worker, "types", &types) && types.kind == SCAN_ARRAY) {
                for (struct scan_cursor at = scan_items(types); scan_next(&at, &item);) {
                        buffer_add_text(&text, text.length > 0 ? ", " : "");
                        view_add(item.value, "", &text);
                }
        }
        table_cell(t, buffer_bytes(&text), COLOUR_NONE);
}

static void add_worker(struct table *t, struct scan_value worker, msec now)
{
        AUTO_BUFFER seen = {0};

        table_row(t);
        view_cell(t, worker, "worker", "");
        add_status(t, worker);
        add_busy(t, worker);
        view_add_age(worker, "last_seen", now, &seen);
        table_cell(t, buffer_bytes(&seen), COLOUR_NONE);
        add_types(t, worker);
}

static void add_unhandled(const struct cli *c, struct scan_value answer, struct buffer *out)
{
        struct scan_value types;
        struct scan_item item;
        AUTO_BUFFER names = {0};

        if (!view_find(answer, "unhandled_types", &types) || types.kind != SCAN_ARRAY)
                return;
        for (struct scan_cursor at = scan_items(types); scan_next(&at, &item);) {
                buffer_add_char(&names, ' ');
                view_add(item.value, "", &names);
        }
        if (names.length == 0)
                return;
        show_coloured(out, "jobs wait that no live worker handles:", COLOUR_RED, c->colours);
        show_text(out, buffer_bytes(&names));
        buffer_add_text(out, "\n\n");
}

/* The runs of each worker, under its name. */
static void add_runs(const struct cli *c, struct scan_value workers, struct buffer *out)
{
        struct scan_item item;

        for (struct scan_cursor at = scan_items(workers); scan_next(&at, &item);) {
                AUTO(table) t = listing_table(item.value, "running", run_columns);
                int64_t others = view_int(item.value, "others_running");
                AUTO_BUFFER name = {0};

                if (table_rows(t) == 0 && others <= 0)
                        continue;
                view_add(item.value, "worker", &name);
                buffer_add_char(out, '\n');
                show_text(out, buffer_bytes(&name));
                buffer_add_char(out, '\n');
                if (table_rows(t) > 0)
                        table_render(t, c->width, c->colours, out);
                if (others > 0)
                        buffer_printf(out, "jobs of other tenants: %lld\n", (long long)others);
        }
}

static void show_workers(const struct cli *c, struct scan_value answer, struct buffer *out)
{
        static const char *const titles[] = {"WORKER", "STATUS", "BUSY", "SEEN", "TYPES", NULL};
        struct scan_value workers;
        struct scan_item item;
        AUTO(table) t = table_create(titles);

        if (!view_find(answer, "workers", &workers) || workers.kind != SCAN_ARRAY)
                return;
        add_unhandled(c, answer, out);
        for (struct scan_cursor at = scan_items(workers); scan_next(&at, &item);)
                add_worker(t, item.value, clock_wall());
        table_render(t, c->width, c->colours, out);
        if (cli_has(c, "running"))
                add_runs(c, workers, out);
        listing_add_more(answer, out);
}

enum exit_code command_workers(struct cli *c)
{
        AUTO_BUFFER path = {0};

        buffer_add_text(&path, "/api/v1/workers");
        api_query_options(&path, &c->arguments);
        return api_show(c, API_USER, &(struct http_call){.method = "GET", .path = path.data},
                        show_workers);
}
