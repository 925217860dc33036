/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_chunk.c: the jobs of one request of a batch.
 */
#include "ui/cli/batch_chunk.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/memory.h"
#include "ui/cli/batch_answer.h"
#include "ui/cli/view.h"

#define TOO_LARGE \
        "{\"type\":\"about:blank\",\"title\":\"Content Too Large\",\"status\":413," \
        "\"detail\":\"the job is larger than 4 MiB\"}"

void batch_chunk_clear(struct batch_chunk *c)
{
        for (size_t i = 0; i < c->count; i++)
                free(c->jobs[i].problem);
        buffer_clear(&c->texts);
        c->count = c->accepted = c->replayed = c->refused = 0;
}

void batch_chunk_fini(struct batch_chunk *c)
{
        batch_chunk_clear(c);
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
        job->problem = problem;
        c->refused++;
}

void batch_chunk_add(struct batch_chunk *c, const struct batch_place *p)
{
        assert(!batch_chunk_is_full(c));
        struct chunk_job *job = &c->jobs[c->count++];

        *job = (struct chunk_job){
                .place = *p, .begin = c->texts.length, .length = p->text.length, .open = true};
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

void batch_chunk_request(struct batch_chunk *c, const char *key, bool array, struct buffer *body)
{
        const char *separator = array ? "[\n" : "";
        unsigned line = array ? 2 : 1;

        for (size_t i = 0; i < c->count; i++) {
                struct chunk_job *job = &c->jobs[i];
                if (!job->open)
                        continue;
                struct batch_place *p = &job->place;
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

/* False: the entry is of no job. */
static bool take_entry(struct batch_chunk *c, struct chunk_job *job, struct scan_value entry,
                       struct chunk_answer *out)
{
        switch (batch_judge(entry, &out->wait)) {
        case BATCH_REPLAYED:
                c->replayed++;
                /* fall through */
        case BATCH_ACCEPTED:
                c->accepted++;
                job->open = false;
                out->settled++;
                return true;
        case BATCH_REFUSED:
                take_refusal(c, job, entry);
                out->settled++;
                return true;
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

void batch_chunk_refused(const struct batch_chunk *c, struct buffer *out)
{
        for (size_t i = 0; i < c->count; i++) {
                if (c->jobs[i].problem == NULL)
                        continue;
                struct batch_place place = c->jobs[i].place;
                place.text = text_of(c, &c->jobs[i]);
                batch_job_refused(&place, bytes_of_text(c->jobs[i].problem), out);
        }
}
