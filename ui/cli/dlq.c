/* SPDX-License-Identifier: Apache-2.0
 *
 * dlq.c: dead letters.
 */
#include <string.h>

#include "common/base/json_write.h"
#include "common/base/own.h"
#include "ui/cli/api.h"
#include "ui/cli/body.h"
#include "ui/cli/listing.h"

static const struct view_column letter_columns[] = {
        {"LETTER", "id", VIEW_TEXT},     {"JOB", "job_id", VIEW_TEXT},
        {"TENANT", "tenant", VIEW_TEXT}, {"TYPE", "type", VIEW_TEXT},
        {"REASON", "reason", VIEW_TEXT}, {"STATE", "state", VIEW_STATUS},
        {"DIED", "dead_at", VIEW_AGE},   {"ERROR", "error", VIEW_TEXT},
        {NULL, NULL, VIEW_TEXT},
};

static const struct view_column letter_fields[] = {
        {"letter", "id", VIEW_TEXT},
        {"job", "job_id", VIEW_TEXT},
        {"claimed id", "claimed_id", VIEW_TEXT},
        {"tenant", "tenant", VIEW_TEXT},
        {"type", "type", VIEW_TEXT},
        {"reason", "reason", VIEW_TEXT},
        {"error kind", "error_kind", VIEW_TEXT},
        {"error", "error", VIEW_TEXT},
        {"run", "run", VIEW_TEXT},
        {"attempt", "attempt", VIEW_TEXT},
        {"source", "source", VIEW_TEXT},
        {"state", "state", VIEW_STATUS},
        {"group", "group", VIEW_TEXT},
        {"died", "dead_at", VIEW_TEXT},
        {"size", "size", VIEW_TEXT},
        {"properties", "properties", VIEW_AMQP},
        {"headers", "headers", VIEW_AMQP},
        {"payload", "payload", VIEW_TEXT},
        {"payload base64", "payload_base64", VIEW_TEXT},
        {NULL, NULL, VIEW_TEXT},
};

static void letter_path(struct buffer *path, const char *id)
{
        buffer_add_text(path, "/api/v1/dlq");
        api_segment(path, id);
}

enum exit_code command_dlq_list(struct cli *c)
{
        static const struct listing_filter filters[] = {
                {"tenant", "tenant"}, {"job", "job"},     {"type", "type"}, {"reason", "reason"},
                {"state", "state"},   {"group", "group"}, {"q", "search"},  {"limit", "limit"},
                {"cursor", "cursor"}, {NULL, NULL},
        };
        static const char *const next[] = {"dlq show", "dlq requeue", NULL};
        static const struct listing letters = {"letters", letter_columns, next};
        AUTO_BUFFER path = {0};
        AUTO_REPLY reply = {0};

        listing_path(c, "/api/v1/dlq", filters, &path);
        enum exit_code code = api_get(c, API_USER, path.data, &reply);
        return code == EXIT_DONE ? listing_show(c, &reply, &letters) : code;
}

static void add_next(struct scan_value letter, struct buffer *out)
{
        AUTO_BUFFER id = {0};

        if (!view_is(letter, "state", "dead") || !view_add(letter, "id", &id))
                return;
        buffer_add_text(out, "next: warren dlq requeue ");
        show_text(out, buffer_bytes(&id));
        buffer_add_char(out, '\n');
}

enum exit_code command_dlq_show(struct cli *c)
{
        AUTO_BUFFER path = {0};
        AUTO_BUFFER out = {0};
        AUTO_REPLY reply = {0};

        letter_path(&path, cli_word(c, 0));
        enum exit_code code = api_get(c, API_USER, path.data, &reply);
        if (code != EXIT_DONE)
                return code;
        if (c->json)
                return cli_print_json(c, buffer_bytes(&reply.body));
        view_fields(letter_fields, api_value(&reply), clock_wall(), c->colours, &out);
        add_next(api_value(&reply), &out);
        return cli_print(c, buffer_bytes(&out));
}

static int requeue_body(const struct cli *c, struct buffer *body, struct err *e)
{
        AUTO_BUFFER payload = {0};
        const char *argument = cli_option(c, "payload");
        const char *run_at = cli_option(c, "run-at");

        json_begin(body);
        if (argument != NULL) {
                if (json_argument(argument, &payload, e) < 0)
                        return -1;
                json_put_raw(body, "payload", buffer_bytes(&payload));
        }
        json_put_given(body, "type", bytes_of_text(cli_option(c, "type")));
        body_add_number_or_text(body, "priority", cli_option(c, "priority"));
        if (run_at != NULL && strcmp(run_at, "now") == 0)
                json_put_null(body, "run_at");
        else
                json_put_given(body, "run_at", bytes_of_text(run_at));
        json_end(body);
        return 0;
}

/* "requeued: job 0190…, run 2" */
static void add_requeued(struct scan_value answer, struct buffer *out)
{
        AUTO_BUFFER text = {0}, when = {0};

        buffer_add_text(&text, "requeued: job ");
        if (!view_add(answer, "job_id", &text))
                view_add(answer, "id", &text);
        if (view_int(answer, "run") > 0)
                buffer_printf(&text, ", run %lld", (long long)view_int(answer, "run"));
        if (view_add(answer, "run_at", &when))
                buffer_printf(&text, ", not before %s", when.data);
        show_text(out, buffer_bytes(&text));
}

static enum exit_code requeue(struct cli *c, const char *letter, struct bytes body)
{
        AUTO_BUFFER path = {0};
        AUTO_BUFFER out = {0};
        AUTO_REPLY reply = {0};

        letter_path(&path, letter);
        buffer_add_text(&path, "/requeue");
        enum exit_code code = api_send(c, API_USER, "POST", path.data, body, &reply);
        if (code != EXIT_DONE)
                return code;
        if (c->json)
                return cli_print_json(c, buffer_bytes(&reply.body));
        add_requeued(api_value(&reply), &out);
        buffer_add_char(&out, '\n');
        return cli_print(c, buffer_bytes(&out));
}

/* Tries every letter. Returns the highest exit code. */
enum exit_code command_dlq_requeue(struct cli *c)
{
        struct err e = {0};
        enum exit_code worst = EXIT_DONE;
        AUTO_BUFFER body = {0};

        if (requeue_body(c, &body, &e) < 0)
                return cli_fail(c, EXIT_USAGE, "%s", e.text);
        for (int i = 0; i < c->arguments.word_count; i++) {
                c->about = c->arguments.word_count > 1 ? cli_word(c, i) : NULL;
                enum exit_code code = requeue(c, cli_word(c, i), buffer_bytes(&body));
                worst = code > worst ? code : worst;
        }
        c->about = NULL;
        return worst;
}
