/* SPDX-License-Identifier: Apache-2.0
 *
 * watch.c: follows one job, or all, by polling. A terminal is redrawn; elsewhere each change is a
 * line.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/base/uuid.h"
#include "ui/cli/jobs.h"

enum { PAUSE_MS = 500, SEEN_MAX = 10000, ROWS_DEFAULT = 20 };
#define RECENT_PATH "/api/v1/jobs?limit=100"
#define CLEAR_SCREEN "\x1b[H\x1b[2J"
#define WRAP_OFF "\x1b[?7l"
#define WRAP_ON "\x1b[?7h"

static bool is_interrupted(void)
{
        return *cli_interrupt() != 0;
}

/* Adds the members of a job whose change is printed as a line. */
static void add_state(struct scan_value job, struct buffer *out)
{
        static const char *const paths[] = {"status", "run", "attempt", "progress.value", "worker"};

        for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
                buffer_add_char(out, ' ');
                view_add(job, paths[i], out);
        }
}

static void add_line(const struct cli *c, struct scan_value job, struct buffer *out)
{
        char now[TIME_TEXT_SIZE];
        static const char *const paths[] = {"id", "tenant", "type"};
        AUTO_BUFFER text = {0};
        AUTO_BUFFER progress = {0};

        if (c->json) {
                show_json(out, job.raw);
                buffer_add_char(out, '\n');
                return;
        }
        buffer_printf(out, "%s", time_format(clock_wall(), now));
        for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
                buffer_add_text(&text, "  ");
                if (!view_add(job, paths[i], &text))
                        buffer_add_char(&text, '-');
        }
        buffer_add_text(&text, "  ");
        view_add(job, "status", &text);
        buffer_add_text(&text, "  try ");
        view_add(job, "attempt", &text);
        if (view_is(job, "status", "running") && view_add_progress(job, &progress)) {
                buffer_add_text(&text, "  ");
                buffer_add(&text, progress.data, progress.length);
        }
        if (view_is(job, "status", "failed") || view_is(job, "status", "dead")) {
                buffer_add_text(&text, "  ");
                if (!view_add(job, "error", &text))
                        view_add(job, "reason", &text);
        }
        show_text(out, buffer_bytes(&text));
        buffer_add_char(out, '\n');
}

/* Clears the screen and prints picture. */
static enum exit_code draw(const struct cli *c, const struct buffer *picture)
{
        AUTO_BUFFER out = {0};

        buffer_add_text(&out, CLEAR_SCREEN);
        buffer_add(&out, picture->data, picture->length);
        return cli_print(c, buffer_bytes(&out));
}

/* The last printed state of each job. */
struct seen {
        char id[UUID_SIZE];
        char *state;
        UT_hash_handle hh;
};

static void forget(struct seen **all)
{
        struct seen *at, *next;

        HASH_ITER (hh, *all, at, next) {
                HASH_DEL(*all, at);
                free(at->state);
                free(at);
        }
}

/* True when the job is new or its state differs. Remembers the state. */
static bool has_changed(struct seen **all, struct scan_value job)
{
        char id[UUID_SIZE];
        struct seen *known = NULL;
        AUTO_BUFFER text = {0};
        AUTO_BUFFER state = {0};

        view_add(job, "id", &text);
        if (!uuid_parse(buffer_bytes(&text), id))
                return false;
        add_state(job, &state);
        HASH_FIND_STR(*all, id, known);
        if (known != NULL && strcmp(known->state, state.data) == 0)
                return false;
        if (known == NULL) {
                known = xcalloc(1, sizeof(*known));
                memcpy(known->id, id, sizeof(id));
                HASH_ADD_STR(*all, id, known);
        }
        free(known->state);
        known->state = buffer_take(&state);
        return true;
}

/* *ended gets whether it has; then the exit code is the job's. */
static enum exit_code watch_one(struct cli *c, const char *path, struct seen **all, bool *ended)
{
        AUTO_BUFFER out = {0};
        AUTO_REPLY reply = {0};
        enum exit_code code = api_get(c, API_USER, path, &reply);
        struct scan_value job = api_value(&reply);

        if (code != EXIT_DONE)
                return code;
        if (c->terminal && !c->json) {
                job_show(c, job, &out);
                code = draw(c, &out);
        } else if (has_changed(all, job)) {
                add_line(c, job, &out);
                code = cli_print(c, buffer_bytes(&out));
        }
        *ended = code == EXIT_DONE && view_job_has_ended(job);
        return *ended ? job_verdict(job) : code;
}

/* Jobs that ended before the watch began are not printed. */
static void remember_ended(struct scan_value jobs, struct seen **all)
{
        struct scan_item item;

        for (struct scan_cursor at = scan_items(jobs); scan_next(&at, &item);) {
                if (view_job_has_ended(item.value))
                        (void)has_changed(all, item.value);
        }
}

/* Bounds memory. Keeps the jobs of the last answer, so that they are not printed again. */
static void forget_old(struct scan_value jobs, struct seen **all)
{
        struct scan_item item;

        if (HASH_COUNT(*all) <= SEEN_MAX)
                return;
        forget(all);
        for (struct scan_cursor at = scan_items(jobs); scan_next(&at, &item);)
                (void)has_changed(all, item.value);
}

/* An answer lists the newest first; lines are printed oldest first. */
static enum exit_code print_changes(const struct cli *c, struct scan_value jobs, struct seen **all)
{
        struct scan_item item;
        AUTO_BUFFER out = {0};

        for (struct scan_cursor at = scan_items(jobs); scan_next(&at, &item);) {
                AUTO_BUFFER line = {0};
                if (!has_changed(all, item.value))
                        continue;
                add_line(c, item.value, &line);
                buffer_add(&line, out.data, out.length);
                buffer_set(&out, buffer_bytes(&line));
        }
        forget_old(jobs, all);
        return cli_print(c, buffer_bytes(&out));
}

/* There are three lines above the jobs, and the cursor's line below. The terminal cuts wider lines,
 * so that each job takes one row. */
static enum exit_code draw_recent(const struct cli *c, struct scan_value jobs)
{
        struct scan_item item;
        char now[TIME_TEXT_SIZE];
        size_t room = c->height == 0 ? ROWS_DEFAULT : c->height > 5 ? c->height - 4 : 1;
        AUTO_BUFFER out = {0};
        AUTO(table) t = view_table(job_columns);

        for (struct scan_cursor at = scan_items(jobs);
             table_rows(t) < room && scan_next(&at, &item);)
                view_row(t, job_columns, item.value, clock_wall());
        buffer_add_text(&out, WRAP_OFF);
        buffer_printf(&out, "newest jobs at %s; Ctrl-C to end\n\n", time_format(clock_wall(), now));
        table_render(t, c->width, c->colours, &out);
        buffer_add_text(&out, WRAP_ON);
        return draw(c, &out);
}

static enum exit_code watch_all(struct cli *c, struct seen **all, bool began)
{
        struct scan_value jobs;
        AUTO_REPLY reply = {0};
        enum exit_code code = api_get(c, API_USER, RECENT_PATH, &reply);

        if (code != EXIT_DONE || !view_find(api_value(&reply), "jobs", &jobs))
                return code;
        if (c->terminal && !c->json)
                return draw_recent(c, jobs);
        if (!began)
                remember_ended(jobs, all);
        return print_changes(c, jobs, all);
}

/* After a first answer, an unreachable gateway or a limit is waited out. A refusal ends the
 * watch. */
static bool goes_on(enum exit_code code, bool began)
{
        return code == EXIT_DONE || (began && (code == EXIT_UNREACHABLE || code == EXIT_LIMITED));
}

enum exit_code command_watch(struct cli *c)
{
        const char *id = cli_word(c, 0);
        AUTO_FREE char *path = id == NULL ? NULL : api_path("/api/v1/jobs/*", id);
        struct seen *all = NULL;
        enum exit_code code = EXIT_DONE;
        bool ended = false;

        if (id != NULL && job_check_id(c, id) != EXIT_DONE)
                return EXIT_NOT_FOUND;
        cli_catch_interrupts();
        /* Ends after Ctrl-C, or once the output has no reader. */
        for (bool began = false; !is_interrupted() && cli_has_reader(); began = true) {
                code = path != NULL ? watch_one(c, path, &all, &ended) : watch_all(c, &all, began);
                if (ended || !goes_on(code, began))
                        break;
                poll(NULL, 0, PAUSE_MS);
        }
        forget(&all);
        if (is_interrupted() && !ended)
                cli_pass_interrupt_on();
        return code;
}
