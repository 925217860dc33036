/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_chunk.c: the jobs of one request of a batch.
 */
#include "ui/cli/batch_chunk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "ui/cli/view.h"

#define TOO_LARGE \
        "{\"type\":\"about:blank\",\"title\":\"Content Too Large\",\"status\":413," \
        "\"detail\":\"the job is larger than 4 MiB\"}"

void batch_chunk_fini(struct batch_chunk *c)
{
        for (size_t i = 0; i < c->count; i++)
                free(c->jobs[i].problem);
        c->count = 0;
        buffer_fini(&c->texts);
}

bool batch_chunk_is_full(const struct batch_chunk *c)
{
        return c->count == CHUNK_JOBS || c->texts.length >= CHUNK_BYTES;
}

size_t batch_chunk_open(const struct batch_chunk *c)
{
        return c->count - c->accepted - c->refused;
}

static void refuse(struct batch_chunk *c, struct chunk_job *job, char *problem)
{
        job->open = false;
        job->since = 0;
        job->problem = problem;
        c->refused++;
}

void batch_chunk_add(struct batch_chunk *c, const struct batch_place *p, msec since)
{
        assert(!batch_chunk_is_full(c));
        struct chunk_job *job = &c->jobs[c->count++];

        *job = (struct chunk_job){.place = *p,
                                  .begin = c->texts.length,
                                  .length = p->text.length,
                                  .open = true,
                                  .since = since};
        if (p->text.data == NULL)
                refuse(c, job, xstrdup(TOO_LARGE));
        else
                buffer_add(&c->texts, p->text.data, p->text.length);
}

static struct bytes text_of(const struct batch_chunk *c, const struct chunk_job *job)
{
        return job->place.text.data == NULL ? job->place.text
                                            : bytes_of(c->texts.data + job->begin, job->length);
}

static unsigned line_breaks(struct bytes text)
{
        unsigned count = 0;

        for (size_t i = 0; i < text.length; i++)
                count += text.data[i] == '\n';
        return count;
}

void batch_chunk_request(struct batch_chunk *c, const char *key, bool array, msec now,
                         struct buffer *body)
{
        const char *separator = array ? "[\n" : "";
        unsigned line = array ? 2 : 1;

        for (size_t i = 0; i < c->count; i++) {
                struct chunk_job *job = &c->jobs[i];
                if (!job->open)
                        continue;
                struct batch_place *p = &job->place;
                if (job->since == 0)
                        job->since = now;
                p->text = text_of(c, job);
                p->sent_line = line;
                p->sent_column = 1;
                buffer_add_text(body, separator);
                batch_job_add(p->text, key, p->number, body, &p->key);
                line += 1 + line_breaks(p->text);
                separator = array ? ",\n" : "\n";
        }
        buffer_add_text(body, array ? "\n]\n" : "\n");
}

static void take_refusal(struct batch_chunk *c, struct chunk_job *job, struct scan_value entry)
{
        struct scan_value problem;
        struct buffer text = {0};

        if (view_find(entry, "problem", &problem))
                batch_job_problem(&job->place, problem, &text);
        refuse(c, job, buffer_take(&text));
}

static void note_why(struct scan_value entry, struct chunk_answer *out)
{
        if (out->why.length == 0 && !view_add(entry, "problem.detail", &out->why))
                view_add(entry, "problem.title", &out->why);
}

static void accept(struct batch_chunk *c, struct chunk_job *job, struct chunk_answer *out)
{
        c->accepted++;
        job->open = false;
        out->settled++;
}

/* False: the entry is of no job. */
static bool take_entry(struct batch_chunk *c, struct chunk_job *job, struct scan_value entry,
                       struct chunk_answer *out)
{
        switch (batch_judge(entry, c->dry, &out->wait)) {
        case BATCH_REPLAYED:
                job->replayed = true;
                c->replayed++;
                accept(c, job, out);
                return true;
        case BATCH_ACCEPTED:
                accept(c, job, out);
                out->made++;
                return true;
        case BATCH_REFUSED:
                take_refusal(c, job, entry);
                out->settled++;
                return true;
        case BATCH_LIMITED:
                job->since = 0;
                out->limited++;
                /* fall through */
        case BATCH_AGAIN:
                note_why(entry, out);
                return true;
        case BATCH_ENDED:
                buffer_clear(&out->why);
                note_why(entry, out);
                return false;
        }
        return false;
}

/* The gateway stopped to read before it had read all. *entry: why. */
static int take_end(struct scan_value entry, size_t answered, const struct chunk_answer *out,
                    struct err *e)
{
        if (answered > 0 || batch_is_temporary((int)view_int(entry, "problem.status")))
                return 0;
        return err_set(e, ERR_INVALID, "the gateway read no job of the request: %.200s",
                       out->why.data != NULL ? out->why.data : "it does not say why");
}

int batch_chunk_take(struct batch_chunk *c, struct scan_value answer, struct chunk_answer *out,
                     struct err *e)
{
        struct scan_value list;
        struct scan_item entry;
        size_t answered = 0;

        if (!view_find(answer, "jobs", &list) || list.kind != SCAN_ARRAY)
                return err_set(e, ERR_PROTOCOL, "the gateway's answer has no list of jobs");
        struct scan_cursor at = scan_items(list);
        for (size_t i = 0; i < c->count; i++) {
                if (!c->jobs[i].open)
                        continue;
                if (!scan_next(&at, &entry))
                        return err_set(e, ERR_PROTOCOL, "the gateway's answer lacks jobs");
                if (!take_entry(c, &c->jobs[i], entry.value, out))
                        return take_end(entry.value, answered, out, e);
                answered++;
        }
        return 0;
}

msec batch_chunk_pause(const struct batch_chunk *c, const struct chunk_answer *answer,
                       struct batch_pace *pace, msec pause)
{
        bool only_limited = answer->limited == batch_chunk_open(c);
        msec wait = only_limited ? batch_pace(pace, answer->wait, answer->made) : answer->wait;

        return (answer->settled > 0 && wait > 0) || wait > pause ? wait : pause;
}

static void take_one(struct batch_chunk *c, const struct chunk_job *job, struct chunk_settled *out,
                     struct buffer *refused)
{
        out->last = job->place.number;
        out->end = job->place.end;
        if (job->problem == NULL) {
                out->accepted++;
                out->replayed += job->replayed;
                return;
        }
        struct batch_place place = job->place;
        place.text = text_of(c, job);
        batch_job_refused(&place, bytes_of_text(job->problem), refused);
        free(job->problem);
        out->refused++;
}

void batch_chunk_take_settled(struct batch_chunk *c, struct chunk_settled *out,
                              struct buffer *refused)
{
        size_t n = 0;

        *out = (struct chunk_settled){0};
        for (; n < c->count && !c->jobs[n].open; n++)
                take_one(c, &c->jobs[n], out, refused);
        c->count -= n;
        memmove(c->jobs, c->jobs + n, c->count * sizeof(c->jobs[0]));
        c->accepted -= out->accepted;
        c->replayed -= out->replayed;
        c->refused -= out->refused;
        if (c->count == 0)
                buffer_clear(&c->texts);
}

/* The earlier of two times. A time of 0 is unset. */
static msec earlier(msec a, msec b)
{
        return a == 0 || (b != 0 && b < a) ? b : a;
}

msec batch_chunk_unknown_since(const struct batch_chunk *c)
{
        msec since = 0;

        for (size_t i = 0; i < c->count; i++)
                since = earlier(since, c->jobs[i].open ? c->jobs[i].since : 0);
        return since;
}

msec batch_chunk_since(const struct batch_chunk *c)
{
        msec since = 0;

        for (size_t i = 0; i < c->count; i++)
                since = earlier(since, c->jobs[i].since);
        return since;
}
