/* SPDX-License-Identifier: Apache-2.0
 *
 * batch.c: a batch of submissions, read while it arrives: each job is judged and dispatched on its
 * own, and the answer, given at the end, says what became of each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/base/json_write.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/http/body.h"
#include "gateway/accepted.h"
#include "gateway/access.h"
#include "gateway/batch_results.h"
#include "gateway/batch_slots.h"
#include "gateway/handlers.h"
#include "gateway/judge.h"

/* Jobs are judged in groups, then published. When every slot is taken, so many must end before the
 * next job is read: each wait for one of them would cost a wake. */
enum { GROUP_MAX = 64, ENDED_MIN = 64 };
enum { THREADS_PER_BATCH = 8, ROOM_WAIT = 5 * MSEC_SECOND };

static const char cut_type[] = "urn:warren:problem:batch-ended";

/* The jobs of a tenant that a dry run has accepted. */
struct trial_count {
        char tenant[TENANT_SIZE];
        unsigned jobs;
};

struct batch {
        struct gateway *g;
        struct http_request *r;
        bool dry_run;
        struct json_split split;
        size_t count; /* of the jobs read */
        struct batch_slots *slots;
        struct batch_results *results;
        struct batch_slot *group[GROUP_MAX]; /* judged, not yet published */
        unsigned grouped;
        msec room_until;            /* jobs wait for room in the window so long */
        struct refusal cut;         /* status 0: all was read so far */
        struct trial_count *trials; /* NULL: no dry run */
        size_t trial_count;
};

static void refuse(struct batch *b, struct batch_slot *slot, const struct refusal *why)
{
        if (!b->dry_run)
                refusal_count(why, &b->g->meters, slot->dispatch.job.tenant);
        batch_results_refuse(b->results, slot->at.index, why);
        batch_slots_free(b->slots, slot);
}

static void accept_ended(struct batch *b, struct batch_slot *slot)
{
        const struct dispatch *d = &slot->dispatch;
        struct buffer *out = batch_results_accept(b->results, slot->at.index);

        accepted_write(&d->job, d->published, out);
        if (d->end == DISPATCH_TOLD_LATE)
                json_put_flag(out, "told", false);
        json_end(out);
        batch_slots_free(b->slots, slot);
}

/* Takes over the results of jobs that have ended; waits for `want` of them. */
static void collect(struct batch *b, unsigned want)
{
        struct batch_slot *ended = batch_slots_ended(b->slots, want), *slot, *next;

        LL_FOREACH_SAFE (ended, slot, next) {
                struct refusal why = {0};
                if (dispatch_outcome(&slot->dispatch, &why))
                        accept_ended(b, slot);
                else
                        refuse(b, slot, &why);
        }
}

/* A window without room for ROOM_WAIT refuses the rest of the batch without waiting for each. */
static bool dispatch(struct batch *b, struct batch_slot *slot, struct refusal *why)
{
        if (!judge_backlog(b->g, &slot->tenant, why))
                return false;
        dispatch_init(&slot->dispatch, http_traceparent(b->r));
        slot->dispatch.room_until = b->room_until;
        if (!batch_slots_dispatch(b->slots, slot, why))
                return false;
        b->room_until = clock_mono() + ROOM_WAIT;
        return true;
}

static void dispatch_group(struct batch *b)
{
        for (unsigned i = 0; i < b->grouped; i++) {
                struct refusal why = {0};
                if (!dispatch(b, b->group[i], &why))
                        refuse(b, b->group[i], &why);
        }
        b->grouped = 0;
}

static struct trial_count *trial_of(struct batch *b, const char *tenant)
{
        for (size_t i = 0; i < b->trial_count; i++) {
                if (strcmp(b->trials[i].tenant, tenant) == 0)
                        return &b->trials[i];
        }
        struct trial_count *c = &b->trials[b->trial_count++];
        snprintf(c->tenant, sizeof(c->tenant), "%s", tenant);
        return c;
}

static bool judge_trial(struct batch *b, struct batch_slot *slot, struct refusal *why)
{
        struct trial_count *c = trial_of(b, slot->tenant.name);
        const struct judge_trial trial = {.tenant = &slot->tenant, .before = c->jobs};
        struct allowance a;

        if (!judge_limits(b->g, &trial, &a, why))
                return false;
        c->jobs++;
        accepted_write_dry(&slot->dispatch.job, clock_wall(),
                           batch_results_accept(b->results, slot->at.index));
        batch_slots_free(b->slots, slot);
        return true;
}

static bool judge_real(struct batch *b, struct batch_slot *slot, struct refusal *why)
{
        struct allowance a;

        if (!judge_rate(b->g, &slot->tenant, &a, why))
                return false;
        b->group[b->grouped++] = slot;
        return true;
}

static bool judge(struct batch *b, struct batch_slot *slot, struct refusal *why)
{
        const struct judge_input in = {.body = slot->at.text, .own = access_caller(b->r)->tenant};

        if (b->dry_run)
                metric_increment(b->g->meters.dry_runs, 1);
        if (!judge_read(b->g, &in, &slot->dispatch.job, &slot->tenant, why)) {
                if (why->has_fault)
                        split_element_locate(&slot->at, &why->fault);
                return false;
        }
        return b->dry_run ? judge_trial(b, slot, why) : judge_real(b, slot, why);
}

static struct batch_slot *slot_for(struct batch *b, const struct split_element *element)
{
        struct batch_slot *slot = batch_slots_take(b->slots, element);

        if (slot != NULL)
                return slot;
        collect(b, ENDED_MIN);
        return batch_slots_take(b->slots, element);
}

static void take(struct batch *b, const struct split_element *element)
{
        struct batch_slot *slot = slot_for(b, element);
        struct refusal why = {0};

        if (!judge(b, slot, &why))
                refuse(b, slot, &why);
        if (b->grouped == GROUP_MAX)
                dispatch_group(b);
}

static void refuse_large(struct batch *b, const struct split_element *element)
{
        struct scan_fault fault = {.line = 1, .column = 1};
        struct refusal why = {0};

        snprintf(fault.detail, sizeof(fault.detail), "is larger than %zu bytes",
                 b->split.element_max);
        split_element_locate(element, &fault);
        (void)refusal_set_fault(&why, 413, &fault);
        if (!b->dry_run)
                refusal_count(&why, &b->g->meters, "");
        batch_results_refuse(b->results, element->index, &why);
}

/* False: this piece has no more. */
static bool follow(struct batch *b, enum split_step step)
{
        bool is_job = step == SPLIT_ELEMENT || step == SPLIT_TOO_LARGE;

        if (is_job && b->count == BATCH_JOBS_MAX)
                return refusal_set(&b->cut, REFUSED_INVALID, 413, "a batch has at most %d jobs",
                                   BATCH_JOBS_MAX);
        switch (step) {
        case SPLIT_ELEMENT:
                b->count++;
                take(b, &b->split.element);
                return true;
        case SPLIT_TOO_LARGE:
                b->count++;
                refuse_large(b, &b->split.element);
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
        dispatch_group(b);
        collect(b, 0); /* their texts are not needed any more */
}

static void read_end(struct batch *b)
{
        while (follow(b, json_split_end(&b->split)))
                ;
        dispatch_group(b);
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
        collect(b, BATCH_SLOTS_MAX);
        return end;
}

static void answer_empty(struct batch *b, enum body_piece end)
{
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
        batch_results_cut(b->results, &b->cut);
}

static void answer(struct batch *b, enum body_piece end)
{
        AUTO_BUFFER body = {0};

        if (b->count == 0) {
                answer_empty(b, end);
                return;
        }
        set_cut(b, end);
        batch_results_write(b->results, &body);
        json_end(&body);
        http_answer(b->r, b->dry_run ? 200 : 202, "application/json", buffer_bytes(&body));
}

static void run(struct batch *b, enum split_form form)
{
        b->room_until = clock_mono() + ROOM_WAIT;
        json_split_init(&b->split, form, (size_t)b->g->settings->payload_max + SUBMISSION_EXTRA);
        b->slots = batch_slots_create(b->g);
        b->results = batch_results_create();
        if (b->dry_run)
                b->trials = xcalloc(BATCH_JOBS_MAX, sizeof(*b->trials));
        answer(b, read_all(b));
        free(b->trials);
        batch_results_destroy(&b->results);
        batch_slots_destroy(&b->slots);
        json_split_fini(&b->split);
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

static bool has_no_key(struct gateway *g, struct http_request *r)
{
        struct refusal why = {0};

        if (http_header(r, "Idempotency-Key") == NULL)
                return true;
        (void)refusal_set(&why, REFUSED_INVALID, 422,
                          "the header Idempotency-Key is not supported by this version");
        refusal_count(&why, &g->meters, "");
        refusal_answer(&why, r);
        return false;
}

/* Others keep threads for single requests. */
static bool enter(struct gateway *g, struct http_request *r)
{
        int64_t most = g->settings->threads / THREADS_PER_BATCH;

        if (atomic_fetch_add(&g->batches, 1) < (most > 1 ? most : 1))
                return true;
        atomic_fetch_sub(&g->batches, 1);
        http_problem(r, 503, "too many batches are being read");
        return false;
}

void batch_handle(void *owner, struct http_request *r)
{
        struct gateway *g = owner;
        AUTO_FREE struct batch *b = xcalloc(1, sizeof(*b));
        enum split_form form;

        b->g = g;
        b->r = r;
        if (!submit_query(r, &b->dry_run) || !read_form(r, &form) || !has_no_key(g, r) ||
            !enter(g, r))
                return;
        run(b, form);
        atomic_fetch_sub(&g->batches, 1);
}
