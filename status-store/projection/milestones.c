/* SPDX-License-Identifier: Apache-2.0
 *
 * milestones.c: what a job adds to the statistics.
 */
#include "status-store/projection/milestones.h"

struct milestones milestones_of(const struct job_row *row)
{
        bool introduced = job_row_is_introduced(row);
        bool completed = row->shown && row->status == STATUS_COMPLETED;
        return (struct milestones){
                .submitted = introduced && !job_row_is_doubtful(row),
                .waited = introduced && row->start.run != 0,
                .completed = completed,
                .passed = introduced && completed,
                .dead = row->shown && row->status == STATUS_DEAD,
        };
}

/* When it could first have started; 0: unknown. */
static msec due_time(const struct job_row *row)
{
        const struct job_facts *facts = row->facts;
        const struct job_hint *hint = job_row_hint(row);
        bool delayed = false;
        msec run_at = 0;
        if (facts != NULL) {
                delayed = facts->wait.run == row->winner.run && row->failure.run != row->winner.run;
                run_at = facts->run_at;
        } else if (hint != NULL) {
                delayed = row->hint_key.run == row->winner.run;
                run_at = hint->run_at;
        }
        return delayed && run_at > row->created_at ? run_at : row->created_at;
}

/* When it was submitted, as the gateway says. Nobody checks the claim of a job from outside: that
 * one counts when it came. */
static msec submission_time(const struct job_change *c)
{
        const struct event *e = c->event;
        msec came = c->clock > 0 ? c->clock : c->now;
        bool outside = e->has_job && e->job.from_outside;
        return outside || c->row->born == 0 || c->row->born > came ? came : c->row->born;
}

static void count_of_type(struct tally *t, const struct job_change *c, enum type_count what)
{
        const struct tally_type of = {c->tenant, c->type, c->event->at, c->now};
        tally_type(t, &of, what);
        if (what == TYPE_COMPLETED)
                tally_type_duration(t, &of, c->event->ms);
}

static void count_once(struct tally *t, const struct job_change *c, const struct milestones *now)
{
        const struct event *e = c->event;
        if (now->submitted && !c->was.submitted)
                tally_count(t, c->tenant, TALLY_SUBMITTED, submission_time(c), c->now);
        if (now->completed && !c->was.completed) {
                tally_count(t, c->tenant, TALLY_COMPLETED, e->at, c->now);
                tally_observe(t, c->tenant, TALLY_DURATION, e->ms, e->at, c->now);
                count_of_type(t, c, TYPE_COMPLETED);
        }
        if (now->dead && !c->was.dead) {
                tally_count(t, c->tenant, TALLY_DEAD, e->at, c->now);
                count_of_type(t, c, TYPE_DEAD);
        }
}

/* What is measured from when the job was due. */
static void observe_once(struct tally *t, const struct job_change *c, const struct milestones *now)
{
        const struct job_row *row = c->row;
        msec due = due_time(row);
        if (due > 0 && now->waited && !c->was.waited)
                tally_observe(t, c->tenant, TALLY_WAIT, row->started_at - due, row->started_at,
                              c->now);
        if (due > 0 && now->passed && !c->was.passed)
                tally_observe(t, c->tenant, TALLY_LATENCY, row->finished_at - due, row->finished_at,
                              c->now);
}

static void count_attempt(struct tally *t, const struct job_change *c)
{
        const struct event *e = c->event;
        bool failed = e->kind == EVENT_FAILED ||
                      (e->kind == EVENT_DEAD &&
                       (e->reason == REASON_PERMANENT || e->reason == REASON_EXHAUSTED));
        if (c->attempt_ended && failed) {
                tally_count(t, c->tenant, TALLY_FAILED, e->at, c->now);
                count_of_type(t, c, TYPE_FAILED);
        }
        if (c->attempt_ended && e->kind == EVENT_FAILED)
                tally_count(t, c->tenant, TALLY_RETRIED, e->at, c->now);
}

void milestones_count(struct tally *t, const struct job_change *c)
{
        const struct milestones now = milestones_of(c->row);
        count_once(t, c, &now);
        observe_once(t, c, &now);
        count_attempt(t, c);
}
