/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_jobs.c: a group of jobs is judged, then claimed, then published, one after another.
 */
#include "gateway/batch_jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/base/json_write.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "gateway/accepted.h"
#include "gateway/batch_slots.h"
#include "gateway/batch_trial.h"
#include "gateway/judge.h"
#include "gateway/judge_key.h"

/* When every slot is taken, ENDED_MIN jobs must end before the next one is added: to wait for each
 * of them would cost a wake each. */
enum { GROUP_MAX = 64, ENDED_MIN = 64, ROOM_WAIT = 5 * MSEC_SECOND };

struct batch_jobs {
        struct batch_jobs_config config;
        struct batch_slots *slots;
        struct batch_results *results;
        struct batch_trial *trial;           /* NULL: no dry run */
        struct batch_slot *group[GROUP_MAX]; /* judged, not yet published */
        unsigned grouped;
        bool no_room;                     /* the last job has waited for room in vain */
        struct claim_ask asks[GROUP_MAX]; /* of the group's jobs with keys, in order */
        struct claim_answer answers[GROUP_MAX];
        size_t count, replayed; /* jobs */
};

struct batch_jobs *batch_jobs_create(const struct batch_jobs_config *c)
{
        struct batch_jobs *b = xcalloc(1, sizeof(*b));

        b->config = *c;
        b->slots = batch_slots_create(c->g);
        b->results = batch_results_create();
        if (c->dry_run)
                b->trial = batch_trial_create();
        return b;
}

void batch_jobs_destroy(struct batch_jobs **batch)
{
        struct batch_jobs *b = TAKE(*batch);

        if (b == NULL)
                return;
        batch_trial_destroy(&b->trial);
        batch_results_destroy(&b->results);
        batch_slots_destroy(&b->slots);
        free(b);
}

struct batch_results *batch_jobs_results(struct batch_jobs *b)
{
        return b->results;
}

bool batch_jobs_all_replay(const struct batch_jobs *b)
{
        return b->replayed == b->count;
}

static struct trial_count *count_of(struct batch_jobs *b, const struct batch_slot *slot)
{
        return batch_trial_count(b->trial, slot->tenant.name);
}

static void refuse(struct batch_jobs *b, struct batch_slot *slot, const struct refusal *why)
{
        if (b->trial == NULL)
                refusal_count(why, &b->config.g->meters, slot->dispatch.job.tenant);
        batch_results_refuse(b->results, slot->at.index, why);
        batch_slots_free(b->slots, slot);
}

/* The place of why's fault, if it has one, is that in the job's own text. */
static void refuse_at(struct batch_jobs *b, struct batch_slot *slot, struct refusal *why)
{
        if (why->has_fault)
                split_element_locate(&slot->at, &why->fault);
        refuse(b, slot, why);
}

static void accept_ended(struct batch_jobs *b, struct batch_slot *slot)
{
        const struct dispatch *d = &slot->dispatch;
        struct buffer *out = batch_results_accept(b->results, slot->at.index);

        accepted_write(&d->job, d->scheduled, out);
        if (d->end == DISPATCH_TOLD_LATE)
                json_put_flag(out, "told", false);
        json_end(out);
        batch_slots_free(b->slots, slot);
}

static void accept_replay(struct batch_jobs *b, struct batch_slot *slot, bool scheduled)
{
        const struct job *job = &slot->dispatch.job;
        struct buffer *out = batch_results_accept(b->results, slot->at.index);

        b->replayed++;
        if (b->trial != NULL) {
                accepted_write_dry(job, scheduled, out);
                json_put_string(out, "replays", job->id);
        } else {
                accepted_write(job, scheduled, out);
                json_put_flag(out, "replayed", true);
        }
        json_end(out);
        batch_slots_free(b->slots, slot);
}

static void accept_trial(struct batch_jobs *b, struct batch_slot *slot)
{
        const struct job *job = &slot->dispatch.job;
        struct buffer *out = batch_results_accept(b->results, slot->at.index);

        count_of(b, slot)->pending++;
        accepted_write_dry(job, accepted_is_scheduled(job, clock_wall()), out);
        json_end(out);
        batch_slots_free(b->slots, slot);
}

/* Takes over the results of jobs that have ended; waits for `want` of them. */
static void collect(struct batch_jobs *b, unsigned want)
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

/* After a wait in vain the next jobs do not wait, until one finds room. */
static bool dispatch(struct batch_jobs *b, struct batch_slot *slot, struct refusal *why)
{
        dispatch_init(&slot->dispatch, b->config.traceparent);
        slot->dispatch.room_until = clock_mono() + (b->no_room ? 0 : ROOM_WAIT);
        bool begun = batch_slots_dispatch(b->slots, slot, why);
        b->no_room = !begun && why->reason == REFUSED_WINDOW;
        return begun;
}

static bool has_key(const struct batch_slot *slot)
{
        return slot->dispatch.job.key[0] != '\0';
}

static void return_token(struct batch_jobs *b, const struct batch_slot *slot)
{
        if (slot->held != NULL)
                return;
        if (b->trial != NULL)
                count_of(b, slot)->admitted--;
        else
                limiter_return(b->config.g->limiter, slot->tenant.name);
}

static void end_unpublished(struct batch_jobs *b, const struct batch_slot *slot)
{
        const struct job *job = &slot->dispatch.job;

        if (b->trial != NULL)
                count_of(b, slot)->admitted--;
        else if (has_key(slot))
                claims_end(b->config.g->claims, job->tenant, job->key, slot->dispatch.holder,
                           CLAIM_RELEASE);
}

/* A job with a token of its rate, and its claim if it has a key. */
static void publish(struct batch_jobs *b, struct batch_slot *slot)
{
        const struct judge_limits limits = {.tenant = &slot->tenant,
                                            .trial = b->trial != NULL,
                                            .before = b->trial != NULL ? count_of(b, slot)->pending
                                                                       : 0};
        struct refusal why = {0};

        if (!judge_backlog(b->config.g, &limits, &why)) {
                end_unpublished(b, slot);
                refuse(b, slot, &why);
        } else if (b->trial != NULL) {
                accept_trial(b, slot);
        } else if (!dispatch(b, slot, &why)) {
                refuse(b, slot, &why);
        }
}

/* To a dry run an earlier job of the batch is in flight. */
static void note_trial(struct batch_jobs *b, const struct batch_slot *slot, struct claim_answer *a)
{
        const struct job *job = &slot->dispatch.job;

        if (b->trial == NULL || a->state != CLAIM_NONE || slot->held != NULL || slot->late != NULL)
                return;
        const char *hash = batch_trial_key(b->trial, job);
        if (hash == NULL)
                return;
        a->state = strcmp(hash, job->key_hash) == 0 ? CLAIM_IN_FLIGHT : CLAIM_REUSED;
        a->retry = MSEC_SECOND;
}

/* Its key is new. One over the rate stays in the group, and is judged again. */
static void follow_held(struct batch_jobs *b, struct batch_slot *slot)
{
        if (slot->held->reason == REFUSED_RATE)
                b->group[b->grouped++] = slot;
        else
                refuse_at(b, slot, slot->held);
}

static void follow_claim(struct batch_jobs *b, struct batch_slot *slot, struct claim_answer *a)
{
        struct dispatch *d = &slot->dispatch;
        struct refusal why = {0};

        note_trial(b, slot, a);
        if (a->state == CLAIM_NONE && slot->held != NULL) {
                follow_held(b, slot);
                return;
        }
        if (a->state == CLAIM_NONE && slot->late != NULL) {
                return_token(b, slot);
                refuse_at(b, slot, slot->late);
                return;
        }
        d->publish_by = a->publish_by;
        d->taken = a->taken;
        d->scheduled = a->scheduled;
        switch (judge_key(a, slot->at.text, &d->job, &why)) {
        case KEY_GRANTED:
                publish(b, slot);
                return;
        case KEY_REPLAYS:
                return_token(b, slot);
                accept_replay(b, slot, a->scheduled);
                return;
        case KEY_REFUSED:
                return_token(b, slot);
                refuse_at(b, slot, &why);
                return;
        }
}

/* One call for all keys of the group: a call for each would be a write to disk for each. */
static int claim_group(struct batch_jobs *b, struct err *e)
{
        msec now = clock_wall();
        size_t count = 0;

        for (unsigned i = 0; i < b->grouped; i++) {
                struct batch_slot *slot = b->group[i];
                if (!has_key(slot))
                        continue;
                uuid7(slot->dispatch.holder);
                b->asks[count] = judge_key_ask(&slot->dispatch.job, slot->dispatch.holder, now);
                b->asks[count].known = slot->late != NULL;
                b->asks[count++].look = slot->held != NULL || b->trial != NULL;
        }
        return count == 0 ? 0 : claims_ask(b->config.g->claims, b->asks, b->answers, count, e);
}

/* Leaves those in the group that are over the rate, if their keys are new. */
static void follow_group(struct batch_jobs *b)
{
        struct err e = {0};
        bool claimed = claim_group(b, &e) == 0;
        unsigned count = b->grouped;
        size_t at = 0;

        b->grouped = 0;
        for (unsigned i = 0; i < count; i++) {
                struct batch_slot *slot = b->group[i];
                struct refusal why = {0};
                if (!has_key(slot)) {
                        publish(b, slot);
                } else if (claimed) {
                        follow_claim(b, slot, &b->answers[at++]);
                } else {
                        return_token(b, slot);
                        (void)refusal_set(&why, REFUSED_KEYS, 503, "%s", e.text);
                        refuse(b, slot, &why);
                }
        }
}

static bool take_token(struct batch_jobs *b, const struct batch_slot *slot, struct refusal *why)
{
        struct trial_count *c = b->trial != NULL ? count_of(b, slot) : NULL;
        const struct judge_limits limits = {
                .tenant = &slot->tenant, .trial = c != NULL, .before = c != NULL ? c->admitted : 0};
        struct allowance a;

        if (!judge_links(b->config.g, why) || !judge_rate(b->config.g, &limits, &a, why))
                return false;
        if (c != NULL)
                c->admitted++;
        return true;
}

static void judge_again(struct batch_jobs *b)
{
        unsigned count = b->grouped;

        b->grouped = 0;
        for (unsigned i = 0; i < count; i++) {
                struct batch_slot *slot = b->group[i];
                struct refusal why = {0};
                if (take_token(b, slot, &why)) {
                        free(TAKE(slot->held));
                        b->group[b->grouped++] = slot;
                } else {
                        refuse(b, slot, &why);
                }
        }
}

/* Jobs that replay take tokens until the answers about their keys give these back, and then others
 * get them. If not, a batch that is sent again could have so many replays that no other job of it
 * ever got one. */
static void publish_group(struct batch_jobs *b)
{
        follow_group(b);
        judge_again(b);
        follow_group(b);
}

static struct refusal *refusal_copy(const struct refusal *why)
{
        struct refusal *copy = xcalloc(1, sizeof(*why));

        *copy = *why;
        return copy;
}

/* The body is an array, sent as lines. */
static void explain_array(const struct batch_jobs *b, const struct split_element *first,
                          struct refusal *why)
{
        if (!b->config.lines || first->index != 0 || first->text.data[0] != '[')
                return;
        snprintf(why->fault.detail, sizeof(why->fault.detail),
                 "with this Content-Type each line must be a job; for an array of jobs it is "
                 "application/json");
        snprintf(why->detail, sizeof(why->detail), "%s", why->fault.detail);
}

static bool judge(struct batch_jobs *b, struct batch_slot *slot, struct refusal *why)
{
        char key[JOB_KEY_SIZE + 8];
        const struct judge_input in = {.body = slot->at.text,
                                       .own = b->config.own,
                                       .key = b->config.key[0] != '\0' ? key : NULL};

        snprintf(key, sizeof(key), "%s/%zu", b->config.key, slot->at.index);
        if (b->trial != NULL)
                metric_increment(b->config.g->meters.dry_runs, 1);
        if (!judge_read(b->config.g, &in, &slot->dispatch.job, &slot->tenant, why)) {
                if (!why->may_replay) {
                        explain_array(b, &slot->at, why);
                        return false;
                }
                slot->late = refusal_copy(why);
                *why = (struct refusal){0};
        }
        if (take_token(b, slot, why))
                return true;
        if (has_key(slot))
                slot->held = refusal_copy(why);
        return slot->held != NULL;
}

static struct batch_slot *slot_for(struct batch_jobs *b, const struct split_element *element)
{
        struct batch_slot *slot = batch_slots_take(b->slots, element);

        if (slot != NULL)
                return slot;
        collect(b, ENDED_MIN);
        return batch_slots_take(b->slots, element);
}

void batch_jobs_add(struct batch_jobs *b, const struct split_element *element)
{
        struct batch_slot *slot = slot_for(b, element);
        struct refusal why = {0};

        b->count++;
        if (judge(b, slot, &why))
                b->group[b->grouped++] = slot;
        else
                refuse_at(b, slot, &why);
        if (b->grouped == GROUP_MAX)
                publish_group(b);
}

void batch_jobs_add_large(struct batch_jobs *b, const struct split_element *element, size_t max)
{
        struct scan_fault fault = {.line = 1, .column = 1};
        struct refusal why = {0};

        snprintf(fault.detail, sizeof(fault.detail),
                 "the job is larger than %zu bytes: make its payload smaller (setting payload_max)",
                 max);
        b->count++;
        split_element_locate(element, &fault);
        (void)refusal_set_fault(&why, 413, &fault);
        if (b->trial == NULL)
                refusal_count(&why, &b->config.g->meters, "");
        else
                metric_increment(b->config.g->meters.dry_runs, 1);
        batch_results_refuse(b->results, element->index, &why);
}

void batch_jobs_flush(struct batch_jobs *b)
{
        publish_group(b);
        collect(b, 0); /* their texts are not needed any more */
}

void batch_jobs_finish(struct batch_jobs *b)
{
        publish_group(b);
        collect(b, BATCH_SLOTS_MAX);
}
