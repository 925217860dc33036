/* SPDX-License-Identifier: Apache-2.0
 *
 * tenants.c: tenants and their keys.
 */
#include <string.h>

#include "common/base/json_write.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "ui/cli/api.h"
#include "ui/cli/limit_view.h"
#include "ui/cli/listing.h"

static const struct view_column tenant_columns[] = {
        {"TENANT", "name", VIEW_TEXT},
        {"RATE", "rate", VIEW_TEXT},
        {"BURST", "burst", VIEW_TEXT},
        {"MAX RUNNING", "max_running", VIEW_TEXT},
        {"MAX PENDING", "max_pending", VIEW_TEXT},
        {"WEIGHT", "weight", VIEW_TEXT},
        {"PAUSED", "paused", VIEW_MARK},
        {"CREATED", "created_at", VIEW_AGE},
        {NULL, NULL, VIEW_TEXT},
};

static const struct view_column tenant_fields[] = {
        {"name", "name", VIEW_TEXT},
        {"rate", "rate", VIEW_TEXT},
        {"burst", "burst", VIEW_TEXT},
        {"max running", "max_running", VIEW_TEXT},
        {"max pending", "max_pending", VIEW_TEXT},
        {"weight", "weight", VIEW_TEXT},
        {"paused", "paused", VIEW_FLAG},
        {"has AMQP login", "amqp_login", VIEW_FLAG},
        {"created", "created_at", VIEW_TEXT},
        {NULL, NULL, VIEW_TEXT},
};

static const struct view_column secret_fields[] = {
        {"key", "key", VIEW_TEXT},
        {"exchange", "amqp.exchange", VIEW_TEXT},
        {"AMQP login", "amqp.login", VIEW_TEXT},
        {"AMQP password", "amqp.password", VIEW_TEXT},
        {NULL, NULL, VIEW_TEXT},
};

static const struct view_column key_columns[] = {
        {"KEY", "id", VIEW_TEXT},         {"TENANT", "tenant", VIEW_TEXT},
        {"NAME", "name", VIEW_TEXT},      {"SCOPES", "scopes", VIEW_LIST},
        {"STATE", "state", VIEW_TEXT},    {"CREATED", "created_at", VIEW_AGE},
        {"EXPIRES", "expires", VIEW_AGE}, {"LAST USED", "last_used", VIEW_AGE},
        {"FROM", "last_from", VIEW_TEXT}, {NULL, NULL, VIEW_TEXT},
};

static void add_secrets_warning(struct scan_value answer, struct buffer *out)
{
        struct scan_value found;
        bool key = view_find(answer, "key", &found);
        bool password = view_find(answer, "amqp.password", &found);

        if (key && password)
                buffer_add_text(out,
                                "Key and password are shown only once; they are not stored.\n");
        else if (key || password)
                buffer_printf(out, "The %s is shown only once; it is not stored.\n",
                              key ? "key" : "password");
}

/* The tenant is the member "tenant", or the answer itself. */
static void show_tenant(const struct cli *c, struct scan_value answer, struct buffer *out)
{
        struct scan_value tenant;

        if (!view_find(answer, "tenant", &tenant) || tenant.kind != SCAN_OBJECT)
                tenant = answer;
        view_fields(tenant_fields, tenant, clock_wall(), c->colours, out);
        limit_view_used("running now", view_int(answer, "used.running"), tenant, "max_running",
                        c->colours, out);
        limit_view_used("pending now", view_int(answer, "used.pending"), tenant, "max_pending",
                        c->colours, out);
        limit_view_queue(LIMIT_TENANT_SLOTS, tenant, c->colours, out);
        view_fields(secret_fields, answer, clock_wall(), c->colours, out);
        add_secrets_warning(answer, out);
}

enum exit_code command_tenant_add(struct cli *c)
{
        AUTO_BUFFER body = {0};

        json_begin(&body);
        json_put_given(&body, "name", bytes_of_text(cli_word(c, 0)));
        api_body_options(&body, &c->arguments);
        json_end(&body);
        const struct http_call call = {.method = "POST",
                                       .path = cli_has(c, "reuse") ? "/api/v1/tenants?reuse=true"
                                                                   : "/api/v1/tenants",
                                       .body = buffer_bytes(&body)};
        return api_show(c, API_ADMIN, &call, show_tenant);
}

enum exit_code command_tenant_list(struct cli *c)
{
        static const char *const next[] = {"tenant show", "key list", NULL};
        static const struct listing tenants = {"tenants", tenant_columns, next, NULL};

        return listing_get(c, API_ADMIN, "/api/v1/tenants", &tenants);
}

enum exit_code command_tenant_show(struct cli *c)
{
        AUTO_FREE char *path = api_path("/api/v1/tenants/*", cli_word(c, 0));

        return api_show(c, API_ADMIN, &(struct http_call){.method = "GET", .path = path},
                        show_tenant);
}

enum exit_code command_tenant_set(struct cli *c)
{
        AUTO_FREE char *path = api_path("/api/v1/tenants/*", cli_word(c, 0));
        AUTO_BUFFER body = {0};

        json_begin(&body);
        api_body_options(&body, &c->arguments);
        if (body.length == 1)
                return cli_fail(c, EXIT_USAGE, "nothing to set; see 'warren tenant set --help'");
        json_end(&body);
        const struct http_call call = {
                .method = "PATCH", .path = path, .body = buffer_bytes(&body)};
        return api_show(c, API_ADMIN, &call, show_tenant);
}

static void show_tenant_slots(const struct cli *c, struct scan_value answer, struct buffer *out)
{
        limit_view_replaced("tenant", cli_word(c, 0), answer, out);
}

enum exit_code command_tenant_slots(struct cli *c)
{
        AUTO_FREE char *path = api_path("/api/v1/tenants/*/slots", cli_word(c, 0));

        return api_show(c, API_ADMIN, &(struct http_call){.method = "POST", .path = path},
                        show_tenant_slots);
}

/* Sends a DELETE; its answer is empty. words: what is deleted, and the verb for the message. */
static enum exit_code delete_path(struct cli *c, const char *path, const char *const words[2],
                                  const char *name)
{
        AUTO_BUFFER out = {0};
        AUTO_REPLY reply = {0};
        enum exit_code code = api_call(
                c, API_ADMIN, &(struct http_call){.method = "DELETE", .path = path}, &reply);

        if (code != EXIT_DONE)
                return code;
        if (c->json) {
                json_begin(&out);
                json_put_string(&out, "deleted", name);
                json_end(&out);
                buffer_add_char(&out, '\n');
        } else {
                buffer_printf(&out, "%s ", words[0]);
                show_text(&out, bytes_of_text(name));
                buffer_printf(&out, " is %s\n", words[1]);
        }
        return cli_print(c, buffer_bytes(&out));
}

enum exit_code command_tenant_rm(struct cli *c)
{
        const char *pattern =
                cli_has(c, "force") ? "/api/v1/tenants/*?force=true" : "/api/v1/tenants/*";
        AUTO_FREE char *path = api_path(pattern, cli_word(c, 0));

        return delete_path(c, path, (const char *[]){"tenant", "deleted"}, cli_word(c, 0));
}

/* "submit,read" as an array. */
static void add_scopes(struct buffer *body, const char *scopes)
{
        if (scopes == NULL)
                return;
        json_begin_array(body, "scopes");
        for (const char *at = scopes; *at != '\0';) {
                size_t length = strcspn(at, ",");
                json_put_text(body, NULL, bytes_of(at, length));
                at += length;
                at += *at == ',';
        }
        json_end_array(body);
}

static void show_key(const struct cli *c, struct scan_value answer, struct buffer *out)
{
        (void)c;
        view_add(answer, "key", out);
        buffer_add_char(out, '\n');
}

/* A duration counts from now. */
static void add_expires(struct buffer *body, const char *when)
{
        struct err ignored = {0};
        msec lives = 0;

        if (when == NULL)
                return;
        if (duration_parse(when, &lives, &ignored) == 0)
                json_put_time(body, "expires", clock_wall() + lives);
        else
                json_put_string(body, "expires", when);
}

enum exit_code command_key_add(struct cli *c)
{
        AUTO_FREE char *path = api_path("/api/v1/tenants/*/keys", cli_word(c, 0));
        AUTO_BUFFER body = {0};

        json_begin(&body);
        add_scopes(&body, cli_option(c, "scopes"));
        add_expires(&body, cli_option(c, "expires"));
        api_body_options(&body, &c->arguments);
        json_end(&body);
        const struct http_call call = {.method = "POST", .path = path, .body = buffer_bytes(&body)};
        return api_show(c, API_ADMIN, &call, show_key);
}

enum exit_code command_key_list(struct cli *c)
{
        static const char *const next[] = {NULL}; /* the first may be the only admin key */
        static const struct listing keys = {"keys", key_columns, next, "there are no keys"};
        const char *tenant = cli_word(c, 0);
        AUTO_FREE char *path = tenant != NULL ? api_path("/api/v1/keys?tenant=*", tenant)
                                              : xasprintf("/api/v1/keys");

        return listing_get(c, API_ADMIN, path, &keys);
}

enum exit_code command_key_rotate(struct cli *c)
{
        AUTO_FREE char *path = api_path("/api/v1/keys/*/rotate", cli_word(c, 0));
        AUTO_BUFFER body = {0};

        json_begin(&body);
        add_expires(&body, cli_option(c, "expires"));
        api_body_options(&body, &c->arguments);
        json_end(&body);
        const struct http_call call = {.method = "POST", .path = path, .body = buffer_bytes(&body)};
        return api_show(c, API_ADMIN, &call, show_key);
}

enum exit_code command_key_rm(struct cli *c)
{
        const char *id = cli_word(c, 1) != NULL ? cli_word(c, 1) : cli_word(c, 0);
        AUTO_FREE char *path = cli_word(c, 1) != NULL
                                       ? api_path("/api/v1/tenants/*/keys/*", cli_word(c, 0), id)
                                       : api_path("/api/v1/keys/*", id);

        return delete_path(c, path, (const char *[]){"key", "revoked"}, id);
}
