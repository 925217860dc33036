/* SPDX-License-Identifier: Apache-2.0
 *
 * queues.c: `warren queues`: what waits and runs in each lane of a tenant.
 */
#include <string.h>

#include "common/base/own.h"
#include "ui/cli/api.h"
#include "ui/cli/listing.h"

static void add_text(struct table *t, struct buffer *text)
{
        if (text->length == 0)
                buffer_add_char(text, '-');
        table_cell(t, buffer_bytes(text), COLOUR_NONE);
        buffer_clear(text);
}

/* "0", "5 of 5", "3 left of 10/1m", "19s": of the tenant, so on its first line only. */
static void add_tenant_cells(struct table *t, struct scan_value queue)
{
        AUTO_BUFFER text = {0};

        view_cell(t, queue, "parked", "-");
        if (view_add(queue, "slots.used", &text)) {
                buffer_add_text(&text, " of ");
                view_add(queue, "slots.limit", &text);
        }
        add_text(t, &text);
        if (view_add(queue, "rate.left", &text)) {
                buffer_add_text(&text, " left of ");
                view_add(queue, "rate.limit", &text);
        }
        add_text(t, &text);
        if (view_int(queue, "drain_seconds") > 0)
                view_add_span(view_int(queue, "drain_seconds") * MSEC_SECOND, &text);
        add_text(t, &text);
}

static bool has_jobs(struct scan_value lane)
{
        return view_int(lane, "ready") > 0 || view_int(lane, "running") > 0 ||
               view_int(lane, "waiting") > 0;
}

static void add_lane(struct table *t, struct scan_value queue, struct scan_value lane, bool first)
{
        AUTO_BUFFER text = {0};

        table_row(t);
        view_add(queue, "tenant", &text);
        if (view_is_true(queue, "paused"))
                buffer_add_text(&text, " (paused)");
        add_text(t, &text);
        view_cell(t, lane, "lane", "-");
        view_cell(t, lane, "waiting", "-");
        view_cell(t, lane, "ready", "-");
        view_cell(t, lane, "running", "-");
        view_add_age(lane, "oldest_at", clock_wall(), &text);
        add_text(t, &text);
        if (first)
                add_tenant_cells(t, queue);
}

/* Lanes without jobs are left out, and a tenant without any has one line. */
static void add_queue(struct table *t, struct scan_value queue)
{
        struct scan_value lanes;
        struct scan_item item;
        bool first = true;

        if (view_find(queue, "lanes", &lanes) && lanes.kind == SCAN_ARRAY) {
                for (struct scan_cursor at = scan_items(lanes); scan_next(&at, &item);) {
                        if (!has_jobs(item.value))
                                continue;
                        add_lane(t, queue, item.value, first);
                        first = false;
                }
        }
        if (first)
                add_lane(t, queue, (struct scan_value){.kind = SCAN_NULL}, true);
}

static void show_queues(const struct cli *c, struct scan_value answer, struct buffer *out)
{
        static const char *const titles[] = {"TENANT",  "LANE",   "WAITING", "READY",
                                             "RUNNING", "OLDEST", "PARKED",  "SLOTS",
                                             "RATE",    "DRAIN",  NULL};
        struct scan_value queues;
        struct scan_item item;
        AUTO(table) t = table_create(titles);

        if (!view_find(answer, "queues", &queues) || queues.kind != SCAN_ARRAY)
                return;
        for (struct scan_cursor at = scan_items(queues); scan_next(&at, &item);)
                add_queue(t, item.value);
        table_render(t, c->width, c->colours, out);
        listing_add_more(answer, out);
}

/* A tenant that there is has a line, though it has no jobs. */
static bool is_unknown(const struct cli *c, struct scan_value answer)
{
        const char *tenant = cli_option(c, "tenant");
        struct scan_value queues;
        struct scan_item item;

        if (tenant == NULL || strcmp(tenant, "*") == 0 || cli_has(c, "cursor") ||
            !view_find(answer, "queues", &queues))
                return false;
        struct scan_cursor at = scan_items(queues);
        return !scan_next(&at, &item);
}

enum exit_code command_queues(struct cli *c)
{
        AUTO_BUFFER path = {0};
        AUTO_REPLY reply = {0};

        buffer_add_text(&path, "/api/v1/queues");
        api_query_options(&path, &c->arguments);
        enum exit_code code = api_get(c, API_USER, path.data, &reply);
        if (code != EXIT_DONE)
                return code;
        if (is_unknown(c, api_value(&reply)))
                return cli_fail(c, EXIT_NOT_FOUND, "there is no tenant %s",
                                cli_option(c, "tenant"));
        return api_print(c, &reply, show_queues);
}
