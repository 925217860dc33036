/* SPDX-License-Identifier: Apache-2.0
 *
 * batch.c: a batch of submissions, read while it arrives: each job is accepted or refused on its
 * own, and the answer, given at the end, says what became of each.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/json_write.h"
#include "common/http/body.h"
#include "gateway/access.h"
#include "gateway/batch_jobs.h"
#include "gateway/handlers.h"
#include "gateway/idempotency_key.h"

enum { KEY_BASE_MAX = 250 /* of JOB_KEY_SIZE - 1; "/999" follows */ };

static const char cut_type[] = "urn:warren:problem:batch-ended";

struct batch {
        struct gateway *g;
        struct http_request *r;
        bool dry_run;
        enum split_form form;
        char key[JOB_KEY_SIZE]; /* of the header; "": not given */
        struct json_split split;
        struct batch_jobs *jobs;
        size_t count;       /* of the jobs read */
        struct refusal cut; /* why no more is read; status 0: all was read so far */
};

/* False: this piece has no more. */
static bool follow(struct batch *b, enum split_step step)
{
        bool is_job = step == SPLIT_ELEMENT || step == SPLIT_TOO_LARGE;

        if (is_job && b->count == BATCH_JOBS_MAX)
                return refusal_set(&b->cut, REFUSED_INVALID, 413,
                                   "a batch has at most %d jobs: send those from here on, which "
                                   "were not read, in another batch",
                                   BATCH_JOBS_MAX);
        switch (step) {
        case SPLIT_ELEMENT:
                b->count++;
                batch_jobs_add(b->jobs, &b->split.element);
                return true;
        case SPLIT_TOO_LARGE:
                b->count++;
                batch_jobs_add_large(b->jobs, &b->split.element, b->split.element_max);
                return true;
        case SPLIT_BROKEN:
                return refusal_set_fault(&b->cut, 400, &b->split.fault);
        case SPLIT_NEED:
        case SPLIT_DONE:
                return false;
        }
        return false;
}

static void read_piece(struct batch *b, struct bytes piece)
{
        size_t used = 0;

        while (follow(b, json_split_feed(&b->split, piece, &used)))
                piece = bytes_of(piece.data + used, piece.length - used);
        batch_jobs_flush(b->jobs);
}

static void read_end(struct batch *b)
{
        while (follow(b, json_split_end(&b->split)))
                ;
}

/* Every job that was read whole has ended when it returns. */
static enum body_piece read_all(struct batch *b)
{
        AUTO_BUFFER piece = {0};
        enum body_piece end;

        do {
                buffer_clear(&piece);
                end = http_body_next(b->r, &piece);
                read_piece(b, buffer_bytes(&piece));
        } while (end == PIECE_MORE && b->cut.status == 0);
        if (end == PIECE_END && b->cut.status == 0)
                read_end(b);
        batch_jobs_finish(b->jobs);
        return end;
}

/* The text is no array, or its array breaks before the first job. */
static void explain_form(struct batch *b)
{
        struct scan_fault fault = b->split.fault;

        snprintf(fault.detail, sizeof(fault.detail),
                 "%.100s: with this Content-Type the body must be an array of jobs; for a job in "
                 "each line it is application/x-ndjson",
                 b->split.fault.detail);
        (void)refusal_set_fault(&b->cut, 400, &fault);
}

static void answer_empty(struct batch *b, enum body_piece end)
{
        if (b->cut.has_fault)
                explain_form(b);
        if (b->cut.status != 0)
                refusal_answer(&b->cut, b->r);
        else if (end != PIECE_END)
                http_body_refuse(b->r, end);
        else
                http_problem(b->r, 422, "there is no job in the body");
}

static void set_cut(struct batch *b, enum body_piece end)
{
        char text[128];

        if (b->cut.status == 0 && end != PIECE_END) {
                int status = http_body_problem(b->r, end, text, sizeof(text));
                (void)refusal_set(&b->cut, REFUSED_INVALID, status, "%s", text);
        }
        if (b->cut.status == 0)
                return;
        b->cut.type = cut_type;
        batch_results_cut(batch_jobs_results(b->jobs), &b->cut);
}

static void answer(struct batch *b, enum body_piece end)
{
        AUTO_BUFFER body = {0};

        if (b->count == 0) {
                answer_empty(b, end);
                return;
        }
        set_cut(b, end);
        batch_results_write(batch_jobs_results(b->jobs), &body);
        json_end(&body);
        if (!b->dry_run && b->cut.status == 0 && batch_jobs_all_replay(b->jobs))
                http_add_header(b->r, "Idempotent-Replayed", "true");
        http_answer(b->r, b->dry_run ? 200 : 202, "application/json", buffer_bytes(&body));
}

static void run(struct batch *b)
{
        const struct batch_jobs_config c = {.g = b->g,
                                            .own = access_caller(b->r)->tenant,
                                            .key = b->key,
                                            .traceparent = http_traceparent(b->r),
                                            .lines = b->form == SPLIT_LINES,
                                            .dry_run = b->dry_run};

        b->jobs = batch_jobs_create(&c);
        json_split_init(&b->split, b->form, (size_t)b->g->settings->payload_max + SUBMISSION_EXTRA);
        answer(b, read_all(b));
        json_split_fini(&b->split);
        batch_jobs_destroy(&b->jobs);
}

static bool read_form(struct http_request *r, enum split_form *form)
{
        static const struct {
                const char *type;
                enum split_form form;
        } forms[] = {{"application/json", SPLIT_ARRAY},
                     {"application/x-ndjson", SPLIT_LINES},
                     {"application/jsonl", SPLIT_LINES}};
        const char *type = http_header(r, "Content-Type");

        for (size_t i = 0; type != NULL && i < sizeof(forms) / sizeof(forms[0]); i++) {
                if (media_type_is(bytes_of_text(type), forms[i].type)) {
                        *form = forms[i].form;
                        return true;
                }
        }
        http_problem(r, 415,
                     "Content-Type must be application/json (an array), "
                     "application/x-ndjson or application/jsonl");
        return false;
}

static bool read_key(struct batch *b)
{
        const char *header = http_header(b->r, "Idempotency-Key");
        struct refusal why = {0};
        struct err e = {0};

        if (header == NULL)
                return true;
        if (idempotency_key_parse(header, b->key, &e) == 0 && strlen(b->key) > KEY_BASE_MAX)
                err_set(&e, ERR_INVALID,
                        "the header Idempotency-Key: for a batch it has at most "
                        "%d characters",
                        KEY_BASE_MAX);
        if (!err_is_set(&e))
                return true;
        (void)refusal_set(&why, REFUSED_INVALID, 400, "%s", e.text);
        refusal_answer(&why, b->r);
        return false;
}

static bool enter(struct gateway *g, struct http_request *r)
{
        struct err e = {0};

        if (tenant_places_take(g->batch_places, access_caller(r)->tenant, &e) == 0)
                return true;
        http_hurry(r);
        http_problem_err(r, &e);
        return false;
}

void batch_handle(void *owner, struct http_request *r)
{
        struct gateway *g = owner;
        struct batch b = {.g = g, .r = r};

        if (!submit_query(r, &b.dry_run) || !read_form(r, &b.form) || !read_key(&b) || !enter(g, r))
                return;
        run(&b);
        tenant_places_return(g->batch_places, access_caller(r)->tenant);
}
