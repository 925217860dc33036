/* SPDX-License-Identifier: Apache-2.0
 *
 * operations.c: operation, operations; following one.
 */
#include "ui/cli/operations.h"

#include <poll.h>
#include <stdio.h>

#include "common/base/own.h"
#include "ui/cli/listing.h"
#include "ui/cli/progress.h"

enum { ASK_FIRST_MS = 100, ASK_MOST_MS = 1000 };
/* How long the gateway may be away before following ends. */
static const msec patience = (msec)30 * MSEC_SECOND;

static const struct view_column operation_columns[] = {
        {"OPERATION", "id", VIEW_TEXT},      {"KIND", "kind", VIEW_TEXT},
        {"STATE", "state", VIEW_TEXT},       {"TOTAL", "total", VIEW_TEXT},
        {"DONE", "done", VIEW_TEXT},         {"SKIPPED", "skipped", VIEW_COUNT},
        {"FAILED", "failed", VIEW_COUNT},    {"BY", "by", VIEW_TEXT},
        {"CREATED", "created_at", VIEW_AGE}, {NULL, NULL, VIEW_TEXT},
};

static const struct view_column operation_fields[] = {
        {"operation", "id", VIEW_TEXT},       {"kind", "kind", VIEW_TEXT},
        {"state", "state", VIEW_TEXT},        {"waits for", "waiting", VIEW_TEXT},
        {"tenant", "tenant", VIEW_TEXT},      {"filter", "filter", VIEW_TEXT},
        {"total", "total", VIEW_TEXT},        {"done", "done", VIEW_TEXT},
        {"skipped", "skipped", VIEW_TEXT},    {"failed", "failed", VIEW_TEXT},
        {"error", "error", VIEW_TEXT},        {"by", "by", VIEW_TEXT},
        {"created", "created_at", VIEW_TEXT}, {"started", "started_at", VIEW_TEXT},
        {"ended", "ended_at", VIEW_TEXT},     {NULL, NULL, VIEW_TEXT},
};

static struct scan_value operation_of(const struct http_reply *reply)
{
        struct scan_value operation;

        return view_find(api_value(reply), "operation", &operation) ? operation : api_value(reply);
}

static bool goes_on(struct scan_value operation)
{
        return view_is(operation, "state", "running");
}

static enum exit_code verdict(struct scan_value operation)
{
        bool whole = view_is(operation, "state", "done") && view_int(operation, "failed") <= 0;

        return whole ? EXIT_DONE : EXIT_JOB_FAILED;
}

static long long number(struct scan_value operation, const char *member)
{
        int64_t value = view_int(operation, member);

        return value > 0 ? (long long)value : 0;
}

static void add_counts(struct scan_value operation, struct buffer *out)
{
        buffer_printf(out, "%lld of %lld jobs", number(operation, "done"),
                      number(operation, "total"));
        if (number(operation, "skipped") > 0)
                buffer_printf(out, ", %lld skipped", number(operation, "skipped"));
        if (number(operation, "failed") > 0)
                buffer_printf(out, ", %lld failed", number(operation, "failed"));
}

static void show_progress(struct progress *p, struct scan_value operation)
{
        long long total = number(operation, "total");
        long long looked_at = number(operation, "done") + number(operation, "skipped") +
                              number(operation, "failed");
        bool all = total <= 0 || looked_at >= total;
        unsigned percent = all ? 100 : (unsigned)(looked_at * 100 / total);
        AUTO_BUFFER text = {0};
        AUTO_BUFFER line = {0};

        if (!progress_is_due(p, false))
                return;
        buffer_printf(&text, "%3u %%  ", percent);
        add_counts(operation, &text);
        AUTO_BUFFER waits = {0};
        if (view_add(operation, "waiting", &waits)) {
                buffer_add_text(&text, "  waits: ");
                show_text(&text, buffer_bytes(&waits));
        }
        progress_add_bar(percent, text.length, progress_room(p), &line);
        buffer_add(&line, text.data, text.length);
        progress_show(p, &line);
}

/* "done: 1230 of 1234 jobs, 4 skipped" */
static void show_outcome(const struct cli *c, struct scan_value answer, struct buffer *out)
{
        struct scan_value operation = answer;
        AUTO_BUFFER line = {0};

        (void)c;
        (void)view_find(answer, "operation", &operation);
        view_add(operation, "state", &line);
        buffer_add_text(&line, ": ");
        add_counts(operation, &line);
        AUTO_BUFFER error = {0};
        if (view_add(operation, "error", &error))
                buffer_printf(&line, ": %s", error.data);
        show_text(out, buffer_bytes(&line));
        buffer_add_char(out, '\n');
}

void operations_will_follow(struct cli *c)
{
        c->stop = cli_interrupt();
}

/* "warren operation 0198… --tenant acme" */
static void add_command(const struct cli *c, const char *id, struct buffer *out)
{
        buffer_add_text(out, "warren operation ");
        show_text(out, bytes_of_text(id));
        cli_add_tenant(c, out);
}

void operation_note_unsure(const struct cli *c, const char *id, const char *state)
{
        AUTO_BUFFER command = {0};

        add_command(c, id, &command);
        cli_note(c, "%s; '%s' shows it", state, command.data);
}

enum exit_code operation_interrupted(const struct cli *c, const char *id, const char *state)
{
        AUTO_BUFFER command = {0};

        add_command(c, id, &command);
        cli_fail(c, EXIT_INTERRUPTED,
                 "interrupted; %s\n"
                 "  '%s' shows it, with --abort it ends",
                 state, command.data);
        cli_pass_interrupt_on();
        return EXIT_INTERRUPTED;
}

/* Asks until it has ended. The gateway may be away for a while. */
static enum exit_code follow(struct cli *c, const struct http_call *call, struct progress *p,
                             struct http_reply *reply)
{
        msec give_up = 0;
        int pause = ASK_FIRST_MS;

        for (;;) {
                struct err e = {0};
                http_reply_fini(reply);
                *reply = (struct http_reply){0};
                int asked = api_ask(c, API_USER, call, reply, &e);
                if (*c->stop != 0)
                        return EXIT_INTERRUPTED;
                bool away = asked < 0 || reply->status >= 500;
                if (!away && (reply->status != 200 || !goes_on(operation_of(reply))))
                        return reply->status == 200 ? EXIT_DONE
                                                    : api_refusal(c, API_USER, call, reply);
                if (away && give_up == 0)
                        give_up = clock_mono() + patience;
                else if (away && clock_mono() > give_up)
                        return asked < 0 ? cli_fail_err(c, &e)
                                         : api_refusal(c, API_USER, call, reply);
                if (!away) {
                        give_up = 0;
                        show_progress(p, operation_of(reply));
                }
                poll(NULL, 0, pause);
                pause = pause * 2 < ASK_MOST_MS ? pause * 2 : ASK_MOST_MS;
        }
}

enum exit_code operation_follow(struct cli *c, const char *id)
{
        AUTO_FREE char *path = api_path("/api/v1/operations/*", id);
        const struct http_call call = {.method = "GET", .path = path};
        struct progress p;
        AUTO_REPLY reply = {0};

        progress_begin(&p, !c->json);
        enum exit_code code = follow(c, &call, &p, &reply);
        progress_clear(&p);
        if (code == EXIT_INTERRUPTED)
                return operation_interrupted(c, id, "the operation goes on");
        if (code != EXIT_DONE) {
                operation_note_unsure(c, id, "the operation may go on");
                return code;
        }
        code = api_print(c, &reply, show_outcome);
        return code == EXIT_DONE ? verdict(operation_of(&reply)) : code;
}

static void show_operation(const struct cli *c, struct scan_value answer, struct buffer *out)
{
        struct scan_value operation = answer;
        AUTO_BUFFER id = {0};

        (void)view_find(answer, "operation", &operation);
        view_fields(operation_fields, operation, clock_wall(), c->colours, out);
        if (!goes_on(operation) || !view_add(operation, "id", &id))
                return;
        buffer_add_text(out, "next: ");
        add_command(c, id.data, out);
        buffer_add_text(out, " --wait\n");
}

enum exit_code command_operation(struct cli *c)
{
        const char *id = cli_word(c, 0);
        const bool aborts = cli_has(c, "abort"), waits = cli_has(c, "wait");
        AUTO_FREE char *path =
                api_path(aborts ? "/api/v1/operations/*/abort" : "/api/v1/operations/*", id);
        const struct http_call call = {.method = aborts ? "POST" : "GET", .path = path};
        AUTO_REPLY reply = {0};

        if (waits)
                operations_will_follow(c);
        if (waits && !aborts) {
                cli_catch_interrupts();
                return operation_follow(c, id);
        }
        enum exit_code code = api_call(c, API_USER, &call, &reply);
        if (code != EXIT_DONE || !waits)
                return code == EXIT_DONE ? api_print(c, &reply, show_operation) : code;
        cli_catch_interrupts();
        return operation_follow(c, id);
}

enum exit_code command_operations(struct cli *c)
{
        static const char *const next[] = {"operation", NULL};
        static const struct listing operations = {
                "operations", operation_columns, next,
                "there are no operations; 'warren cancel --type TYPE' makes one"};

        return listing_get(c, API_USER, "/api/v1/operations", &operations);
}
