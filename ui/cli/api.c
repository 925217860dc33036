/* SPDX-License-Identifier: Apache-2.0
 *
 * api.c: calls to the gateway.
 */
#include "ui/cli/api.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/json_write.h"
#include "common/base/own.h"
#include "common/http/websocket_client.h"
#include "ui/cli/view.h"

enum { INPUT_MAX = 16 << 20, READ_SIZE = 64 << 10 };

/* A read may wait 60 s for a job to end. */
static const msec call_timeout = (msec)75 * MSEC_SECOND;

static const char ask_doctor[] = "\n  'warren doctor' says what is wrong";

static bool prefers_admin_key(const struct cli *c, enum api_role role)
{
        return role == API_ADMIN || cli_has(c, "tenant");
}

static bool takes_admin_key(const struct cli *c, enum api_role role)
{
        const struct settings *s = &c->settings;

        return s->admin_key != NULL && (s->api_key == NULL || prefers_admin_key(c, role));
}

static struct http_client_config config_of(const struct cli *c, enum api_role role)
{
        const struct settings *s = &c->settings;

        return (struct http_client_config){
                .base_url = s->url,
                .bearer = takes_admin_key(c, role) ? s->admin_key : s->api_key,
                .timeout = call_timeout,
                .stop = c->stop,
                .waiting = c->waiting,
                .owner = c->waiting_owner,
        };
}

static struct http_client *client_of(struct cli *c, enum api_role role, struct err *e)
{
        const struct http_client_config config = config_of(c, role);

        if (c->clients[role] == NULL)
                c->clients[role] = http_client_create(&config, e);
        return c->clients[role];
}

void api_close(struct cli *c)
{
        http_client_destroy(&c->clients[API_USER]);
        http_client_destroy(&c->clients[API_ADMIN]);
}

/* 0: reply holds the answer, whatever its body is. */
static int exchange(struct cli *c, enum api_role role, const struct http_call *call,
                    struct http_reply *reply, struct err *e)
{
        struct http_client *client = client_of(c, role, e);

        if (client == NULL)
                return err_wrap(e, "WARREN_URL");
        if (http_client_call(client, call, reply, e) < 0)
                return err_wrap(e, "gateway at %s", c->settings.url);
        return 0;
}

static int check_json(const struct cli *c, const struct http_reply *reply, struct err *e)
{
        struct scan_fault fault;

        if (reply->body.length > 0 &&
            scan_check(buffer_bytes(&reply->body), SCAN_DEPTH_WRAPPED, &fault) < 0)
                return err_set(e, ERR_PROTOCOL,
                               "%s answered %d without JSON: it is not a Warren gateway",
                               c->settings.url, reply->status);
        return 0;
}

int api_ask(struct cli *c, enum api_role role, const struct http_call *call,
            struct http_reply *reply, struct err *e)
{
        if (exchange(c, role, call, reply, e) < 0)
                return -1;
        return check_json(c, reply, e);
}

int api_connect(const struct cli *c, enum api_role role, const char *path,
                struct websocket_client **out, struct http_reply *reply, struct err *e)
{
        struct http_client_config config = config_of(c, role);

        config.timeout = 0; /* the default: no handshake waits for a job */
        if (websocket_client_open(&config, path, out, reply, e) < 0)
                return err_wrap(e, "gateway at %s", c->settings.url);
        if (*out == NULL && reply->status < 300)
                return err_set(e, ERR_PROTOCOL,
                               "%s answered %d to a WebSocket: it is not a Warren gateway",
                               c->settings.url, reply->status);
        return *out == NULL ? check_json(c, reply, e) : 0;
}

int api_read(struct cli *c, const char *path, struct http_reply *reply, struct err *e)
{
        const struct http_call call = {.method = "GET", .path = path};
        AUTO_BUFFER why = {0};

        if (api_ask(c, API_ADMIN, &call, reply, e) < 0) {
                reply->status = 0;
                return -1;
        }
        if (reply->status < 300)
                return 0;
        api_explain(reply, (struct bytes){0}, &why);
        bool forbidden = api_exit_code(reply->status) == EXIT_NOT_ALLOWED;
        return err_set(e, forbidden ? ERR_FORBIDDEN : ERR_UNAVAILABLE, "%s", why.data);
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

/* The column where the payload begins in a body made by this command, which puts everything before
 * the payload on one line. 0: there is no payload. */
static unsigned payload_column(struct bytes body)
{
        struct scan_fault fault;
        struct scan_value payload;
        unsigned line, column;

        if (body.length == 0 || scan_check(body, SCAN_DEPTH_WRAPPED, &fault) < 0 ||
            !view_find(scan_root(body), "payload", &payload))
                return 0;
        const char *at = payload.raw.data;
        while (at[-1] != ':')
                at--;
        scan_locate(body, at, &line, &column);
        return column;
}

/* The gateway counts lines and columns in the body; the user knows only the payload. */
static void add_position(struct scan_value error, struct bytes body, struct buffer *out)
{
        int64_t line = view_int(error, "line"), column = view_int(error, "column");
        unsigned begins = payload_column(body);

        if (line <= 0 || begins == 0)
                return;
        if (line == 1)
                column -= begins - 1;
        if (column > 0)
                buffer_printf(out, "line %lld, column %lld: ", (long long)line, (long long)column);
}

/* The option that the member came from, or the member. */
static void add_member_name(const char *name, const struct arguments *a, struct buffer *out)
{
        for (int i = 0; a != NULL && i < a->given_count; i++) {
                const struct option *o = a->given[i].option;
                if (o->member != NULL && strcmp(o->member, name) == 0) {
                        buffer_printf(out, "--%s: ", o->name);
                        return;
                }
        }
        buffer_printf(out, "%s: ", name);
}

static void explain_error(struct scan_value error, struct bytes body, const struct arguments *a,
                          struct buffer *out)
{
        AUTO_BUFFER pointer = {0};

        if (out->length > 0)
                buffer_add_text(out, "\n  ");
        if (view_add(error, "pointer", &pointer) && pointer.length > 1)
                add_member_name(pointer.data + (pointer.data[0] == '/'), a, out);
        if (pointer.data != NULL && strncmp(pointer.data, "/payload", 8) == 0)
                add_position(error, body, out);
        view_add(error, "detail", out);
}

static void add_detail(const struct http_reply *reply, struct buffer *out)
{
        struct scan_value problem = api_value(reply);

        if (!view_add(problem, "detail", out) && !view_add(problem, "title", out))
                buffer_printf(out, "the gateway answered %d", reply->status);
}

/* A problem's own detail repeats its first error: it is added only when there are no errors. */
static void explain(const struct http_reply *reply, struct bytes body, const struct arguments *a,
                    struct buffer *out)
{
        struct scan_value problem = api_value(reply), errors;
        struct scan_item item;
        AUTO_BUFFER text = {0};

        if (view_find(problem, "errors", &errors)) {
                for (struct scan_cursor at = scan_items(errors); scan_next(&at, &item);)
                        explain_error(item.value, body, a, &text);
        }
        if (text.length == 0)
                add_detail(reply, &text);
        if (view_is(problem, "accepted", "unknown")) {
                AUTO_BUFFER id = {0};
                if (view_add(problem, "id", &id))
                        buffer_printf(&text, "\n  it may have been accepted; its id is %s",
                                      id.data);
                else
                        buffer_add_text(&text, "\n  it may have been done, or may be done later");
        }
        buffer_add(out, text.data, text.length);
}

void api_explain(const struct http_reply *reply, struct bytes body, struct buffer *out)
{
        explain(reply, body, NULL, out);
}

static bool is_of(const struct http_call *call, const char *path)
{
        return bytes_equal_text(bytes_of(call->path, strcspn(call->path, "?")), path);
}

static const char *scope_of(enum api_role role, const struct http_call *call)
{
        if (role == API_ADMIN)
                return "admin";
        if (is_of(call, "/api/v1/jobs") || is_of(call, "/api/v1/jobs/batch"))
                return strcmp(call->method, "GET") == 0 ? "read" : "submit";
        return strcmp(call->method, "GET") == 0 && !is_of(call, "/api/v1/audit") ? "read"
                                                                                 : "operate";
}

/* Says which variable to set, and which scope its key needs. */
static void add_key_advice(const struct cli *c, enum api_role role, const struct http_call *call,
                           const struct http_reply *reply, struct buffer *out)
{
        const struct settings *s = &c->settings;
        const char *variable = takes_admin_key(c, role) || prefers_admin_key(c, role)
                                       ? "WARREN_ADMIN_KEY"
                                       : "WARREN_API_KEY";
        bool given = s->api_key != NULL || s->admin_key != NULL;
        AUTO_BUFFER detail = {0};

        bool of_another = reply->status == 403 && cli_has(c, "tenant") && s->admin_key == NULL;
        if ((reply->status == 401 && !given) || of_another)
                buffer_printf(out, "\n  %s is not set", variable);
        add_detail(reply, &detail);
        if (reply->status == 403 && strstr(detail.data, "scope") != NULL)
                buffer_printf(out, "\n  this needs the scope '%s': set %s to a key that has it",
                              scope_of(role, call), variable);
}

/* Prints the problem, with the header Retry-After as a member, and the id of the job that was
 * submitted before. */
static void print_problem(const struct cli *c, const struct http_reply *reply)
{
        struct scan_value problem = api_value(reply);
        AUTO_BUFFER line = {0};

        buffer_add(&line, problem.raw.data, problem.raw.length);
        if (problem.kind == SCAN_OBJECT) {
                line.length--;
                if (reply->retry_after >= 0)
                        json_put_int(&line, "retry_after", reply->retry_after / MSEC_SECOND);
                json_put_given(&line, "about", bytes_of_text(c->about));
                cli_add_submitted(c, &line);
                buffer_add_char(&line, '}');
        }
        fprintf(stderr, "%s\n", line.data);
}

enum exit_code api_refusal(const struct cli *c, enum api_role role, const struct http_call *call,
                           const struct http_reply *reply)
{
        bool is_for_now = reply->status == 409 && reply->retry_after >= 0;
        enum exit_code code = is_for_now ? EXIT_LIMITED : api_exit_code(reply->status);
        AUTO_BUFFER text = {0};

        if (c->json && reply->body.length > 0) {
                print_problem(c, reply);
                return code;
        }
        explain(reply, call->body, &c->arguments, &text);
        add_key_advice(c, role, call, reply, &text);
        if (reply->retry_after >= 0 && c->submitted == NULL)
                buffer_printf(&text, "\n  try again in %lld s",
                              (long long)(reply->retry_after / MSEC_SECOND));
        if (code == EXIT_UNREACHABLE)
                buffer_add_text(&text, ask_doctor);
        return cli_fail(c, code, "%s", text.data);
}

enum exit_code api_unanswered(const struct cli *c, const struct http_call *call,
                              const struct http_reply *reply, const struct err *e)
{
        bool changes = strcmp(call->method, "GET") != 0;
        const char *state = !changes      ? ""
                            : reply->sent ? "\n  it may have been done"
                                          : "\n  nothing was done";

        if (e->code != ERR_UNAVAILABLE && e->code != ERR_TIMEOUT)
                return cli_fail_err(c, e);
        return cli_fail(c, EXIT_UNREACHABLE, "%s%s%s", e->text, state, ask_doctor);
}

enum exit_code api_call(struct cli *c, enum api_role role, const struct http_call *call,
                        struct http_reply *reply)
{
        struct err e = {0};

        if (api_ask(c, role, call, reply, &e) < 0)
                return api_unanswered(c, call, reply, &e);
        if (reply->status < 200 || reply->status > 299)
                return api_refusal(c, role, call, reply);
        return EXIT_DONE;
}

enum exit_code api_get_bytes(struct cli *c, const struct http_call *call, struct http_reply *reply)
{
        struct err e = {0};

        if (exchange(c, API_USER, call, reply, &e) < 0)
                return cli_fail_err(c, &e);
        if (reply->status == 200)
                return EXIT_DONE;
        return check_json(c, reply, &e) < 0 ? cli_fail_err(c, &e)
                                            : api_refusal(c, API_USER, call, reply);
}

enum exit_code api_get(struct cli *c, enum api_role role, const char *path,
                       struct http_reply *reply)
{
        return api_call(c, role, &(struct http_call){.method = "GET", .path = path}, reply);
}

enum exit_code api_print(const struct cli *c, const struct http_reply *reply, api_show_fn *show)
{
        AUTO_BUFFER out = {0};

        if (c->json)
                return cli_print_json(c, buffer_bytes(&reply->body));
        show(c, api_value(reply), &out);
        if (view_int(api_value(reply), "masked") > 0)
                cli_note(c, "masked values: %lld; a key with the scope 'operate' sees them",
                         (long long)view_int(api_value(reply), "masked"));
        return cli_print(c, buffer_bytes(&out));
}

enum exit_code api_show(struct cli *c, enum api_role role, const struct http_call *call,
                        api_show_fn *show)
{
        AUTO_REPLY reply = {0};
        enum exit_code code = api_call(c, role, call, &reply);

        return code == EXIT_DONE ? api_print(c, &reply, show) : code;
}

struct scan_value api_value(const struct http_reply *reply)
{
        if (reply->body.length == 0)
                return (struct scan_value){.raw = bytes_of_text("null"), .kind = SCAN_NULL};
        return scan_root(buffer_bytes(&reply->body));
}

void api_query_options(struct buffer *path, const struct arguments *a)
{
        char separator = '?';

        for (int i = 0; i < a->given_count; i++) {
                if (a->given[i].option->member == NULL)
                        continue;
                buffer_printf(path, "%c%s=", separator, a->given[i].option->member);
                bool is_switch = a->given[i].option->value == NULL;
                url_encode(path, is_switch ? "true" : a->given[i].value);
                separator = '&';
        }
}

char *api_path(const char *pattern, ...)
{
        struct buffer path = {0};
        va_list texts;

        va_start(texts, pattern);
        for (const char *c = pattern; *c != '\0'; c++) {
                if (*c == '*')
                        url_encode(&path, va_arg(texts, const char *));
                else
                        buffer_add_char(&path, *c);
        }
        va_end(texts);
        return buffer_take(&path);
}

char *api_path_tenant(const struct cli *c, const char *pattern, const char *text)
{
        const char *tenant = cli_option(c, "tenant");
        AUTO_FREE char *path = api_path(pattern, text);
        struct buffer out = {0};

        buffer_add_text(&out, path);
        if (tenant != NULL) {
                buffer_add_text(&out, strchr(pattern, '?') == NULL ? "?tenant=" : "&tenant=");
                url_encode(&out, tenant);
        }
        return buffer_take(&out);
}

static void add_member(struct buffer *body, const struct option *o, struct bytes value)
{
        struct scan_fault fault;

        if (o->value == NULL)
                json_put_flag(body, o->member, true);
        else if (o->number && scan_check(value, 1, &fault) == 0 &&
                 scan_root(value).kind == SCAN_NUMBER)
                json_put_raw(body, o->member, scan_root(value).raw);
        else
                json_put_text(body, o->member, value);
}

void api_body_options(struct buffer *body, const struct arguments *a)
{
        for (int i = 0; i < a->given_count; i++) {
                if (a->given[i].option->member != NULL)
                        add_member(body, a->given[i].option, bytes_of_text(a->given[i].value));
        }
}

static int read_all(FILE *file, struct buffer *out, struct err *e)
{
        while (!feof(file)) {
                buffer_reserve(out, READ_SIZE);
                size_t got = fread(out->data + out->length, 1, READ_SIZE, file);
                out->length += got;
                if (ferror(file))
                        return err_set_errno(e, "cannot be read");
                if (out->length > INPUT_MAX)
                        return err_set(e, ERR_TOO_LARGE, "more than 16 MiB");
        }
        return 0;
}

static int read_argument(const char *argument, struct buffer *out, struct err *e)
{
        if (strcmp(argument, "-") == 0)
                return read_all(stdin, out, e) < 0 ? err_wrap(e, "standard input") : 0;
        if (argument[0] != '@') {
                buffer_add_text(out, argument);
                return 0;
        }
        AUTO_FCLOSE FILE *file = fopen(argument + 1, "re");
        if (file == NULL)
                return err_set_errno(e, "%s", argument + 1);
        return read_all(file, out, e) < 0 ? err_wrap(e, "%s", argument + 1) : 0;
}

int api_body_payload(struct buffer *body, const char *argument, struct err *e)
{
        AUTO_BUFFER payload = {0};
        struct scan_fault f;

        if (argument == NULL)
                return 0;
        if (read_argument(argument, &payload, e) < 0)
                return -1;
        if (scan_check(buffer_bytes(&payload), SCAN_DEPTH_MAX, &f) < 0)
                return err_set(e, ERR_INVALID, "the payload is not JSON: line %u, column %u: %s",
                               f.line, f.column, f.detail);
        json_put_raw(body, "payload", buffer_bytes(&payload));
        return 0;
}
