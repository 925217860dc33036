/* SPDX-License-Identifier: Apache-2.0
 *
 * attempt_row.c: the registers of an attempt, and which events are about one.
 */
#include "common/model/attempt_row.h"

const char *attempt_outcome_name(enum attempt_outcome o)
{
        static const char *const names[] = {
                [ATTEMPT_OPEN] = "running",        [ATTEMPT_COMPLETED] = "completed",
                [ATTEMPT_FAILED] = "failed",       [ATTEMPT_DEAD] = "dead",
                [ATTEMPT_CANCELLED] = "cancelled", [ATTEMPT_RELEASED] = "released",
                [ATTEMPT_LOST] = "lost",
        };

        return names[o];
}

/* OPEN: the event ends no attempt. */
static enum attempt_outcome outcome_of(const struct event *e)
{
        static const enum attempt_outcome outcomes[EVENT_KIND_COUNT] = {
                [EVENT_COMPLETED] = ATTEMPT_COMPLETED, [EVENT_FAILED] = ATTEMPT_FAILED,
                [EVENT_DEAD] = ATTEMPT_DEAD,           [EVENT_CANCELLED] = ATTEMPT_CANCELLED,
                [EVENT_RELEASED] = ATTEMPT_RELEASED,
        };

        return e->kind == EVENT_RELEASED && e->lost ? ATTEMPT_LOST : outcomes[e->kind];
}

/* Buried for a reason other than an attempt: its attempt number is of an earlier attempt, or none.
 */
static bool buried_unrun(const struct event *e)
{
        return e->kind == EVENT_DEAD &&
               (e->reason == REASON_NO_HANDLER || e->reason == REASON_MALFORMED ||
                e->reason == REASON_UNROUTABLE);
}

bool event_attempt(const struct event *e, int64_t *run, int64_t *attempt)
{
        if (e->kind != EVENT_STARTED && outcome_of(e) == ATTEMPT_OPEN)
                return false;
        if (buried_unrun(e) || (e->kind == EVENT_CANCELLED && !e->running))
                return false;
        *run = e->run;
        *attempt = e->attempt;
        return e->attempt > 0;
}

bool attempt_row_fold(struct attempt_row *row, const struct event *e, const struct arrival *a)
{
        struct fold_key key = fold_key_of(e);

        row->run = e->run;
        row->attempt = e->attempt;
        if (e->kind == EVENT_STARTED) {
                if (!fold_key_raise(&row->start, &key))
                        return false;
                row->started_at = event_time(e, a);
                row->redelivered = e->redelivered;
                event_worker(e, row->worker);
                return true;
        }
        if (outcome_of(e) == ATTEMPT_OPEN || !fold_key_raise(&row->end, &key))
                return false;
        row->ended_at = event_time(e, a);
        row->outcome = outcome_of(e);
        row->reason = e->reason;
        row->error_kind = e->has_job ? e->job.error_kind : ERROR_KIND_NONE;
        buffer_set(&row->error, e->has_job ? e->job.error : (struct bytes){NULL, 0});
        return true;
}

static bool was_given_back(const struct attempt_row *row)
{
        return row->outcome == ATTEMPT_RELEASED || row->outcome == ATTEMPT_LOST;
}

bool attempt_row_has_ended(const struct attempt_row *row)
{
        return row->end.run != 0 && !was_given_back(row);
}

enum attempt_outcome attempt_row_outcome(const struct attempt_row *row)
{
        if (was_given_back(row) && fold_key_compare(&row->start, &row->end) > 0)
                return ATTEMPT_OPEN;
        return row->outcome;
}

void attempt_row_fini(struct attempt_row *row)
{
        buffer_fini(&row->error);
}
