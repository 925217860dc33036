/* SPDX-License-Identifier: Apache-2.0
 *
 * stats.c: `warren stats`: how many jobs have which status, throughput and latency; with
 * --minutes a row for each minute.
 */
#include "common/base/own.h"
#include "ui/cli/api.h"
#include "ui/cli/count_table.h"
#include "ui/cli/view.h"

/* One row for each member of the object `member`. */
static void add_groups(const struct cli *c, struct scan_value stats, const char *member,
                       const char *title, struct buffer *out)
{
        struct scan_value groups;
        struct scan_item item;
        AUTO(table) t = count_table_create(title);

        if (!view_find(stats, member, &groups))
                return;
        for (struct scan_cursor at = scan_items(groups); scan_next(&at, &item);)
                count_table_row(t, item.key, item.value);
        if (table_rows(t) == 0)
                return;
        buffer_add_char(out, '\n');
        table_render(t, c->width, c->colours, out);
}

static void add_span(struct table *t, struct scan_value period, const char *path)
{
        AUTO_BUFFER text = {0};

        if (view_int(period, path) >= 0)
                view_add_span(view_int(period, path), &text);
        table_cell(t, buffer_bytes(&text), COLOUR_NONE);
}

static void add_row(struct table *t, struct scan_value period, struct bytes title)
{
        static const char *const counts[] = {"submitted", "completed", "failed_attempts", "dead"};
        static const char *const spans[] = {"latency_ms.p50", "latency_ms.p95", "latency_ms.p99",
                                            "wait_ms.p99"};

        table_row(t);
        table_cell(t, title, COLOUR_NONE);
        for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
                view_cell(t, period, counts[i], "");
        for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++)
                add_span(t, period, spans[i]);
}

static void add_window(struct table *t, struct scan_value stats, const char *member,
                       const char *title)
{
        struct scan_value window;

        if (view_find(stats, member, &window))
                add_row(t, window, bytes_of_text(title));
}

static void add_windows(const struct cli *c, struct scan_value stats, struct buffer *out)
{
        static const char *const titles[] = {"LAST",     "SUBMITTED", "COMPLETED", "FAILED TRIES",
                                             "BURIED",   "P50",       "P95",       "P99",
                                             "WAIT P99", NULL};
        AUTO(table) t = table_create(titles);

        add_window(t, stats, "last_minute", "minute");
        add_window(t, stats, "last_hour", "hour");
        if (table_rows(t) == 0)
                return;
        buffer_add_char(out, '\n');
        table_render(t, c->width, c->colours, out);
}

static void show_stats(const struct cli *c, struct scan_value stats, struct buffer *out)
{
        AUTO(table) all = count_table_create("JOBS");

        count_table_row(all, bytes_of_text("all"), stats);
        table_render(all, c->width, c->colours, out);
        add_groups(c, stats, "types", "TYPE", out);
        add_groups(c, stats, "tenants", "TENANT", out);
        add_windows(c, stats, out);
        buffer_add_text(out, "\nas of ");
        view_add(stats, "as_of", out);
        if (view_int(stats, "lag_ms") >= 0) {
                buffer_add_text(out, ", behind by ");
                view_add_span(view_int(stats, "lag_ms"), out);
        }
        buffer_add_char(out, '\n');
}

static void show_series(const struct cli *c, struct scan_value series, struct buffer *out)
{
        static const char *const titles[] = {"AT",       "SUBMITTED", "COMPLETED", "FAILED TRIES",
                                             "BURIED",   "P50",       "P95",       "P99",
                                             "WAIT P99", NULL};
        AUTO(table) t = table_create(titles);
        struct scan_value buckets;
        struct scan_item item;

        if (!view_find(series, "buckets", &buckets))
                return;
        for (struct scan_cursor at = scan_items(buckets); scan_next(&at, &item);) {
                AUTO_BUFFER begin = {0};
                view_add(item.value, "at", &begin);
                if (view_is_true(item.value, "partial"))
                        buffer_add_text(&begin, " (so far)");
                add_row(t, item.value, buffer_bytes(&begin));
        }
        table_render(t, c->width, c->colours, out);
}

enum exit_code command_stats(struct cli *c)
{
        bool series = cli_has(c, "minutes");
        AUTO_BUFFER path = {0};

        if (!series && cli_has(c, "step"))
                return cli_fail(c, EXIT_USAGE, "--step needs --minutes");
        buffer_add_text(&path, series ? "/api/v1/stats/timeseries" : "/api/v1/stats");
        api_query_options(&path, &c->arguments);
        return api_show(c, API_USER, &(struct http_call){.method = "GET", .path = path.data},
                        series ? show_series : show_stats);
}
