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
#include "ui/cli/api.h"
#include "ui/cli/batch_answer.h"
#include "ui/cli/batch_chunk.h"
#include "ui/cli/batch_input.h"
#include "ui/cli/batch_output.h"

enum { STEP_MS = 100, WHY_SIZE = 160 };
/* A request that takes longer is told. */
#define ANSWER_PATIENCE ((msec)2 * MSEC_SECOND)
#define RESTART_ADVICE \
        "--restart alone submits every job again. To submit those that were not accepted in the\n" \
        "  last 24 hours, with each job in its place"
#define WITHOUT_STATE_ADVICE \
        "Without that file, this submits what was not accepted in the last 24 hours"

struct batch {
        struct cli *c;
        struct batch_input input;
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

static int open_batch(struct batch *b, struct err *e)
{
        struct batch_input *in = &b->input;
        const struct batch_state *s = &in->state;

        b->chunk.dry = cli_has(b->c, "dry-run");
        int opened = batch_input_open(in, b->c, e);
        batch_refusals_init(&b->refusals, cli_option(b->c, "refused"),
                            in->state_path != NULL ? in->path : NULL);
        if (opened < 0)
                return -1;
        const char *refused = b->refusals.path;
        if (refused != NULL && batch_source_is(in->source, refused))
                return err_set(e, ERR_INVALID,
                               "refused jobs cannot be written to %s: it is the file of the jobs "
                               "itself",
                               refused);
        if (batch_refusals_check(&b->refusals, in->path, e) < 0)
                return -1;
        b->refusals.again = s->refused > 0;
        b->counts = (struct batch_counts){
                .accepted = (uint64_t)s->accepted,
                .earlier = (uint64_t)s->accepted,
                .refused = (uint64_t)s->refused,
                .size = batch_source_is_file(in->source) ? (uint64_t)s->size : 0};
        return 0;
}

/* The file is no longer what the state is of. */
static enum exit_code stop_to_restart(const struct batch *b, const struct batch_counts *counts,
                                      const char *why)
{
        AUTO_BUFFER command = {0};
        const char *key = b->input.state.key;
        bool dry = b->chunk.dry;

        batch_add_command(b->c, BATCH_RESTART, key, &command);
        return batch_stopped(b->c, counts, &b->refusals,
                             &(struct batch_end){.code = EXIT_USAGE,
                                                 .dry = dry,
                                                 .why = why,
                                                 .next = dry ? NULL : RESTART_ADVICE,
                                                 .command = dry ? NULL : command.data,
                                                 .key = key});
}

/* The state cannot be written. Jobs of an earlier run have the key of the state that was read. */
static enum exit_code stop_without_state(const struct batch *b, const char *why)
{
        AUTO_BUFFER command = {0};
        const char *key = b->input.state.key;

        batch_add_command(b->c, BATCH_FROM_STANDARD_INPUT, key, &command);
        return batch_stopped(b->c, &b->counts, &b->refusals,
                             &(struct batch_end){.code = EXIT_USAGE,
                                                 .why = why,
                                                 .next = WITHOUT_STATE_ADVICE,
                                                 .command = command.data,
                                                 .key = key});
}

/* Says what to do about a state that does not fit. */
static enum exit_code fail_to_open(const struct batch *b, const struct err *e)
{
        const struct batch_state *s = &b->input.state;

        if (e->code != ERR_CONFLICT || s->key[0] == '\0')
                return cli_fail(b->c, EXIT_USAGE, "%s", e->text);
        return stop_to_restart(b,
                               &(struct batch_counts){.accepted = (uint64_t)s->accepted,
                                                      .refused = (uint64_t)s->refused},
                               e->text);
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
        bool noted = b->input.state_path != NULL, dry = b->chunk.dry;

        batch_progress_clear(&b->progress);
        batch_add_command(b->c, BATCH_AGAIN_AS_GIVEN, noted ? NULL : b->input.state.key, &command);
        const char *next = noted ? "to go on" : "to go on, with the same input";
        struct batch_counts counts = counts_now(b);
        return batch_stopped(b->c, &counts, &b->refusals,
                             &(struct batch_end){.code = code,
                                                 .dry = dry,
                                                 .why = why,
                                                 .next = dry ? NULL : next,
                                                 .command = dry ? NULL : command.data,
                                                 .key = b->input.state.key});
}

/* All of the input was submitted, up to its fault if it has one. A corrected input is submitted
 * with the same key. So the state of a run with refused jobs stays: the same command, which has no
 * key, would make all jobs of a corrected file. */
static enum exit_code finish(struct batch *b, const char *fault)
{
        AUTO_BUFFER command = {0};
        bool noted = b->input.state_path != NULL, wrong = fault != NULL || b->counts.refused > 0;
        struct batch_end end = {
                .code = EXIT_REFUSED, .dry = b->chunk.dry, .why = fault, .key = b->input.state.key};
        struct err e = {0};

        b->input.state.since = 0; /* every job has its answer */
        if (noted && !wrong) {
                unlink(b->input.state_path);
                batch_refusals_delete(&b->refusals);
        } else if (batch_input_save(&b->input, &e) < 0) {
                return stop_with(b, EXIT_REFUSED, e.text);
        }
        if (wrong && !b->chunk.dry) {
                batch_add_command(b->c, noted ? BATCH_RESTART : BATCH_AGAIN_AS_GIVEN,
                                  b->input.state.key, &command);
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
        pause->wait = batch_chunk_pause(&b->chunk, &answer, &b->pace, pause->wait);
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
        bool array = batch_source_is_array(b->input.source);
        AUTO_BUFFER body = {0};
        AUTO_REPLY reply = {0};
        struct err e = {0};

        batch_chunk_request(&b->chunk, b->input.state.key, array, clock_wall(), &body);
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
                b->input.state.done = (int64_t)settled.last;
                b->counts.read = settled.end;
        }
        b->input.state.accepted = (int64_t)b->counts.accepted;
        b->input.state.refused = (int64_t)b->counts.refused;
        b->input.state.since = batch_chunk_since(&b->chunk);
        if (b->chunk.count == 0) {
                b->input.state.since = clock_wall(); /* the next jobs are about to be sent */
                b->input.earlier = 0;
                batch_progress_show(&b->progress, &b->counts, NULL);
        }
        return batch_input_save(&b->input, e);
}

/* The state says that jobs have keys before the first of them is sent. */
static int note_sending(struct batch *b, struct err *e)
{
        if (b->input.state.since != 0)
                return 0;
        b->input.state.since = clock_wall();
        return batch_input_save(&b->input, e);
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
                *last = batch_source_next(b->input.source, &place, e);
                if (*last == BATCH_READ_LATER && !is_interrupted() && b->chunk.count == 0)
                        continue;
                if (*last != BATCH_READ_JOB)
                        return;
                if ((int64_t)place.number <= b->input.state.done)
                        b->counts.begun = b->counts.read = place.end;
                else
                        batch_chunk_add(&b->chunk, &place, b->input.earlier);
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
        if (fault.code == ERR_CONFLICT)
                return stop_to_restart(b, &b->counts, fault.text);
        if (last == BATCH_READ_FAILED && fault.code != ERR_INVALID)
                return stop_with(b, EXIT_REFUSED, fault.text);
        return finish(b, last == BATCH_READ_FAILED ? fault.text : NULL);
}

static void batch_fini(struct batch *b)
{
        batch_input_fini(&b->input);
        batch_chunk_fini(&b->chunk);
        batch_refusals_fini(&b->refusals);
}

enum exit_code batch_submit(struct cli *c)
{
        struct batch b = {.c = c};
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
        } else if (batch_input_save(&b.input, &e) < 0) {
                code = stop_without_state(&b, e.text);
        } else {
                batch_progress_begin(&b.progress, !c->json);
                code = submit_all(&b);
        }
        c->waiting = NULL;
        c->waiting_owner = NULL;
        batch_fini(&b);
        if (code == EXIT_INTERRUPTED)
                cli_pass_interrupt_on();
        return code;
}
