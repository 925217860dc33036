/* SPDX-License-Identifier: Apache-2.0
 *
 * dlq.c: dead letters.
 */
#include <string.h>

#include "common/base/json_write.h"
#include "common/base/own.h"
#include "ui/cli/api.h"
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

enum exit_code command_dlq_list(struct cli *c)
{
        static const char *const next[] = {"dlq show", "dlq requeue", NULL};
        static const struct listing letters = {"letters", letter_columns, next,
                                               "no such dead letters"};

        return listing_get(c, API_USER, "/api/v1/dlq", &letters);
}

static void show_letter(const struct cli *c, struct scan_value letter, struct buffer *out)
{
        AUTO_BUFFER id = {0};

        view_fields(letter_fields, letter, clock_wall(), c->colours, out);
        if (!view_is(letter, "state", "dead") || !view_add(letter, "id", &id))
                return;
        buffer_add_text(out, "next: warren dlq requeue ");
        show_text(out, buffer_bytes(&id));
        cli_add_tenant(c, out);
        buffer_add_char(out, '\n');
}

enum exit_code command_dlq_show(struct cli *c)
{
        AUTO_FREE char *path = api_path_tenant(c, "/api/v1/dlq/*", cli_word(c, 0));

        return api_show(c, API_USER, &(struct http_call){.method = "GET", .path = path},
                        show_letter);
}

static int requeue_body(const struct cli *c, struct buffer *body, struct err *e)
{
        const char *run_at = cli_option(c, "run-at");

        json_begin(body);
        if (api_body_payload(body, cli_option(c, "payload"), e) < 0)
                return -1;
        api_body_options(body, &c->arguments);
        if (run_at != NULL && strcmp(run_at, "now") == 0)
                json_put_null(body, "run_at");
        else
                json_put_given(body, "run_at", bytes_of_text(run_at));
        json_end(body);
        return 0;
}

/* "requeued: job 0190…, run 2" */
static void show_requeued(const struct cli *c, struct scan_value answer, struct buffer *out)
{
        AUTO_BUFFER text = {0}, when = {0};

        (void)c;
        buffer_add_text(&text, "requeued: job ");
        if (!view_add(answer, "job_id", &text))
                view_add(answer, "id", &text);
        if (view_int(answer, "run") > 0)
                buffer_printf(&text, ", run %lld", (long long)view_int(answer, "run"));
        if (view_add(answer, "run_at", &when))
                buffer_printf(&text, ", not before %s", when.data);
        show_text(out, buffer_bytes(&text));
        buffer_add_char(out, '\n');
}

static enum exit_code requeue(struct cli *c, const char *letter, struct bytes body)
{
        AUTO_FREE char *path = api_path_tenant(c, "/api/v1/dlq/*/requeue", letter);

        return api_show(c, API_USER,
                        &(struct http_call){.method = "POST", .path = path, .body = body},
                        show_requeued);
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
