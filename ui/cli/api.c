/* SPDX-License-Identifier: Apache-2.0
 *
 * api.c: talking to the gateway.
 */
#include "ui/cli/api.h"

#include <string.h>

#include "common/base/own.h"
#include "ui/cli/view.h"

/* A read may wait 60 s for a job to end. */
static const msec call_timeout = (msec)75 * MSEC_SECOND;

static struct http_client *client_of(struct cli *c, enum api_role role, struct err *e)
{
        const struct settings *s = &c->settings;
        const char *key = role == API_ADMIN && s->admin_key != NULL ? s->admin_key : s->api_key;

        if (c->clients[role] == NULL)
                c->clients[role] = http_client_create(
                        &(struct http_client_config){
                                .base_url = s->url, .bearer = key, .timeout = call_timeout},
                        e);
        return c->clients[role];
}

void api_close(struct cli *c)
{
        http_client_destroy(&c->clients[API_USER]);
        http_client_destroy(&c->clients[API_ADMIN]);
}

int api_ask(struct cli *c, enum api_role role, const struct http_call *call,
            struct http_reply *reply, struct err *e)
{
        struct http_client *client = client_of(c, role, e);
        struct scan_fault fault;

        if (client == NULL)
                return err_wrap(e, "WARREN_URL");
        if (http_client_call(client, call, reply, e) < 0)
                return err_wrap(e, "gateway at %s", c->settings.url);
        if (reply->body.length > 0 &&
            scan_check(buffer_bytes(&reply->body), SCAN_DEPTH_WRAPPED, &fault) < 0)
                return err_set(e, ERR_PROTOCOL, "%s answers %d, but not as a Warren gateway does",
                               c->settings.url, reply->status);
        return 0;
}

enum exit_code api_exit_code(int status)
{
        if (status < 300)
                return EXIT_DONE;
        switch (status) {
        case 401:
        case 403:
                return EXIT_NOT_ALLOWED;
        case 404:
                return EXIT_NOT_FOUND;
        case 429:
                return EXIT_LIMITED;
        default:
                return status >= 500 ? EXIT_UNREACHABLE : EXIT_REFUSED;
        }
}

static void explain_error(struct scan_value error, struct buffer *out)
{
        AUTO_BUFFER pointer = {0};

        buffer_add_text(out, "\n  ");
        if (view_add(error, "pointer", &pointer))
                buffer_printf(out, "at \"%s\": ", pointer.data == NULL ? "" : pointer.data);
        if (view_int(error, "line") > 0)
                buffer_printf(out, "line %lld, column %lld: ", (long long)view_int(error, "line"),
                              (long long)view_int(error, "column"));
        view_add(error, "detail", out);
}

void api_explain(const struct http_reply *reply, struct buffer *out)
{
        struct scan_value problem = api_value(reply), errors;
        struct scan_item item;
        AUTO_BUFFER detail = {0};

        if (!view_add(problem, "detail", &detail) && !view_add(problem, "title", &detail))
                buffer_printf(&detail, "the gateway answered %d", reply->status);
        buffer_add(out, detail.data, detail.length);
        if (view_find(problem, "errors", &errors)) {
                for (struct scan_cursor at = scan_items(errors); scan_next(&at, &item);)
                        explain_error(item.value, out);
        }
        if (view_is(problem, "accepted", "unknown")) {
                buffer_add_text(out, "\n  it may have been accepted; its id is ");
                view_add(problem, "id", out);
        }
        if (reply->retry_after >= 0)
                buffer_printf(out, "\n  try again in %lld s",
                              (long long)(reply->retry_after / MSEC_SECOND));
}

static enum exit_code tell_refusal(const struct cli *c, const struct http_reply *reply)
{
        enum exit_code code = api_exit_code(reply->status);
        AUTO_BUFFER text = {0};

        if (c->json && reply->body.length > 0) {
                fprintf(stderr, "%s\n", reply->body.data);
                return code;
        }
        api_explain(reply, &text);
        if (reply->status == 401 && c->settings.api_key == NULL && c->settings.admin_key == NULL)
                buffer_add_text(&text, "\n  WARREN_API_KEY is not set");
        return cli_fail(c, code, "%s", text.data);
}

enum exit_code api_call(struct cli *c, enum api_role role, const struct http_call *call,
                        struct http_reply *reply)
{
        struct err e = {0};

        if (api_ask(c, role, call, reply, &e) < 0)
                return cli_fail_err(c, &e);
        if (reply->status < 200 || reply->status > 299)
                return tell_refusal(c, reply);
        return EXIT_DONE;
}

enum exit_code api_get(struct cli *c, enum api_role role, const char *path,
                       struct http_reply *reply)
{
        return api_call(c, role, &(struct http_call){.method = "GET", .path = path}, reply);
}

enum exit_code api_send(struct cli *c, enum api_role role, const char *method, const char *path,
                        struct bytes body, struct http_reply *reply)
{
        return api_call(c, role, &(struct http_call){.method = method, .path = path, .body = body},
                        reply);
}

struct scan_value api_value(const struct http_reply *reply)
{
        if (reply->body.length == 0)
                return (struct scan_value){.raw = bytes_of_text("null"), .kind = SCAN_NULL};
        return scan_root(buffer_bytes(&reply->body));
}

void api_query(struct buffer *path, const char *name, const char *value)
{
        if (value == NULL)
                return;
        buffer_add_char(path, strchr(path->data, '?') == NULL ? '?' : '&');
        buffer_add_text(path, name);
        buffer_add_char(path, '=');
        url_encode(path, value);
}

void api_segment(struct buffer *path, const char *word)
{
        buffer_add_char(path, '/');
        url_encode(path, word);
}
