/* SPDX-License-Identifier: Apache-2.0
 *
 * acts.c: cancel, run-now, retry, reschedule, priority, forget.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/json_write.h"
#include "common/base/own.h"
#include "common/model/job.h"
#include "ui/cli/bulk.h"
#include "ui/cli/jobs.h"
#include "ui/cli/workers_behind.h"

/* What is asked of each job. */
struct act {
        const char *method;
        const char *path; /* "/api/v1/jobs/<id>/cancel", * for the id */
        struct bytes body;
        api_show_fn *show; /* NULL: the answer is empty */
};

static void add_id(struct scan_value answer, struct buffer *out)
{
        AUTO_BUFFER id = {0};

        view_add(answer, "id", &id);
        show_text(out, buffer_bytes(&id));
        buffer_add_text(out, "  ");
}

static void add_text(struct scan_value answer, const char *member, struct buffer *out)
{
        AUTO_BUFFER text = {0};

        view_add(answer, member, &text);
        show_text(out, buffer_bytes(&text));
}

static void show_cancelled(const struct cli *c, struct scan_value answer, struct buffer *out)
{
        add_id(answer, out);
        if (view_is_true(answer, "cancelling"))
                buffer_add_text(out, "runs, and was told to stop");
        else
                add_text(answer, "status", out);
        buffer_add_char(out, '\n');
        workers_behind_warn(c, answer);
}

/* "scheduled, runs in 5m, priority high" */
static void show_moved(const struct cli *c, struct scan_value answer, struct buffer *out)
{
        (void)c;
        add_id(answer, out);
        add_text(answer, "status", out);
        if (view_is(answer, "status", "scheduled")) {
                buffer_add_text(out, ", runs ");
                view_add_age(answer, "run_at", clock_wall(), out);
        }
        buffer_add_text(out, ", priority ");
        add_text(answer, "priority", out);
        buffer_add_char(out, '\n');
}

static void show_retried(const struct cli *c, struct scan_value answer, struct buffer *out)
{
        (void)c;
        add_id(answer, out);
        add_text(answer, "status", out);
        buffer_printf(out, ", run %lld\n", (long long)view_int(answer, "run"));
}

static enum exit_code print_forgotten(const struct cli *c, const char *id)
{
        AUTO_BUFFER out = {0};

        if (c->json) {
                json_begin(&out);
                json_put_string(&out, "forgotten", id);
                json_end(&out);
                return cli_print_json(c, buffer_bytes(&out));
        }
        show_text(&out, bytes_of_text(id));
        buffer_add_text(&out, "  forgotten\n");
        return cli_print(c, buffer_bytes(&out));
}

static enum exit_code act_on(struct cli *c, const struct act *act, const char *id)
{
        AUTO_FREE char *path = api_path_tenant(c, act->path, id);
        AUTO_REPLY reply = {0};
        const struct http_call call = {.method = act->method, .path = path, .body = act->body};
        enum exit_code code = job_check_id(c, id);

        if (code == EXIT_DONE)
                code = api_call(c, API_USER, &call, &reply);
        if (code != EXIT_DONE)
                return code;
        return act->show == NULL ? print_forgotten(c, id) : api_print(c, &reply, act->show);
}

/* Waits until the job has ended: "0190…  completed". EXIT_JOB_FAILED: its status is not the wanted
 * one. */
static enum exit_code wait_for_end(struct cli *c, const char *id, const char *wanted)
{
        AUTO_BUFFER out = {0};
        AUTO_REPLY reply = {0};
        enum exit_code code = job_wait(c, id, &reply);

        if (code != EXIT_DONE)
                return code;
        if (c->json) {
                code = cli_print_json(c, buffer_bytes(&reply.body));
        } else {
                add_id(api_value(&reply), &out);
                add_text(api_value(&reply), "status", &out);
                buffer_add_char(&out, '\n');
                code = cli_print(c, buffer_bytes(&out));
        }
        bool fails = !view_is(api_value(&reply), "status", wanted);
        return code == EXIT_DONE && fails ? EXIT_JOB_FAILED : code;
}

/* Of one job its own code; of several: all or none, their highest; else EXIT_REFUSED. */
static enum exit_code code_of_all(const enum exit_code *codes, int count)
{
        enum exit_code worst = EXIT_DONE;
        int done = 0;

        for (int i = 0; i < count; i++) {
                done += codes[i] == EXIT_DONE;
                worst = codes[i] > worst ? codes[i] : worst;
        }
        return done > 0 && worst != EXIT_DONE ? EXIT_REFUSED : worst;
}

/* Waits for those of the words' jobs whose act was done. The highest code. */
static enum exit_code wait_for_words(struct cli *c, const enum exit_code *codes, const char *wanted)
{
        enum exit_code worst = EXIT_DONE;

        for (int i = 0; i < c->arguments.word_count; i++) {
                if (codes[i] != EXIT_DONE)
                        continue;
                c->about = c->arguments.word_count > 1 ? cli_word(c, i) : NULL;
                enum exit_code code = wait_for_end(c, cli_word(c, i), wanted);
                worst = code > worst ? code : worst;
        }
        return worst;
}

/* Acts on each word's job, and with --wait waits then for those it acted on. wanted: the status in
 * which they are to end: the exit code tells it unless an act was refused. */
static enum exit_code act_on_words(struct cli *c, const struct act *act, const char *wanted)
{
        const int count = c->arguments.word_count;
        enum exit_code codes[WORDS_MAX];
        enum exit_code ended = EXIT_DONE;

        if (wanted != NULL && cli_has(c, "wait"))
                c->stop = cli_interrupt();
        for (int i = 0; i < count; i++) {
                c->about = count > 1 ? cli_word(c, i) : NULL;
                codes[i] = act_on(c, act, cli_word(c, i));
        }
        if (wanted != NULL && cli_has(c, "wait"))
                ended = wait_for_words(c, codes, wanted);
        c->about = NULL;
        enum exit_code acted = code_of_all(codes, count);
        return acted != EXIT_DONE ? acted : ended;
}

/* The name of an option that selects jobs, or NULL; --tenant does not select of itself. */
static const char *filter_of(const struct cli *c)
{
        for (int i = 0; i < c->arguments.given_count; i++) {
                const struct option *o = c->arguments.given[i].option;
                if (o->member != NULL && strcmp(o->name, "tenant") != 0)
                        return o->name;
        }
        return NULL;
}

/* By the words, or by filters when there are none. */
static enum exit_code act_by(struct cli *c, const struct act *act, const struct bulk *bulk,
                             const char *wanted)
{
        static const char *const of_filters[] = {"yes", "dry-run"};
        const char *filter = filter_of(c);
        const bool by_id = c->arguments.word_count > 0;

        if (by_id && filter != NULL)
                return cli_fail(c, EXIT_USAGE, "IDs and --%s exclude each other", filter);
        if (!by_id && filter == NULL)
                return cli_fail(c, EXIT_USAGE,
                                "give IDs, or filters such as --type or --status; --tenant alone "
                                "is none");
        for (size_t i = 0; i < sizeof(of_filters) / sizeof(of_filters[0]); i++) {
                if (by_id && cli_has(c, of_filters[i]))
                        return cli_fail(c, EXIT_USAGE, "--%s is for filters", of_filters[i]);
        }
        if (!by_id && cli_has(c, "wait"))
                return cli_fail(c, EXIT_USAGE, "--wait is for IDs");
        return by_id ? act_on_words(c, act, wanted) : bulk_act(c, bulk);
}

enum exit_code command_cancel(struct cli *c)
{
        static const struct bulk bulk = {"/api/v1/jobs/cancel", "would be cancelled", "Cancel %s"};
        const struct act act = {
                .method = "POST", .path = "/api/v1/jobs/*/cancel", .show = show_cancelled};

        return act_by(c, &act, &bulk, "cancelled");
}

enum exit_code command_run_now(struct cli *c)
{
        static const struct bulk bulk = {"/api/v1/jobs/run-now", "would start now", "Start %s now"};
        const struct act act = {
                .method = "POST", .path = "/api/v1/jobs/*/run-now", .show = show_moved};

        return act_by(c, &act, &bulk, "completed");
}

enum exit_code command_retry(struct cli *c)
{
        const struct act act = {
                .method = "POST", .path = "/api/v1/jobs/*/retry", .show = show_retried};

        return act_on_words(c, &act, NULL);
}

enum exit_code command_forget(struct cli *c)
{
        const struct act act = {.method = "DELETE", .path = "/api/v1/jobs/*", .show = NULL};

        return act_on_words(c, &act, NULL);
}

/* One job, with a body. */
static enum exit_code change(struct cli *c, struct bytes body)
{
        const struct act act = {
                .method = "PATCH", .path = "/api/v1/jobs/*", .body = body, .show = show_moved};

        return act_on(c, &act, cli_word(c, 0));
}

enum exit_code command_reschedule(struct cli *c)
{
        const char *at = cli_option(c, "at"), *in = cli_option(c, "in");
        struct err e = {0};
        msec delay = 0;
        AUTO_BUFFER body = {0};

        if ((at == NULL) == (in == NULL))
                return cli_fail(c, EXIT_USAGE, "give either --at TIME or --in DURATION");
        if (in != NULL && duration_parse(in, &delay, &e) < 0)
                return cli_fail(c, EXIT_USAGE, "--in: %s", e.text);
        if (delay > JOB_DELAY_MAX)
                return cli_fail(c, EXIT_USAGE, "--in: must be at most 365d");
        json_begin(&body);
        if (at != NULL)
                json_put_string(&body, "run_at", at);
        else
                json_put_time(&body, "run_at", clock_wall() + delay);
        json_end(&body);
        return change(c, buffer_bytes(&body));
}

enum exit_code command_priority(struct cli *c)
{
        const char *text = cli_word(c, 1);
        bool digit = strlen(text) == 1 && *text >= '0' && *text <= '3';
        enum priority priority;
        AUTO_BUFFER body = {0};

        if (!digit && !priority_parse(bytes_of_text(text), &priority))
                return cli_fail(c, EXIT_USAGE, "NAME must be critical, high, medium or low");
        json_begin(&body);
        if (digit)
                json_put_int(&body, "priority", *text - '0');
        else
                json_put_string(&body, "priority", text);
        json_end(&body);
        return change(c, buffer_bytes(&body));
}
