/* SPDX-License-Identifier: Apache-2.0
 *
 * pauses.c: pause, resume.
 */
#include <string.h>

#include "common/base/own.h"
#include "common/model/job.h"
#include "ui/cli/api.h"
#include "ui/cli/view.h"

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

/* The word of the answer's member `was_paused` for what was so already; NULL: it changed. */
static const char *same_of(struct scan_value answer, bool paused)
{
        struct scan_value was;

        if (!view_find(answer, "was_paused", &was) || (was.kind == SCAN_TRUE) != paused)
                return NULL;
        return paused ? "was paused already" : "was not paused";
}

static void add_others(struct scan_value answer, struct buffer *out)
{
        struct scan_value jobs;

        if (view_is(answer, "still_paused_by", "all"))
                buffer_add_text(out, "its jobs still wait: the type is paused for all tenants\n");
        if (view_is(answer, "still_paused_by", "tenant"))
                buffer_add_text(out, "its jobs still wait: the tenant is paused\n");
        if (view_find(answer, "has_jobs", &jobs) && jobs.kind == SCAN_FALSE)
                buffer_add_text(out, "no job of this type is known\n");
}

static void show_state(const struct cli *c, struct scan_value answer, bool paused,
                       struct buffer *out)
{
        struct scan_value pause = answer;
        const char *same = same_of(answer, paused);

        if (cli_word(c, 0) != NULL)
                (void)view_find(answer, "pause", &pause);
        add_subject(c, pause, out);
        if (same != NULL)
                buffer_printf(out, " %s\n", same);
        else
                buffer_printf(out, " is %s\n", paused ? "paused" : "resumed");
        long long parked = (long long)view_int(pause, "parked");
        if (parked > 0)
                buffer_printf(out, "parked jobs: %lld\n", parked);
        add_others(answer, out);
}

static void show_paused(const struct cli *c, struct scan_value answer, struct buffer *out)
{
        show_state(c, answer, true, out);
}

static void show_resumed(const struct cli *c, struct scan_value answer, struct buffer *out)
{
        show_state(c, answer, false, out);
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

/* The gateway takes a type without a tenant from an admin key as the type of all tenants, and from
 * a tenant's key as that tenant's type: neither may happen unasked. */
static enum exit_code check_subject(const struct cli *c)
{
        const bool all = cli_has(c, "all-tenants"), tenant = cli_has(c, "tenant");

        if (cli_word(c, 0) != NULL && !job_type_is_valid(bytes_of_text(cli_word(c, 0))))
                return cli_fail(c, EXIT_USAGE,
                                "'%.80s' is no type: 1 to 64 of a-z, 0-9, '.', '_', '-', not "
                                "beginning with a mark",
                                cli_word(c, 0));
        if (cli_word(c, 0) == NULL && !tenant)
                return cli_fail(c, EXIT_USAGE, "give a TYPE, --tenant NAME, or both");
        if (all && tenant)
                return cli_fail(c, EXIT_USAGE, "--tenant and --all-tenants exclude each other");
        if (all && c->settings.admin_key == NULL)
                return cli_fail(c, EXIT_NOT_ALLOWED, "--all-tenants needs WARREN_ADMIN_KEY");
        if (!all && !tenant && c->settings.api_key == NULL && c->settings.admin_key != NULL)
                return cli_fail(c, EXIT_USAGE, "give --tenant or --all-tenants");
        return EXIT_DONE;
}

static enum exit_code set_pause(struct cli *c, const char *verb, api_show_fn *show)
{
        enum exit_code code = check_subject(c);

        if (code != EXIT_DONE)
                return code;
        AUTO_FREE char *path = path_of(c, verb);
        return api_show(c, cli_has(c, "all-tenants") ? API_ADMIN : API_USER,
                        &(struct http_call){.method = "POST", .path = path}, show);
}

static void add_age(struct table *t, struct scan_value of, const char *member)
{
        AUTO_BUFFER text = {0};

        view_add_age(of, member, clock_wall(), &text);
        table_cell(t, buffer_bytes(&text), COLOUR_NONE);
}

/* One that is over is listed for the jobs that it left in its parked queue. */
static void add_type(struct table *t, struct scan_value pause)
{
        const bool paused = view_is_true(pause, "paused");

        if (!paused && view_int(pause, "parked") == 0)
                return;
        table_row(t);
        view_cell(t, pause, "type", "(all)");
        view_cell(t, pause, "tenant", "(all)");
        table_cell(t, bytes_of_text(paused ? "paused" : "resumed"),
                   paused ? COLOUR_YELLOW : COLOUR_NONE);
        add_age(t, pause, "since");
        view_cell(t, pause, "parked", "-");
        view_cell(t, pause, "by", "");
}

/* A tenant's jobs stay in its own queues. */
static void add_paused(struct table *t, struct scan_value of, const char *name)
{
        if (!view_is_true(of, "paused"))
                return;
        table_row(t);
        table_cell_text(t, "(all)");
        view_cell(t, of, name, "");
        table_cell(t, bytes_of_text("paused"), COLOUR_YELLOW);
        add_age(t, of, "paused_at");
        table_cell_text(t, "-");
        view_cell(t, of, "paused_by", "");
}

static void add_tenant(struct table *t, struct scan_value tenant)
{
        add_paused(t, tenant, "name");
}

static void add_queue(struct table *t, struct scan_value queue)
{
        add_paused(t, queue, "tenant");
}

static void add_each(struct table *t, const struct http_reply *reply, const char *member,
                     void (*add)(struct table *t, struct scan_value item))
{
        struct scan_value list;
        struct scan_item item;

        if (!view_find(api_value(reply), member, &list) || list.kind != SCAN_ARRAY)
                return;
        for (struct scan_cursor at = scan_items(list); scan_next(&at, &item);)
                add(t, item.value);
}

/* A tenant's own key may not read tenants, but sees in its queues whether it is paused. */
static enum exit_code add_own(struct cli *c, struct table *t)
{
        AUTO_REPLY reply = {0};
        enum exit_code code = api_get(c, API_USER, "/api/v1/queues", &reply);

        if (code == EXIT_DONE)
                add_each(t, &reply, "queues", add_queue);
        return code;
}

static enum exit_code add_tenants(struct cli *c, struct table *t)
{
        const char *tenant = cli_option(c, "tenant");
        const bool all = tenant == NULL || strcmp(tenant, "*") == 0;
        AUTO_FREE char *path =
                all ? api_path("/api/v1/tenants") : api_path("/api/v1/tenants/*", tenant);
        const struct http_call call = {.method = "GET", .path = path};
        struct scan_value one;
        struct err e = {0};
        AUTO_REPLY reply = {0};

        if (api_ask(c, API_USER, &call, &reply, &e) < 0)
                return cli_fail_err(c, &e);
        if (reply.status == 403)
                return add_own(c, t);
        if (reply.status >= 300)
                return api_refusal(c, API_USER, &call, &reply);
        if (all)
                add_each(t, &reply, "tenants", add_tenant);
        else if (view_find(api_value(&reply), "tenant", &one))
                add_tenant(t, one);
        return EXIT_DONE;
}

static enum exit_code print_pauses(struct cli *c, const struct http_reply *reply)
{
        static const char *const titles[] = {"TYPE",   "TENANT", "STATE", "SINCE",
                                             "PARKED", "BY",     NULL};
        AUTO(table) t = table_create(titles);
        AUTO_BUFFER out = {0};

        add_each(t, reply, "pauses", add_type);
        enum exit_code code = add_tenants(c, t);
        if (code != EXIT_DONE)
                return code;
        if (table_rows(t) == 0) {
                cli_note(c, "nothing is paused");
                return EXIT_DONE;
        }
        table_render(t, c->width, c->colours, &out);
        return cli_print(c, buffer_bytes(&out));
}

static enum exit_code list_pauses(struct cli *c)
{
        AUTO_BUFFER path = {0};
        AUTO_REPLY reply = {0};

        if (cli_word(c, 0) != NULL || cli_has(c, "all-tenants"))
                return cli_fail(c, EXIT_USAGE, "--list takes --tenant only");
        buffer_add_text(&path, "/api/v1/pauses");
        api_query_options(&path, &c->arguments);
        enum exit_code code = api_get(c, API_USER, path.data, &reply);
        if (code != EXIT_DONE)
                return code;
        return c->json ? cli_print_json(c, buffer_bytes(&reply.body)) : print_pauses(c, &reply);
}

enum exit_code command_pause(struct cli *c)
{
        return cli_has(c, "list") ? list_pauses(c) : set_pause(c, "pause", show_paused);
}

enum exit_code command_resume(struct cli *c)
{
        return set_pause(c, "resume", show_resumed);
}
