/* SPDX-License-Identifier: Apache-2.0
 *
 * jobs.c: submit, get.
 */
#include "ui/cli/jobs.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "common/base/json_write.h"
#include "common/base/own.h"
#include "common/base/uuid.h"
#include "ui/cli/batch.h"
#include "ui/cli/listing.h"

/* How long a job that was just submitted may be missing in the projection. */
static const msec fresh_patience = (msec)30 * MSEC_SECOND;
enum { RETRY_PAUSE_MS = 250 };

const struct view_column job_columns[] = {
        {"ID", "id", VIEW_TEXT},
        {"TENANT", "tenant", VIEW_TEXT},
        {"TYPE", "type", VIEW_TEXT},
        {"PRIORITY", "priority", VIEW_TEXT},
        {"STATUS", "status", VIEW_STATUS},
        {"TRY", "attempt", VIEW_TEXT},
        {"CREATED", "created_at", VIEW_AGE},
        {"TOOK", "duration_ms", VIEW_SPAN},
        {"ERROR", "error", VIEW_ERROR},
        {NULL, NULL, VIEW_TEXT},
};

static const struct view_column detail_columns[] = {
        {"id", "id", VIEW_TEXT},
        {"tenant", "tenant", VIEW_TEXT},
        {"type", "type", VIEW_TEXT},
        {"priority", "priority", VIEW_TEXT},
        {"status", "status", VIEW_STATUS},
        {"reason", "reason", VIEW_TEXT},
        {"cancel asked", "cancel_requested_at", VIEW_TEXT},
        {"last act by", "act_by", VIEW_TEXT},
        {"run", "run", VIEW_TEXT},
        {"attempt", "attempt", VIEW_TEXT},
        {"max retries", "max_retries", VIEW_TEXT},
        {"progress", "progress", VIEW_PROGRESS},
        {"created", "created_at", VIEW_TEXT},
        {"run at", "run_at", VIEW_TEXT},
        {"expires at", "expires_at", VIEW_TEXT},
        {"started", "started_at", VIEW_TEXT},
        {"finished", "finished_at", VIEW_TEXT},
        {"took", "duration_ms", VIEW_SPAN},
        {"worker", "worker", VIEW_TEXT},
        {"duplicates", "duplicates", VIEW_COUNT},
        {"key", "idempotency_key", VIEW_TEXT},
        {"trace", "trace_id", VIEW_TEXT},
        {"payload", "payload", VIEW_TEXT},
        {"payload base64", "payload_base64", VIEW_TEXT},
        {"result", "result", VIEW_TEXT},
        {"error kind", "error_kind", VIEW_TEXT},
        {"error", "error", VIEW_TEXT},
        {NULL, NULL, VIEW_TEXT},
};

static const struct view_column attempt_columns[] = {
        {"RUN", "run", VIEW_TEXT},
        {"TRY", "attempt", VIEW_TEXT},
        {"OUTCOME", "outcome", VIEW_STATUS},
        {"STARTED", "started_at", VIEW_AGE},
        {"TOOK", "duration_ms", VIEW_SPAN},
        {"WORKER", "worker", VIEW_TEXT},
        {"REDELIVERED", "redelivered", VIEW_MARK},
        {"KIND", "error_kind", VIEW_TEXT},
        {"ERROR", "error", VIEW_ERROR},
        {NULL, NULL, VIEW_TEXT},
};

static const struct view_column event_columns[] = {
        {"AT", "at", VIEW_TEXT},         {"EVENT", "event", VIEW_TEXT},
        {"RUN", "run", VIEW_TEXT},       {"TRY", "attempt", VIEW_TEXT},
        {"WORKER", "worker", VIEW_TEXT}, {"RUN AT", "run_at", VIEW_TEXT},
        {"REASON", "reason", VIEW_TEXT}, {"KIND", "error_kind", VIEW_TEXT},
        {"BY", "by", VIEW_TEXT},         {"WHY", "why", VIEW_TEXT},
        {NULL, NULL, VIEW_TEXT},
};

enum exit_code job_verdict(struct scan_value job)
{
        bool failed = view_is(job, "status", "dead") || view_is(job, "status", "cancelled");

        return failed ? EXIT_JOB_FAILED : EXIT_DONE;
}

void job_show(const struct cli *c, struct scan_value job, struct buffer *out)
{
        AUTO_BUFFER id = {0};

        view_fields(detail_columns, job, clock_wall(), c->colours, out);
        if (!view_is(job, "status", "dead") || !view_add(job, "id", &id))
                return;
        buffer_add_text(out, "next: warren dlq list --job ");
        show_text(out, buffer_bytes(&id));
        cli_add_tenant(c, out);
        buffer_add_char(out, '\n');
}

/* Asks once. EXIT_DONE: reply is the job, or with may_retry a refusal after which to ask again. */
static enum exit_code ask_waiting(struct cli *c, const struct http_call *call, bool may_retry,
                                  struct http_reply *reply)
{
        struct err e = {0};

        if (api_ask(c, API_USER, call, reply, &e) < 0)
                return c->stop != NULL && *c->stop != 0
                               ? cli_fail(c, EXIT_INTERRUPTED, "interrupted%s",
                                          c->submitted == NULL ? "; the job goes on" : "")
                               : cli_fail_err(c, &e);
        enum exit_code code = api_exit_code(reply->status);
        if (code != EXIT_DONE && (!may_retry || code == EXIT_NOT_ALLOWED))
                return api_refusal(c, API_USER, call, reply);
        return EXIT_DONE;
}

/* Waits until the job has ended. fresh: it was submitted a moment ago, so "not found" is asked
 * again for a while. */
static enum exit_code wait_for(struct cli *c, const char *id, bool fresh, struct http_reply *reply)
{
        msec give_up = clock_mono() + (fresh ? fresh_patience : 0);
        AUTO_FREE char *path = api_path_tenant(c, "/api/v1/jobs/*?wait=60s", id);
        const struct http_call call = {.method = "GET", .path = path};

        for (;;) {
                http_reply_fini(reply);
                *reply = (struct http_reply){0};
                enum exit_code code = ask_waiting(c, &call, clock_mono() < give_up, reply);
                if (code != EXIT_DONE)
                        return code;
                if (reply->status == 200 && view_job_has_ended(api_value(reply)))
                        return EXIT_DONE;
                if (reply->status != 200)
                        poll(NULL, 0, RETRY_PAUSE_MS);
        }
}

enum exit_code job_check_id(const struct cli *c, const char *id)
{
        char parsed[UUID_SIZE];

        if (uuid_parse(bytes_of_text(id), parsed))
                return EXIT_DONE;
        return cli_fail(c, EXIT_NOT_FOUND, "'%.80s' is no job id; try: warren find %.80s", id, id);
}

enum exit_code job_wait(struct cli *c, const char *id, struct http_reply *reply)
{
        cli_catch_interrupts();
        enum exit_code code = wait_for(c, id, false, reply);
        if (code == EXIT_INTERRUPTED)
                cli_pass_interrupt_on();
        return code;
}

static int submission(const struct cli *c, struct buffer *body, struct err *e)
{
        json_begin(body);
        json_put_given(body, "type", bytes_of_text(cli_word(c, 0)));
        if (api_body_payload(body, cli_word(c, 1), e) < 0)
                return -1;
        api_body_options(body, &c->arguments);
        json_end(body);
        return 0;
}

static void add_times(struct scan_value job, struct buffer *out)
{
        struct scan_value expires;

        if (view_is(job, "status", "scheduled")) {
                buffer_add_text(out, ", runs ");
                view_add_age(job, "run_at", clock_wall(), out);
        }
        if (view_find(job, "expires_at", &expires) && expires.kind == SCAN_STRING) {
                buffer_add_text(out, ", expires ");
                view_add_age(job, "expires_at", clock_wall(), out);
        }
}

static void show_accepted(const struct cli *c, struct scan_value job, struct buffer *out)
{
        (void)c;
        view_add(job, "id", out);
        buffer_add_text(out, "  ");
        view_add(job, "status", out);
        add_times(job, out);
        buffer_add_char(out, '\n');
}

/* The answer tells how the job was at first, not how it is now. */
static void show_replayed(const struct cli *c, struct scan_value job, struct buffer *out)
{
        (void)c;
        view_add(job, "id", out);
        buffer_add_text(out, "  submitted before with this key\n");
}

static void add_replayed(struct http_reply *reply)
{
        struct scan_value job = api_value(reply);
        AUTO_BUFFER body = {0};

        if (job.kind != SCAN_OBJECT)
                return;
        buffer_add(&body, job.raw.data, job.raw.length - 1);
        json_put_flag(&body, "replayed", true);
        buffer_add_char(&body, '}');
        buffer_set(&reply->body, buffer_bytes(&body));
}

static enum exit_code print_accepted(const struct cli *c, struct http_reply *reply)
{
        if (!reply->replayed)
                return api_print(c, reply, show_accepted);
        add_replayed(reply);
        return api_print(c, reply, show_replayed);
}

/* "replays": the key is known, and the answer would be the first one, with that job's id. */
static void show_dry_run(const struct cli *c, struct scan_value job, struct buffer *out)
{
        struct scan_value first;

        (void)c;
        if (view_find(job, "replays", &first)) {
                buffer_add_text(out, "would make no job: the key is that of job ");
                view_add(job, "replays", out);
        } else {
                buffer_add_text(out, "would be accepted: ");
                view_add(job, "status", out);
                add_times(job, out);
        }
        buffer_add_char(out, '\n');
}

/* Prints the id even when the wait fails: a user without the id would submit the job again. */
static enum exit_code wait_for_submitted(struct cli *c, struct http_reply *reply)
{
        bool replayed = reply->replayed;
        AUTO_BUFFER id = {0};

        if (!view_add(api_value(reply), "id", &id))
                return cli_fail(c, EXIT_UNREACHABLE, "the gateway's answer has no id");
        c->submitted = id.data;
        if (!c->json) {
                AUTO_BUFFER line = {0};
                show_text(&line, buffer_bytes(&id));
                fprintf(stderr, "submitted%s: %s\n", replayed ? " before with this key" : "",
                        line.data);
        }
        enum exit_code code = wait_for(c, id.data, true, reply);
        c->submitted = NULL;
        if (code == EXIT_DONE && replayed)
                add_replayed(reply);
        if (code == EXIT_DONE)
                code = api_print(c, reply, job_show);
        return code == EXIT_DONE ? job_verdict(api_value(reply)) : code;
}

/* The gateway judges it and publishes nothing. */
static enum exit_code submit_dry(struct cli *c, struct bytes body)
{
        if (cli_has(c, "wait"))
                return cli_fail(c, EXIT_USAGE, "--wait and --dry-run exclude each other");
        return api_show(c, API_USER,
                        &(struct http_call){.method = "POST",
                                            .path = "/api/v1/jobs?dry_run=true",
                                            .body = body},
                        show_dry_run);
}

static enum exit_code check_single(const struct cli *c)
{
        static const char *const batch_only[] = {"refused", "restart"};

        if (c->arguments.word_count == 0)
                return cli_fail(c, EXIT_USAGE,
                                "usage: warren submit TYPE [JSON|@FILE|-], or --batch FILE");
        for (size_t i = 0; i < sizeof(batch_only) / sizeof(batch_only[0]); i++) {
                if (cli_has(c, batch_only[i]))
                        return cli_fail(c, EXIT_USAGE, "--%s needs --batch", batch_only[i]);
        }
        return EXIT_DONE;
}

static enum exit_code submit_one(struct cli *c)
{
        struct err e = {0};
        AUTO_BUFFER body = {0};
        AUTO_REPLY reply = {0};
        enum exit_code code = check_single(c);

        if (code != EXIT_DONE)
                return code;
        if (submission(c, &body, &e) < 0)
                return cli_fail(c, EXIT_USAGE, "%s", e.text);
        if (cli_has(c, "dry-run"))
                return submit_dry(c, buffer_bytes(&body));
        if (cli_has(c, "wait"))
                c->stop = cli_interrupt();
        const struct http_call call = {
                .method = "POST", .path = "/api/v1/jobs", .body = buffer_bytes(&body)};
        code = api_call(c, API_USER, &call, &reply);
        if (code != EXIT_DONE)
                return code;
        if (!cli_has(c, "wait"))
                return print_accepted(c, &reply);
        cli_catch_interrupts();
        code = wait_for_submitted(c, &reply);
        if (code == EXIT_INTERRUPTED)
                cli_pass_interrupt_on();
        return code;
}

enum exit_code command_submit(struct cli *c)
{
        return cli_has(c, "batch") ? batch_submit(c) : submit_one(c);
}

/* Nothing when there are none. */
static void show_attempts(const struct cli *c, struct scan_value answer, struct buffer *out)
{
        AUTO(table) t = listing_table(answer, "attempts", attempt_columns);

        if (table_rows(t) == 0)
                return;
        buffer_add_char(out, '\n');
        table_render(t, c->width, c->colours, out);
}

static enum exit_code print_attempts(struct cli *c, const char *id)
{
        AUTO_FREE char *path = api_path_tenant(c, "/api/v1/jobs/*/attempts", id);

        return api_show(c, API_USER, &(struct http_call){.method = "GET", .path = path},
                        show_attempts);
}

static void show_events(const struct cli *c, struct scan_value answer, struct buffer *out)
{
        AUTO(table) t = listing_table(answer, "events", event_columns);

        table_render(t, c->width, c->colours, out);
        if (!view_is_true(answer, "complete"))
                buffer_add_text(out, "some events are not kept\n");
}

static enum exit_code print_events(struct cli *c, const char *id)
{
        AUTO_FREE char *path = api_path_tenant(c, "/api/v1/jobs/*/events", id);

        return api_show(c, API_USER, &(struct http_call){.method = "GET", .path = path},
                        show_events);
}

static enum exit_code check_payload_alone(const struct cli *c)
{
        static const char *const others[] = {"wait", "attempts", "events"};

        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
                if (cli_has(c, others[i]))
                        return cli_fail(c, EXIT_USAGE, "--payload and --%s exclude each other",
                                        others[i]);
        }
        return EXIT_DONE;
}

/* The bytes as they are, but where a terminal would obey them. */
static enum exit_code print_payload(struct cli *c, const char *id)
{
        AUTO_FREE char *path = api_path_tenant(c, "/api/v1/jobs/*/payload", id);
        const struct http_call call = {
                .method = "GET", .path = path, .keep_header = "Warren-Masked"};
        AUTO_BUFFER shown = {0};
        AUTO_REPLY reply = {0};
        enum exit_code code = check_payload_alone(c);

        if (code == EXIT_DONE)
                code = api_get_bytes(c, &call, &reply);
        if (code != EXIT_DONE)
                return code;
        if (reply.kept[0] != '\0')
                fprintf(stderr, "masked values: %s; a key with the scope 'operate' sees them\n",
                        reply.kept);
        if (!c->terminal)
                return cli_print(c, buffer_bytes(&reply.body));
        show_block(&shown, buffer_bytes(&reply.body));
        buffer_add_char(&shown, '\n');
        return cli_print(c, buffer_bytes(&shown));
}

static enum exit_code print_job(struct cli *c, const char *id, const struct http_reply *reply)
{
        enum exit_code code = api_print(c, reply, job_show);

        return code == EXIT_DONE && !c->json ? print_attempts(c, id) : code;
}

enum exit_code job_get(struct cli *c, const char *id)
{
        AUTO_FREE char *path = api_path_tenant(c, "/api/v1/jobs/*", id);
        AUTO_REPLY reply = {0};
        enum exit_code code = api_get(c, API_USER, path, &reply);

        return code == EXIT_DONE ? print_job(c, id, &reply) : code;
}

enum exit_code command_get(struct cli *c)
{
        const char *id = cli_word(c, 0);
        AUTO_REPLY reply = {0};
        enum exit_code code = job_check_id(c, id);

        if (code != EXIT_DONE)
                return code;
        if (cli_has(c, "payload"))
                return print_payload(c, id);
        if (cli_has(c, "events"))
                return print_events(c, id);
        if (c->json && cli_has(c, "attempts"))
                return print_attempts(c, id);
        if (!cli_has(c, "wait"))
                return job_get(c, id);
        c->stop = cli_interrupt();
        code = job_wait(c, id, &reply);
        if (code == EXIT_DONE)
                code = print_job(c, id, &reply);
        return code == EXIT_DONE ? job_verdict(api_value(&reply)) : code;
}
