/* SPDX-License-Identifier: Apache-2.0
 *
 * pauses.c: pause, resume.
 */
#include <stdio.h>

#include "common/base/own.h"
#include "ui/cli/api.h"
#include "ui/cli/table.h"
#include "ui/cli/view.h"

/* The member as text, `none` when it is null or absent. */
static void add_or(struct scan_value of, const char *member, const char *none, struct buffer *out)
{
        AUTO_BUFFER text = {0};

        if (!view_add(of, member, &text) || text.length == 0)
                buffer_add_text(&text, none);
        show_text(out, buffer_bytes(&text));
}

/* "type export of tenant acme", "type export of all tenants" */
static void add_subject(const struct cli *c, struct scan_value pause, struct buffer *out)
{
        if (cli_word(c, 0) == NULL) {
                buffer_add_text(out, "tenant ");
                show_text(out, bytes_of_text(cli_option(c, "tenant")));
                return;
        }
        buffer_add_text(out, "type ");
        show_text(out, bytes_of_text(cli_word(c, 0)));
        AUTO_BUFFER tenant = {0};
        if (view_add(pause, "tenant", &tenant) && tenant.length > 0) {
                buffer_add_text(out, " of tenant ");
                show_text(out, buffer_bytes(&tenant));
        } else {
                buffer_add_text(out, " of all tenants");
        }
}

static void show_state(const struct cli *c, struct scan_value answer, const char *state,
                       struct buffer *out)
{
        struct scan_value pause = answer;

        if (cli_word(c, 0) != NULL)
                (void)view_find(answer, "pause", &pause);
        add_subject(c, pause, out);
        buffer_printf(out, " is %s\n", state);
        long long parked = (long long)view_int(pause, "parked");
        if (parked > 0)
                buffer_printf(out, "jobs that wait in its parked queue: %lld\n", parked);
}

static void show_paused(const struct cli *c, struct scan_value answer, struct buffer *out)
{
        show_state(c, answer, "paused", out);
}

static void show_resumed(const struct cli *c, struct scan_value answer, struct buffer *out)
{
        show_state(c, answer, "resumed", out);
}

/* A tenant, a type of it, or a type of all. */
static char *path_of(const struct cli *c, const char *verb)
{
        const char *type = cli_word(c, 0), *tenant = cli_option(c, "tenant");

        if (type == NULL)
                return api_path("/api/v1/tenants/*/*", tenant, verb);
        if (tenant == NULL)
                return api_path("/api/v1/types/*/*", type, verb);
        return api_path("/api/v1/types/*/*?tenant=*", type, verb, tenant);
}

static enum exit_code set_pause(struct cli *c, const char *verb, api_show_fn *show)
{
        const bool all = cli_has(c, "all-tenants");

        if (cli_word(c, 0) == NULL && !cli_has(c, "tenant"))
                return cli_fail(c, EXIT_USAGE, "give a TYPE, --tenant NAME, or both");
        if (all && cli_has(c, "tenant"))
                return cli_fail(c, EXIT_USAGE, "--tenant and --all-tenants exclude each other");
        AUTO_FREE char *path = path_of(c, verb);
        return api_show(c, all ? API_ADMIN : api_role_of_act(c),
                        &(struct http_call){.method = "POST", .path = path}, show);
}

static void add_row(struct table *t, struct scan_value pause)
{
        static const char *const members[][2] = {{"type", "(all)"}, {"tenant", "(all)"}};
        const bool paused = view_is_true(pause, "paused");

        table_row(t);
        for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
                AUTO_BUFFER text = {0};
                add_or(pause, members[i][0], members[i][1], &text);
                table_cell(t, buffer_bytes(&text), COLOUR_NONE);
        }
        table_cell(t, bytes_of_text(paused ? "paused" : "resumed"),
                   paused ? COLOUR_YELLOW : COLOUR_NONE);
        AUTO_BUFFER since = {0};
        view_add_age(pause, "since", clock_wall(), &since);
        table_cell(t, buffer_bytes(&since), COLOUR_NONE);
        AUTO_BUFFER parked = {0};
        add_or(pause, "parked", "-", &parked);
        table_cell(t, buffer_bytes(&parked), COLOUR_NONE);
        AUTO_BUFFER by = {0};
        add_or(pause, "by", "", &by);
        table_cell(t, buffer_bytes(&by), COLOUR_NONE);
}

static void show_list(const struct cli *c, struct scan_value answer, struct buffer *out)
{
        static const char *const titles[] = {"TYPE",   "TENANT", "STATE", "SINCE",
                                             "PARKED", "BY",     NULL};
        AUTO(table) t = table_create(titles);
        struct scan_value pauses;
        struct scan_item item;

        if (view_find(answer, "pauses", &pauses) && pauses.kind == SCAN_ARRAY) {
                for (struct scan_cursor at = scan_items(pauses); scan_next(&at, &item);)
                        add_row(t, item.value);
        }
        if (table_rows(t) == 0)
                cli_note(c, "nothing is paused");
        table_render(t, c->width, c->colours, out);
}

static enum exit_code list_pauses(struct cli *c)
{
        AUTO_BUFFER path = {0};
        enum api_role role = cli_has(c, "all-tenants") ? API_ADMIN : api_role_of_act(c);

        if (cli_word(c, 0) != NULL)
                return cli_fail(c, EXIT_USAGE, "--list takes no TYPE");
        buffer_add_text(&path, "/api/v1/pauses");
        api_query_options(&path, &c->arguments);
        return api_show(c, role, &(struct http_call){.method = "GET", .path = path.data},
                        show_list);
}

enum exit_code command_pause(struct cli *c)
{
        return cli_has(c, "list") ? list_pauses(c) : set_pause(c, "pause", show_paused);
}

enum exit_code command_resume(struct cli *c)
{
        return set_pause(c, "resume", show_resumed);
}
