/* SPDX-License-Identifier: Apache-2.0
 *
 * batch.c: submits the jobs of a file, a request after another. Every job has a key, so a request
 * whose answer did not come is sent again, also by a later run, and makes no job twice.
 */
#include "ui/cli/batch.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/base/uuid.h"
#include "ui/cli/api.h"
#include "ui/cli/batch_answer.h"
#include "ui/cli/batch_chunk.h"
#include "ui/cli/batch_output.h"
#include "ui/cli/batch_source.h"
#include "ui/cli/batch_state.h"

enum { STEP_MS = 100, WHY_SIZE = 160 };
/* A request that takes longer is told. */
#define ANSWER_PATIENCE ((msec)2 * MSEC_SECOND)
#define RESTART_ADVICE \
        "--restart alone submits every job again. To submit those that were not accepted in the\n" \
        "  last 24 hours, with each job in its place"

struct batch {
        struct cli *c;
        const char *path;
        struct batch_source *source;
        char *state_path; /* NULL: the input cannot be read again */
        struct batch_state state;
        msec earlier; /* since when an earlier run may have sent jobs of the first chunk; else 0 */
        struct batch_chunk chunk;
        struct batch_refusals refusals;
        struct batch_counts counts; /* without the chunk's */
        struct batch_progress progress;
        struct batch_pace pace;
        msec asked; /* when the request was sent; monotonic */
};

/* Why the open jobs are sent again, and after what time. */
struct pause {
        msec wait;
        char why[WHY_SIZE];
};

static bool is_interrupted(void)
{
        return *cli_interrupt() != 0;
}

static enum exit_code check_options(const struct cli *c)
{
        const struct arguments *a = &c->arguments;

        if (a->word_count > 0)
                return cli_fail(c, EXIT_USAGE, "--batch takes no TYPE: each job has its own");
        for (int i = 0; i < a->given_count; i++) {
                const struct option *o = a->given[i].option;
                if (o->member != NULL && strcmp(o->name, "key") != 0)
                        return cli_fail(c, EXIT_USAGE,
                                        "--%s cannot be given with --batch: it is a member of "
                                        "each job, \"%s\"",
                                        o->name, o->member);
        }
        if (cli_has(c, "wait"))
                return cli_fail(c, EXIT_USAGE, "--wait cannot be given with --batch");
        if (cli_has(c, "restart") && cli_has(c, "dry-run"))
                return cli_fail(c, EXIT_USAGE, "--restart and --dry-run exclude each other");
        const char *wrong = cli_has(c, "key") ? batch_key_fault(cli_option(c, "key")) : "";
        if (*wrong != '\0')
                return cli_fail(c, EXIT_USAGE, "--key with --batch %s", wrong);
        return EXIT_DONE;
}

static void make_key(char out[BATCH_KEY_SIZE])
{
        unsigned char raw[16];

        random_fill(raw, sizeof(raw));
        for (size_t i = 0; i < sizeof(raw); i++)
                snprintf(out + 2 * i, 3, "%02x", raw[i]);
}

/* The state of a file that another run has begun, or of a new one. */
static int load_state(struct batch *b, struct err *e)
{
        const char *key = cli_option(b->c, "key");
        AUTO_BUFFER url = {0};
        struct batch_state now = {.size = batch_source_size(b->source),
                                  .changed = batch_source_changed(b->source),
                                  .since = clock_wall()};
        int found = 0;

        batch_add_url(b->c->settings.url, &url);
        if (url.length >= sizeof(now.url))
                return err_set(e, ERR_INVALID, "the gateway's URL is longer than %d bytes",
                               BATCH_URL_SIZE - 1);
        snprintf(now.url, sizeof(now.url), "%s", url.data);
        snprintf(now.key, sizeof(now.key), "%s", key != NULL ? key : "");
        if (b->state_path != NULL && !cli_has(b->c, "restart"))
                found = batch_state_load(b->state_path, &b->state, e);
        if (found < 0)
                return -1;
        if (found > 0 && batch_state_check(&b->state, &now, e) < 0)
                return err_wrap(e, "%s", b->path);
        if (found > 0) {
                b->earlier = b->state.since;
                memcpy(b->state.url, now.url, sizeof(now.url));
        } else {
                b->state = now;
        }
        if (b->state.key[0] == '\0')
                make_key(b->state.key);
        return 0;
}

static int save_state(const struct batch *b, struct err *e)
{
        return b->state_path == NULL ? 0 : batch_state_save(b->state_path, &b->state, e);
}

/* Without locks it goes on: a process that comes later finds the keys of the first one. */
static int lock_source(const struct batch *b, struct err *e)
{
        struct err why = {0};

        if (batch_source_lock(b->source, &why) == 0)
                return 0;
        if (why.code == ERR_CONFLICT)
                return err_set(e, why.code, "%s", why.text);
        cli_note(b->c, "warning: %s. Let no other process submit this file meanwhile", why.text);
        return 0;
}

static int open_batch(struct batch *b, struct err *e)
{
        const char *refused = cli_option(b->c, "refused");

        b->chunk.dry = cli_has(b->c, "dry-run");
        b->source = batch_source_open(b->path, b->c->stop, e);
        if (b->source == NULL)
                return -1;
        bool file = batch_source_is_file(b->source), noted = file && !b->chunk.dry;
        if (noted) {
                b->state_path = xasprintf("%s.warren-batch", b->path);
                if (lock_source(b, e) < 0)
                        return -1;
        }
        batch_refusals_init(&b->refusals, refused, noted ? b->path : NULL);
        if (refused != NULL && batch_source_is(b->source, refused))
                return err_set(e, ERR_INVALID, "--refused is the file of the jobs itself");
        if (batch_refusals_check(&b->refusals, e) < 0 || load_state(b, e) < 0)
                return -1;
        b->refusals.again = b->state.refused > 0;
        b->counts = (struct batch_counts){.accepted = (uint64_t)b->state.accepted,
                                          .earlier = (uint64_t)b->state.accepted,
                                          .refused = (uint64_t)b->state.refused,
                                          .size = file ? (uint64_t)b->state.size : 0};
        return 0;
}

/* Says what to do about a state that does not fit. */
static enum exit_code fail_to_open(const struct batch *b, const struct err *e)
{
        AUTO_BUFFER command = {0};
        const struct batch_state *s = &b->state;

        if (e->code != ERR_CONFLICT || s->key[0] == '\0')
                return cli_fail(b->c, EXIT_USAGE, "%s", e->text);
        batch_add_command(b->c, true, s->key, &command);
        return batch_stopped(b->c,
                             &(struct batch_counts){.accepted = (uint64_t)s->accepted,
                                                    .refused = (uint64_t)s->refused},
                             &b->refusals,
                             &(struct batch_end){.code = EXIT_USAGE,
                                                 .why = e->text,
                                                 .next = RESTART_ADVICE,
                                                 .command = command.data,
                                                 .key = s->key});
}

static struct batch_counts counts_now(const struct batch *b)
{
        struct batch_counts now = b->counts;
        const struct batch_chunk *chunk = &b->chunk;

        now.accepted += chunk->accepted;
        now.replayed += chunk->replayed;
        now.refused += chunk->refused;
        now.answered += chunk->accepted + chunk->refused;
        return now;
}

/* Says how far it came and how to go on; the state, or else the key, is what a later run needs. */
static enum exit_code stop_with(struct batch *b, enum exit_code code, const char *why)
{
        AUTO_BUFFER command = {0};
        bool noted = b->state_path != NULL, dry = b->chunk.dry;

        batch_progress_clear(&b->progress);
        batch_add_command(b->c, false, noted ? NULL : b->state.key, &command);
        const char *next = noted ? "to go on" : "to go on, with the same input";
        return batch_stopped(b->c, &b->counts, &b->refusals,
                             &(struct batch_end){.code = code,
                                                 .dry = dry,
                                                 .why = why,
                                                 .next = dry ? NULL : next,
                                                 .command = dry ? NULL : command.data,
                                                 .key = b->state.key});
}

/* All of the input was submitted, up to its fault if it has one. A corrected input is submitted
 * with the same key. So the state of a run with refused jobs stays: the same command, which has no
 * key, would make all jobs of a corrected file. */
static enum exit_code finish(struct batch *b, const char *fault)
{
        AUTO_BUFFER command = {0};
        bool noted = b->state_path != NULL, wrong = fault != NULL || b->counts.refused > 0;
        struct batch_end end = {
                .code = EXIT_REFUSED, .dry = b->chunk.dry, .why = fault, .key = b->state.key};
        struct err e = {0};

        b->state.since = 0; /* every job has its answer */
        if (noted && !wrong) {
                unlink(b->state_path);
                batch_refusals_delete(&b->refusals);
        } else if (save_state(b, &e) < 0) {
                return stop_with(b, EXIT_REFUSED, e.text);
        }
        if (wrong && !b->chunk.dry) {
                batch_add_command(b->c, noted, b->state.key, &command);
                end.command = command.data;
                end.next = "The accepted jobs have keys. Correct the input, with each job in its "
                           "place. Then this\n  submits what was not accepted in the last 24 hours";
        }
        return fault != NULL ? batch_stopped(b->c, &b->counts, &b->refusals, &end)
                             : batch_summary(b->c, &b->counts, &b->refusals, &end);
}

/* While a request takes long. */
static void show_waiting(void *owner)
{
        struct batch *b = owner;

        if (clock_mono() - b->asked < ANSWER_PATIENCE)
                return;
        struct batch_counts counts = counts_now(b);
        batch_progress_show(&b->progress, &counts, "waits for the gateway");
}

static enum exit_code stop_interrupted(struct batch *b)
{
        return stop_with(b, EXIT_INTERRUPTED, "interrupted");
}

static void pause_for(struct batch *b, const struct pause *pause)
{
        msec until = clock_mono() + pause->wait;

        for (msec now; (now = clock_mono()) < until && !is_interrupted();) {
                struct batch_counts counts = counts_now(b);
                AUTO_BUFFER text = {0};
                buffer_printf(&text, "again in %lld s: %s",
                              (long long)((until - now + MSEC_SECOND - 1) / MSEC_SECOND),
                              pause->why);
                batch_progress_show(&b->progress, &counts, text.data);
                poll(NULL, 0, until - now < STEP_MS ? (int)(until - now) : STEP_MS);
        }
}

/* No answer, or a refusal of the request as a whole. EXIT_DONE: it is sent again. */
static enum exit_code take_failure(struct batch *b, const struct http_call *call,
                                   const struct http_reply *reply, const struct err *e,
                                   struct pause *pause)
{
        bool away = e->code == ERR_UNAVAILABLE || e->code == ERR_TIMEOUT;

        if (is_interrupted())
                return stop_interrupted(b);
        if (!away && (reply->status == 0 || !batch_is_temporary(reply->status))) {
                batch_progress_clear(&b->progress);
                return stop_with(b,
                                 err_is_set(e) ? cli_fail_err(b->c, e)
                                               : api_refusal(b->c, API_USER, call, reply),
                                 NULL);
        }
        if (reply->retry_after > pause->wait)
                pause->wait = reply->retry_after;
        AUTO_BUFFER why = {0};
        if (err_is_set(e))
                buffer_add_text(&why, e->text);
        else
                api_explain(reply, (struct bytes){0}, &why);
        snprintf(pause->why, sizeof(pause->why), "%s", why.data);
        return EXIT_DONE;
}

static enum exit_code take_answer(struct batch *b, const struct http_reply *reply,
                                  unsigned *failures, struct pause *pause)
{
        struct chunk_answer answer = {0};
        struct err e = {0};

        int taken = batch_chunk_take(&b->chunk, api_value(reply), &answer, &e);
        if (answer.settled > 0)
                *failures = 0;
        msec paced = batch_pace(&b->pace, answer.wait, answer.made);
        if ((answer.settled > 0 && answer.wait > 0) || paced > pause->wait)
                pause->wait = paced;
        snprintf(pause->why, sizeof(pause->why), "%s",
                 answer.why.data != NULL ? answer.why.data : "the gateway read no more");
        buffer_fini(&answer.why);
        if (taken < 0)
                return stop_with(b, e.code == ERR_INVALID ? EXIT_REFUSED : EXIT_UNREACHABLE,
                                 e.text);
        return EXIT_DONE;
}

/* Sends the open jobs once. *failures: how many times in a row nothing was settled. */
static enum exit_code send_open(struct batch *b, unsigned *failures, struct pause *pause)
{
        bool array = batch_source_is_array(b->source);
        AUTO_BUFFER body = {0};
        AUTO_REPLY reply = {0};
        struct err e = {0};

        batch_chunk_request(&b->chunk, b->state.key, array, clock_wall(), &body);
        const struct http_call call = {
                .method = "POST",
                .path = b->chunk.dry ? "/api/v1/jobs/batch?dry_run=true" : "/api/v1/jobs/batch",
                .body = buffer_bytes(&body),
                .content_type = array ? "application/json" : "application/x-ndjson"};
        *pause = (struct pause){.wait = batch_pause(++*failures)};
        b->asked = clock_mono();
        if (api_ask(b->c, API_USER, &call, &reply, &e) < 0 || reply.status < 200 ||
            reply.status > 299)
                return take_failure(b, &call, &reply, &e, pause);
        return take_answer(b, &reply, failures, pause);
}

/* Takes the settled jobs out of the chunk. The refused ones are written before the state: a run
 * that is killed between the two writes them again. */
static int close_settled(struct batch *b, struct err *e)
{
        AUTO_BUFFER refused = {0};
        struct chunk_settled settled;

        batch_chunk_take_settled(&b->chunk, &settled, &refused);
        if (b->refusals.path == NULL && refused.length > 0)
                batch_progress_clear(&b->progress);
        if (batch_refusals_write(&b->refusals, buffer_bytes(&refused), e) < 0)
                return -1;
        b->counts.accepted += settled.accepted;
        b->counts.replayed += settled.replayed;
        b->counts.refused += settled.refused;
        b->counts.answered += settled.accepted + settled.refused;
        if (settled.last != 0) {
                b->state.done = (int64_t)settled.last;
                b->counts.read = settled.end;
        }
        b->state.accepted = (int64_t)b->counts.accepted;
        b->state.refused = (int64_t)b->counts.refused;
        b->state.since = batch_chunk_since(&b->chunk);
        if (b->chunk.count == 0) {
                b->state.since = clock_wall(); /* the next jobs are about to be sent */
                b->earlier = 0;
                batch_progress_show(&b->progress, &b->counts, NULL);
        }
        return save_state(b, e);
}

/* The state says that jobs have keys before the first of them is sent. */
static int note_sending(struct batch *b, struct err *e)
{
        if (b->state.since != 0)
                return 0;
        b->state.since = clock_wall();
        return save_state(b, e);
}

/* Whether jobs that are sent again now could be made twice. */
static bool is_too_late(const struct batch *b)
{
        msec since = batch_chunk_unknown_since(&b->chunk);

        return since != 0 && clock_wall() - since > BATCH_KEY_GOOD;
}

/* Sends the chunk until each of its jobs is accepted or refused. */
static enum exit_code submit_chunk(struct batch *b)
{
        unsigned failures = 0;
        struct pause pause;
        struct err e = {0};

        b->pace.made = 0;
        while (batch_chunk_open(&b->chunk) > 0) {
                if (is_interrupted())
                        return stop_interrupted(b);
                if (is_too_late(b))
                        return stop_with(b, EXIT_UNREACHABLE,
                                         "for 23 h it stayed unknown whether jobs were accepted");
                if (note_sending(b, &e) < 0)
                        return stop_with(b, EXIT_REFUSED, e.text);
                enum exit_code code = send_open(b, &failures, &pause);
                if (code != EXIT_DONE)
                        return code;
                if (close_settled(b, &e) < 0)
                        return stop_with(b, EXIT_REFUSED, e.text);
                if (batch_chunk_open(&b->chunk) > 0)
                        pause_for(b, &pause);
        }
        /* Without an open job, all of them too large, nothing was sent. */
        if (b->chunk.count > 0 && close_settled(b, &e) < 0)
                return stop_with(b, EXIT_REFUSED, e.text);
        return EXIT_DONE;
}

/* Reads jobs up to a full chunk, or as many as came without a wait. *last becomes why it stopped.
 */
static void fill_chunk(struct batch *b, enum batch_read *last, struct err *e)
{
        struct batch_place place;

        while (!batch_chunk_is_full(&b->chunk)) {
                *last = batch_source_next(b->source, &place, e);
                if (*last == BATCH_READ_LATER && !is_interrupted() && b->chunk.count == 0)
                        continue;
                if (*last != BATCH_READ_JOB)
                        return;
                if ((int64_t)place.number <= b->state.done)
                        b->counts.begun = b->counts.read = place.end;
                else
                        batch_chunk_add(&b->chunk, &place, b->earlier);
        }
}

/* All jobs of the input. A fault of the input is told after the jobs before it were submitted. */
static enum exit_code submit_all(struct batch *b)
{
        enum batch_read last = BATCH_READ_JOB;
        struct err fault = {0};

        while (last == BATCH_READ_JOB || last == BATCH_READ_LATER) {
                fill_chunk(b, &last, &fault);
                if (is_interrupted() && last != BATCH_READ_END)
                        return stop_interrupted(b);
                if (b->chunk.count == 0)
                        continue;
                enum exit_code code = submit_chunk(b);
                if (code != EXIT_DONE)
                        return code;
        }
        batch_progress_clear(&b->progress);
        if (last == BATCH_READ_FAILED && fault.code != ERR_INVALID)
                return stop_with(b, EXIT_REFUSED, fault.text);
        return finish(b, last == BATCH_READ_FAILED ? fault.text : NULL);
}

static void batch_fini(struct batch *b)
{
        batch_source_destroy(&b->source);
        batch_chunk_fini(&b->chunk);
        batch_refusals_fini(&b->refusals);
        free(b->state_path);
}

enum exit_code batch_submit(struct cli *c)
{
        struct batch b = {.c = c, .path = cli_option(c, "batch")};
        struct err e = {0};
        enum exit_code code = check_options(c);

        if (code != EXIT_DONE)
                return code;
        c->stop = cli_interrupt();
        c->waiting = show_waiting;
        c->waiting_owner = &b;
        cli_catch_interrupts();
        if (open_batch(&b, &e) < 0) {
                code = fail_to_open(&b, &e);
        } else if (save_state(&b, &e) < 0) {
                code = cli_fail(c, EXIT_USAGE,
                                "%s\n  without that file, with a KEY of your own: "
                                "warren submit --batch - --key KEY < FILE",
                                e.text);
        } else {
                batch_progress_begin(&b.progress, !c->json);
                code = submit_all(&b);
        }
        batch_fini(&b);
        if (code == EXIT_INTERRUPTED)
                cli_pass_interrupt_on();
        return code;
}
