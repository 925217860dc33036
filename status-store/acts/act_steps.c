/* SPDX-License-Identifier: Apache-2.0
 *
 * act_steps.c: the steps of acts, each tried again until it is done.
 */
#include "status-store/acts/act_steps.h"

#include <stdlib.h>
#include <time.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "status-store/acts/act_lines.h"

enum {
        CHUNK_JOBS = 50, /* copies that are published at once */
        CHUNK_BYTES = 2 * 1024 * 1024,
        LINES_AT_ONCE = 100, /* of one message: well below MARK_MESSAGE_MAX */
        TRY_EVERY = 100,     /* ms */
};

int act_payload(struct reader *r, const struct job_row *row, struct buffer *out, struct err *e)
{
        AUTO_RESET *body =
                reader_query(r, payload_sql, DB_VALUES(value_int(job_body_place(row))), e);
        int found = db_step(body, e);
        if (found == 1 && out != NULL)
                buffer_set(out, db_bytes(body, 0));
        return found;
}

/* Copies that are published at once. A message borrows from its job and payload. */
struct chunk {
        struct job jobs[CHUNK_JOBS];
        struct job_message messages[CHUNK_JOBS];
        struct buffer payloads[CHUNK_JOBS];
        size_t count, bytes;
};

static void chunk_destroy(struct chunk **chunk)
{
        struct chunk *c = TAKE(*chunk);
        if (c == NULL)
                return;
        for (size_t i = 0; i < CHUNK_JOBS; i++)
                buffer_fini(&c->payloads[i]);
        free(c);
}

static int add_copy(struct chunk *c, struct reader *r, const struct act_job *a, bool again,
                    struct err *e)
{
        const struct intent *i = &a->intent;
        const struct act_plan plan = {.kind = i->kind,
                                      .run = i->run,
                                      .attempt = i->attempt,
                                      .run_at = i->run_at,
                                      .priority = i->priority,
                                      .moved = i->moved};
        struct buffer *payload = &c->payloads[c->count];
        struct job *job = &c->jobs[c->count];
        int found = act_payload(r, &a->job.row, payload, e);
        if (found < 0)
                return -1;
        if (found == 0)
                return err_set(e, ERR_NOT_FOUND, "the payload of job %s has gone", i->id);
        act_copy(&a->job.row, &plan, i->copy, buffer_bytes(payload), job);
        job->again = again;
        job_encode(job, i->kind == ACT_RETRY ? STATION_REPLAY : STATION_MOVE, clock_wall(),
                   &c->messages[c->count]);
        c->count++;
        c->bytes += payload->length;
        return 0;
}

/* Fills the chunk with the copies from `from` on. Returns the place after the last, or -1. */
static ssize_t fill_chunk(struct act_tools *t, const struct act_batch *b, size_t from,
                          struct chunk *c, struct err *e)
{
        AUTO_READER *reader = readers_take(t->readers, e);
        if (reader == NULL)
                return -1;
        size_t at = from;
        while (at < b->count && c->count < CHUNK_JOBS && c->bytes < CHUNK_BYTES) {
                if (act_publishes(b->all[at].intent.kind) &&
                    add_copy(c, reader, &b->all[at], b->again, e) != 0)
                        return -1;
                at++;
        }
        return (ssize_t)at;
}

struct progress {
        struct act_tools *tools;
        struct act_batch *batch;
        size_t done; /* of the step */
};
/* One piece of a step. 1: it is complete; 0: call again; -1. */
typedef int step_fn(struct progress *p, struct err *e);

static int publish_copies(struct progress *p, struct err *e)
{
        struct act_batch *b = p->batch;
        if (p->done == b->count)
                return 1;
        AUTO(chunk) c = xcalloc(1, sizeof(*c));
        ssize_t end = fill_chunk(p->tools, b, p->done, c, e);
        if (end < 0 || (c->count > 0 &&
                        operator_publish_jobs(p->tools->operator, c->messages, c->count, e) != 0))
                return -1;
        p->done = (size_t)end;
        return 0;
}

typedef void write_line_fn(const struct intent *i, struct buffer *out);

/* Returns the place after the last line. */
static size_t write_lines(const struct progress *p, write_line_fn *write, struct buffer *out)
{
        size_t at = p->done;
        for (size_t n = 0; at < p->batch->count && n < LINES_AT_ONCE; n++, at++)
                write(&p->batch->all[at].intent, out);
        return at;
}

static int publish_lines(struct progress *p, struct err *e)
{
        AUTO_BUFFER lines = {0};
        if (p->done == p->batch->count)
                return 1;
        size_t end = write_lines(p, act_write_event, &lines);
        if (operator_publish_lines(p->tools->operator, buffer_bytes(&lines), e) != 0)
                return -1;
        p->done = end;
        return 0;
}

static int publish_marks(struct progress *p, struct err *e)
{
        AUTO_BUFFER lines = {0};
        int64_t number = 0;
        if (p->done == p->batch->count)
                return 1;
        size_t end = write_lines(p, act_write_mark, &lines);
        if (operator_publish_marks(p->tools->operator, buffer_bytes(&lines), &number, e) != 0)
                return -1;
        p->batch->mark = number;
        p->done = end;
        return 0;
}

static int note_end(struct progress *p, struct err *e)
{
        struct act_tools *t = p->tools;
        const struct act_batch *b = p->batch;
        struct moved_terms terms;
        AUTO_FREE struct intent *all = xcalloc(b->count + 1, sizeof(*all));
        int64_t added = 0;
        moved_room_terms(t->moved, clock_wall(), &terms);
        for (size_t i = 0; i < b->count; i++)
                all[i] = b->all[i].intent;
        if (registry_end_acts(t->registry, all, b->count, &terms, &added, e) != 0)
                return -1;
        moved_room_add(t->moved, added);
        return 1;
}

/* Only what may come to pass by itself is tried again. */
static bool may_try_again(const struct progress *p, const struct err *why)
{
        bool passes =
                why->code == ERR_UNAVAILABLE || why->code == ERR_FULL || why->code == ERR_TIMEOUT;
        return passes && !atomic_load(&p->tools->closing) &&
               clock_mono() + TRY_EVERY < p->batch->deadline;
}

static int run_step(struct progress *p, step_fn *step, struct err *e)
{
        const struct timespec pause = {.tv_nsec = TRY_EVERY * 1000000L};
        p->done = 0;
        for (;;) {
                struct err why = {0};
                if (clock_mono() >= p->batch->deadline)
                        return err_set(e, ERR_TIMEOUT, "not done in time: it is ended later");
                int result = step(p, &why);
                if (result == 1)
                        return 0;
                if (result == 0)
                        continue;
                if (!may_try_again(p, &why))
                        return err_set(e, why.code, "%s", why.text);
                p->batch->again = true;
                nanosleep(&pause, NULL);
        }
}

int act_steps_run(struct act_tools *t, struct act_batch *b, struct err *e)
{
        static step_fn *const steps[] = {publish_copies, publish_lines, publish_marks, note_end};
        struct progress p = {.tools = t, .batch = b};
        b->mark = 0;
        for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
                if (run_step(&p, steps[i], e) != 0)
                        return -1;
        }
        return 0;
}
