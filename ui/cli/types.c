/* SPDX-License-Identifier: Apache-2.0
 *
 * types.c: job types, who handles them, how long they take, their limits.
 */
#include "common/base/json_write.h"
#include "common/base/own.h"
#include "ui/cli/api.h"
#include "ui/cli/limit_view.h"
#include "ui/cli/listing.h"

static const struct view_column type_columns[] = {
        {"TYPE", "name", VIEW_TEXT},
        {"WORKERS", "workers", VIEW_TEXT},
        {"PENDING", "counts.pending", VIEW_COUNT},
        {"RUNNING", "counts.running", VIEW_COUNT},
        {"RUN P95", "last_hour.duration_ms.p95", VIEW_SPAN},
        {"FAILED", "last_hour.failed_attempts", VIEW_COUNT},
        {"MAX RUNNING", "max_running", VIEW_TEXT},
        {"MAX RATE", "max_rate", VIEW_TEXT},
        {"PAUSED", "paused", VIEW_MARK},
        {"PAUSED FOR", "paused_for", VIEW_LIST},
        {NULL, NULL, VIEW_TEXT},
};

static const struct view_column type_fields[] = {
        {"type", "name", VIEW_TEXT},
        {"workers", "workers", VIEW_TEXT},
        {"handled by", "handled_by", VIEW_LIST},
        {"paused", "paused", VIEW_MARK},
        {"paused for", "paused_for", VIEW_LIST},
        {"parked", "parked", VIEW_COUNT},
        {"pending", "counts.pending", VIEW_TEXT},
        {"running", "counts.running", VIEW_TEXT},
        {"completed", "last_hour.completed", VIEW_TEXT},
        {"failed tries", "last_hour.failed_attempts", VIEW_TEXT},
        {"buried", "last_hour.dead", VIEW_TEXT},
        {"took, p50", "last_hour.duration_ms.p50", VIEW_SPAN},
        {"took, p95", "last_hour.duration_ms.p95", VIEW_SPAN},
        {"took, p99", "last_hour.duration_ms.p99", VIEW_SPAN},
        {"max running", "max_running", VIEW_TEXT},
        {"max rate", "max_rate", VIEW_TEXT},
        {"created", "created_at", VIEW_TEXT},
        {NULL, NULL, VIEW_TEXT},
};

static void show_type(const struct cli *c, struct scan_value answer, struct buffer *out)
{
        struct scan_value type;

        if (!view_find(answer, "type", &type) || type.kind != SCAN_OBJECT)
                type = answer;
        view_fields(type_fields, type, clock_wall(), c->colours, out);
        limit_view_queue(LIMIT_TYPE_SLOTS, type, c->colours, out);
        limit_view_queue(LIMIT_TYPE_RATE, type, c->colours, out);
}

enum exit_code command_type_list(struct cli *c)
{
        static const char *const next[] = {"type show", NULL};
        static const struct listing types = {
                "types", type_columns, next,
                "no job type is known: no consumer handles one, and there are no jobs"};

        return listing_get(c, API_USER, "/api/v1/types", &types);
}

enum exit_code command_type_show(struct cli *c)
{
        AUTO_FREE char *path = api_path_tenant(c, "/api/v1/types/*", cli_word(c, 0));

        return api_show(c, API_USER, &(struct http_call){.method = "GET", .path = path}, show_type);
}

enum exit_code command_type_set(struct cli *c)
{
        AUTO_FREE char *path = api_path("/api/v1/types/*", cli_word(c, 0));
        AUTO_BUFFER body = {0};

        json_begin(&body);
        api_body_options(&body, &c->arguments);
        if (body.length == 1)
                return cli_fail(c, EXIT_USAGE, "nothing to set; see 'warren type set --help'");
        json_end(&body);
        const struct http_call call = {
                .method = "PATCH", .path = path, .body = buffer_bytes(&body)};
        return api_show(c, API_ADMIN, &call, show_type);
}

static void show_type_slots(const struct cli *c, struct scan_value answer, struct buffer *out)
{
        limit_view_replaced("type", cli_word(c, 0), answer, out);
}

enum exit_code command_type_slots(struct cli *c)
{
        AUTO_FREE char *path = api_path("/api/v1/types/*/slots", cli_word(c, 0));

        return api_show(c, API_ADMIN, &(struct http_call){.method = "POST", .path = path},
                        show_type_slots);
}
