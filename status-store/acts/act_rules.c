/* SPDX-License-Identifier: Apache-2.0
 *
 * act_rules.c: which acts a job's status allows, and the numbers of what they publish.
 */
#include "status-store/acts/act_rules.h"

#include <assert.h>
#include <string.h>

#define PROBLEM(word) "urn:warren:problem:" word

/* While the old message may start too, a copy waits so long: its mark is everywhere by then, and
 * the question at its due time sees a start of the old one. */
#define OVERLAP ((msec)2 * MSEC_SECOND)
#define PUT_OFF ((msec)1000)

const struct act_refused *act_refused(enum act_refusal why)
{
        static const struct act_refused all[] = {
                [ACT_NO_SUCH_JOB] = {404, NULL, "there is no such job"},
                [ACT_SEVERAL_TENANTS] = {409, PROBLEM("several-tenants"),
                                         "several tenants have a job of this id: name the tenant"},
                [ACT_JOB_OPEN] = {409, PROBLEM("job-open"), "the job has not ended"},
                [ACT_JOB_RUNNING] = {409, PROBLEM("job-running"), "the job runs"},
                [ACT_JOB_ENDED] = {409, PROBLEM("job-ended"), "the job has ended"},
                [ACT_NOT_DELAYED] = {409, PROBLEM("not-delayed"),
                                     "the job waits for a worker, not for its time"},
                [ACT_DUE_SOON] = {409, PROBLEM("not-delayed"),
                                  "the job is due within a second, and starts then"},
                [ACT_PAYLOAD_UNKNOWN] = {409, PROBLEM("payload-unknown"),
                                         "its submission was told in part (its gateway ended "
                                         "before the 202): only its start is known"},
                [ACT_LETTER_NOT_ARCHIVED] = {409, PROBLEM("letter-not-archived"),
                                             "its dead letter has not been archived yet"},
                [ACT_NO_TENANT] = {409, NULL, "the job's tenant was deleted"},
                [ACT_TOO_FAR] = {422, NULL, "run_at is more than 365 days away"},
                [ACT_AFTER_EXPIRY] = {422, NULL, "the job expires before it would be due"},
        };
        assert(why != ACT_ALLOWED);
        return &all[why];
}

bool act_ends_the_run(enum act_kind kind)
{
        return kind == ACT_CANCEL || kind == ACT_STOP || kind == ACT_FORGET;
}

bool act_publishes(enum act_kind kind)
{
        return !act_ends_the_run(kind);
}

/* The number of the attempt that is to start next, or that runs. */
static int64_t number_of(const struct job_row *row)
{
        return row->winner.attempt + (row->status == STATUS_FAILED ? 1 : 0);
}

/* When its message comes due; 0: it is, or this is unknown. */
static msec due_of(const struct job_row *row)
{
        bool waits = row->status == STATUS_SCHEDULED || row->status == STATUS_FAILED;
        return waits ? job_row_run_at(row) : 0;
}

static enum act_refusal judge_cancel(const struct job_row *row, const struct act *act,
                                     struct act_plan *plan)
{
        switch (row->status) {
        case STATUS_SCHEDULED:
        case STATUS_FAILED:
        case STATUS_PENDING:
                return ACT_ALLOWED;
        case STATUS_RUNNING:
                plan->kind = ACT_STOP;
                return ACT_ALLOWED;
        case STATUS_CANCELLED:
                plan->done = !act->marked || !job_row_is_untold(row);
                return ACT_ALLOWED;
        case STATUS_COMPLETED:
        case STATUS_DEAD:
                break;
        }
        return ACT_JOB_ENDED;
}

/* The status as far as a move is concerned. */
static enum act_refusal judge_movable(const struct job_row *row)
{
        switch (row->status) {
        case STATUS_SCHEDULED:
        case STATUS_FAILED:
        case STATUS_PENDING:
                return ACT_ALLOWED;
        case STATUS_RUNNING:
                return ACT_JOB_RUNNING;
        case STATUS_CANCELLED:
        case STATUS_COMPLETED:
        case STATUS_DEAD:
                break;
        }
        return ACT_JOB_ENDED;
}

/* Chooses the copy's time, which is never so early that both it and the old message start. */
static void choose_time(const struct job_row *row, msec wanted, msec now, struct act_plan *plan)
{
        bool old_may_start = row->status == STATUS_PENDING || plan->due <= now + OVERLAP;
        plan->run_at = wanted > now ? wanted : 0;
        if (old_may_start && plan->run_at < now + PUT_OFF)
                plan->run_at = now + PUT_OFF;
}

static enum act_refusal judge_move(const struct job_row *row, const struct act *act, msec now,
                                   struct act_plan *plan)
{
        enum act_refusal refusal = judge_movable(row);
        bool at_once = act->kind == ACT_RUN_NOW || (act->kind == ACT_MOVE && act->run_at <= now);
        msec wanted = act->kind == ACT_PRIORITY ? plan->due : act->run_at;
        if (refusal != ACT_ALLOWED)
                return refusal;
        if (at_once && row->status == STATUS_PENDING && act->priority < 0)
                return job_row_run_at(row) > now ? ACT_DUE_SOON : ACT_NOT_DELAYED;
        choose_time(row, at_once ? 0 : wanted, now, plan);
        if (act->priority >= 0)
                plan->priority = act->priority;
        plan->moved = job_row_is_given_back(row) ? MOVED_GIVEN_BACK : MOVED_BY_ACT;
        msec expires = job_row_expires_at(row);
        msec starts = plan->run_at > 0 ? plan->run_at : now;
        if (starts > now + JOB_DELAY_MAX)
                return ACT_TOO_FAR;
        return expires > 0 && starts >= expires ? ACT_AFTER_EXPIRY : ACT_ALLOWED;
}

static enum act_refusal judge_ended(const struct job_row *row, const struct act *act, msec now)
{
        if (!status_is_ended(row->status))
                return ACT_JOB_OPEN;
        bool young = row->status == STATUS_DEAD && !act->archived &&
                     now < row->finished_at + ACT_LETTER_WAIT;
        return young ? ACT_LETTER_NOT_ARCHIVED : ACT_ALLOWED;
}

static enum act_refusal judge(const struct job_row *row, const struct act *act, msec now,
                              struct act_plan *plan)
{
        switch (act->kind) {
        case ACT_CANCEL:
        case ACT_STOP:
                return judge_cancel(row, act, plan);
        case ACT_RUN_NOW:
        case ACT_MOVE:
        case ACT_PRIORITY:
                return judge_move(row, act, now, plan);
        case ACT_RETRY:
        case ACT_FORGET:
                break;
        }
        return judge_ended(row, act, now);
}

void act_judge(const struct job_row *row, const struct act *act, bool has_payload, msec now,
               struct act_plan *plan)
{
        *plan = (struct act_plan){.kind = act->kind, .refusal = ACT_NO_SUCH_JOB};
        bool forgotten =
                row != NULL && row->forgotten_run > 0 && row->winner.run <= row->forgotten_run;
        if (act->kind == ACT_FORGET && forgotten) {
                plan->refusal = ACT_ALLOWED;
                plan->done = true;
                return;
        }
        if (row == NULL || !row->shown)
                return;
        plan->run = row->winner.run;
        plan->attempt = number_of(row);
        plan->due = due_of(row);
        plan->priority = job_row_priority(row);
        plan->refusal = judge(row, act, now, plan);
        if (plan->refusal == ACT_ALLOWED && act_publishes(plan->kind) &&
            (!has_payload || row->facts == NULL))
                plan->refusal = ACT_PAYLOAD_UNKNOWN;
}

int64_t act_highest_copy(const struct job_row *row)
{
        const struct fold_key *const keys[] = {&row->winner, &row->message, &row->moved,
                                               &job_row_facts(row)->wait};
        int64_t copy = 0;
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
                if (keys[i]->copy > copy)
                        copy = keys[i]->copy;
        }
        return copy;
}

void act_copy(const struct job_row *row, const struct act_plan *plan, int64_t copy,
              struct bytes payload, struct job *out)
{
        const struct job_facts *f = job_row_facts(row);
        bool retried = plan->kind == ACT_RETRY;
        *out = (struct job){.priority = (enum priority)plan->priority,
                            .lane = f->lane,
                            .run = plan->run,
                            .attempt = retried ? 0 : plan->attempt - 1,
                            .copy = copy,
                            .moved = plan->moved,
                            .max_retries = f->max_retries,
                            .timeout = f->timeout,
                            .run_at = plan->run_at,
                            .expires_at = retried ? 0 : f->expires_at,
                            .submitted_at = row->born,
                            .payload = payload};
        memcpy(out->id, row->id, sizeof(out->id));
        memcpy(out->tenant, row->tenant, sizeof(out->tenant));
        memcpy(out->type, f->type, sizeof(out->type));
        memcpy(out->traceparent, f->traceparent, sizeof(out->traceparent));
        memcpy(out->key, f->idempotency_key, sizeof(out->key));
        memcpy(out->key_hash, f->key_hash, sizeof(out->key_hash));
        if (out->lane != LANE_LONG)
                out->lane = (enum lane)out->priority;
        if (!retried && out->attempt > 0) {
                out->error = buffer_bytes(&row->error);
                out->error_kind = row->error_kind;
        }
}
