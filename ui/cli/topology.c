/* SPDX-License-Identifier: Apache-2.0
 *
 * topology.c: `warren topology`: declaring what Warren needs in its vhost, printing it, checking
 * it.
 */
#include "common/topology/topology.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/base/config.h"
#include "common/base/json_write.h"
#include "common/base/own.h"
#include "ui/cli/api.h"
#include "ui/cli/broker.h"
#include "ui/cli/tenant_names.h"
#include "ui/cli/view.h"

static int read_settings(const struct cli *c, struct topology_settings *s, struct err *e)
{
        const char *bytes = cli_option(c, "events-max-bytes");
        const char *age = cli_option(c, "events-max-age");

        if (bytes != NULL && size_parse(bytes, &s->events_max_bytes, e) < 0)
                return err_wrap(e, "--events-max-bytes");
        if (age != NULL && duration_parse(age, &s->events_max_age, e) < 0)
                return err_wrap(e, "--events-max-age");
        return 0;
}

/* Applies what only the management API can set. folder: for the passwords of the accounts, or NULL
 * to leave accounts alone. */
static int apply_managed(const struct cli *c, struct http_client *management, const char *folder,
                         struct err *e)
{
        AUTO_FREE char *vhost = broker_vhost(c);

        if (topology_apply_managed(management, vhost, e) < 0)
                return -1;
        if (folder == NULL)
                return 0;
        if (mkdir(folder, 0700) < 0 && errno != EEXIST)
                return err_set_errno(e, "%s", folder);
        return topology_put_accounts(management, vhost, folder, e);
}

static enum exit_code print_applied(const struct cli *c, const char *folder)
{
        AUTO_BUFFER out = {0};

        if (c->json)
                return cli_print_json(c, bytes_of_text("{\"applied\":true}"));
        buffer_add_text(&out, "the topology is applied");
        if (folder != NULL)
                buffer_printf(&out, "; the accounts' passwords are in %s", folder);
        buffer_add_char(&out, '\n');
        return cli_print(c, buffer_bytes(&out));
}

/* ERR_INVALID: the user left out or misspelt a setting or an option. */
static enum exit_code fail(const struct cli *c, const struct err *e)
{
        return e->code == ERR_INVALID ? cli_fail(c, EXIT_USAGE, "%s", e->text) : cli_fail_err(c, e);
}

enum exit_code command_topology_apply(struct cli *c)
{
        struct err e = {0};
        struct topology_settings settings = {0};
        const char *folder = cli_option(c, "accounts");

        if (read_settings(c, &settings, &e) < 0)
                return fail(c, &e);
        AUTO(broker_link) l = broker_link_create(c, &e);
        if (l == NULL)
                return fail(c, &e);
        AUTO(http_client) management = broker_management(c, &e);
        if (management == NULL)
                return fail(c, &e);
        if (topology_apply(broker_link_get(l), &settings, &e) < 0) {
                broker_link_explain(l, &e);
                return fail(c, &e);
        }
        if (apply_managed(c, management, folder, &e) < 0)
                return fail(c, &e);
        return print_applied(c, folder);
}

enum exit_code command_topology_export(struct cli *c)
{
        struct err e = {0};
        struct topology_settings settings = {0};

        if (read_settings(c, &settings, &e) < 0)
                return fail(c, &e);
        AUTO_FREE char *text = topology_definitions_text(&settings);
        return cli_print(c, bytes_of_text(text));
}

struct findings {
        struct table *table;
        struct buffer json; /* elements, with commas */
        unsigned count;
        struct err unknown; /* why the tenants' parts were not checked */
};

static void on_finding(void *owner, const char *subject, const char *problem, const char *remedy)
{
        struct findings *f = owner;

        f->count++;
        table_row(f->table);
        table_cell_text(f->table, subject);
        table_cell(f->table, bytes_of_text(problem), COLOUR_RED);
        table_cell_text(f->table, remedy);
        json_begin_object(&f->json, NULL);
        json_put_string(&f->json, "subject", subject);
        json_put_string(&f->json, "problem", problem);
        json_put_string(&f->json, "remedy", remedy);
        json_end(&f->json);
}

static enum exit_code print_findings(const struct cli *c, const struct findings *f)
{
        AUTO_BUFFER out = {0};
        enum exit_code code;

        if (c->json) {
                json_begin(&out);
                json_put_flag(&out, "whole", f->count == 0);
                json_put_flag(&out, "tenants_checked", !err_is_set(&f->unknown));
                json_begin_array(&out, "findings");
                buffer_add(&out, f->json.data, f->json.length);
                json_end_array(&out);
                json_end(&out);
                buffer_add_char(&out, '\n');
        } else if (f->count == 0) {
                buffer_add_text(&out, "the topology is complete\n");
        } else {
                table_render(f->table, 0, c->colours, &out);
        }
        if (!c->json && err_is_set(&f->unknown)) {
                buffer_add_text(&out, "The tenants' parts were not checked: ");
                show_text(&out, bytes_of_text(f->unknown.text));
                buffer_add_char(&out, '\n');
        }
        code = cli_print(c, buffer_bytes(&out));
        return code == EXIT_DONE && f->count > 0 ? EXIT_JOB_FAILED : code;
}

/* Checks the parts of tenants only when the gateway can list the tenants. */
static int check(struct cli *c, const struct topology_settings *s, struct findings *f,
                 struct err *e)
{
        AUTO(http_client) management = broker_management(c, e);
        AUTO_FREE char *vhost = broker_vhost(c);
        AUTO(tenant_names) tenants = tenant_names_ask(c, &f->unknown);

        if (management == NULL)
                return -1;
        const struct topology_parts parts = {
                .tenants = tenants == NULL ? NULL : tenant_names_list(tenants)};
        return topology_check(management, vhost, s, &parts, on_finding, f, e);
}

enum exit_code command_topology_check(struct cli *c)
{
        static const char *const titles[] = {"WHAT", "PROBLEM", "WHAT TO DO", NULL};
        struct err e = {0};
        struct topology_settings settings = {0};
        AUTO(table) t = table_create(titles);
        struct findings f = {.table = t};

        int failed = read_settings(c, &settings, &e);
        if (failed == 0)
                failed = check(c, &settings, &f, &e);
        enum exit_code code = failed < 0 ? fail(c, &e) : print_findings(c, &f);
        buffer_fini(&f.json);
        return code;
}
