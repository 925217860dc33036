/* SPDX-License-Identifier: Apache-2.0
 *
 * fold.c: the registers of a job's row.
 */
#include "common/model/fold.h"

#include <assert.h>
#include <string.h>

#include "common/model/mark.h"

enum {
        PHASE_DOUBT = 0, /* less than every other */
        PHASE_UNRUN = 9, /* cancelled, while no attempt ran */
        PHASE_STOPPED = 10,
};

/* Place in the order, and status, of each kind of event. */
static const struct {
        int64_t closed, phase;
        enum status status;
        bool hidden;
} kinds[] = {
        [EVENT_SUBMITTED] = {0, 1, STATUS_PENDING, false},
        [EVENT_REJECTED] = {0, 2, STATUS_PENDING, true},
        [EVENT_DUE] = {0, 3, STATUS_PENDING, false},
        [EVENT_CANCEL_REQUESTED] = {0, 4, STATUS_PENDING, false},
        [EVENT_STARTED] = {0, 5, STATUS_RUNNING, false},
        [EVENT_PROGRESS] = {0, 5, STATUS_RUNNING, false},
        [EVENT_RESUMED] = {0, 5, STATUS_RUNNING, false},
        [EVENT_RELEASED] = {0, 5, STATUS_PENDING, false},
        [EVENT_FAILED] = {0, 7, STATUS_FAILED, false},
        [EVENT_DEAD] = {1, 8, STATUS_DEAD, false},
        [EVENT_CANCELLED] = {1, PHASE_UNRUN, STATUS_CANCELLED, false},
        [EVENT_COMPLETED] = {2, 10, STATUS_COMPLETED, false},
        [EVENT_FORGOTTEN] = {3, 11, STATUS_PENDING, true},
        [EVENT_MOVED] = {0, 1, STATUS_PENDING, true}, /* sets no status */
};

/* A submission whose job may be in no queue. */
static bool is_doubtful(const struct event *e)
{
        return e->kind == EVENT_SUBMITTED && e->job.doubt;
}

/* A copy of an attempt that was given back. It waits, but its events are of the phase of starts. */
static bool is_given_back_copy(const struct event *e)
{
        return e->has_job && e->job.moved == MOVED_GIVEN_BACK &&
               (e->kind == EVENT_SUBMITTED || e->kind == EVENT_DUE);
}

/* Whoever finds the message of such a job tells this end, the store and a consumer alike. The first
 * of these events counts. */
static bool is_end_unrun(const struct event *e)
{
        return e->kind == EVENT_CANCELLED && !e->running;
}

static msec place_in_time(const struct event *e)
{
        if (e->kind == EVENT_RELEASED)
                return e->after + 1;
        if (is_end_unrun(e))
                return JOB_TIME_MAX - e->at;
        return e->kind == EVENT_DUE && is_given_back_copy(e) ? e->at + 1 : e->at;
}

static int64_t phase_of(const struct event *e)
{
        if (is_doubtful(e))
                return PHASE_DOUBT;
        if (is_given_back_copy(e))
                return PHASE_STARTED;
        return e->kind == EVENT_CANCELLED && e->running ? PHASE_STOPPED : kinds[e->kind].phase;
}

struct fold_key fold_key_of(const struct event *e)
{
        return (struct fold_key){
                .run = e->run,
                .closed = kinds[e->kind].closed,
                .attempt = e->attempt,
                .phase = phase_of(e),
                .copy = e->copy,
                .at = place_in_time(e),
                .digest = e->digest,
        };
}

bool event_status(const struct event *e, enum status *out)
{
        *out = kinds[e->kind].status;
        if (e->kind == EVENT_SUBMITTED && e->scheduled)
                *out = STATUS_SCHEDULED;
        return !kinds[e->kind].hidden && !is_doubtful(e);
}

/* The lower of two times; 0: unknown. */
static msec earlier(msec a, msec b)
{
        return b == 0 || (a > 0 && a < b) ? a : b;
}

msec event_time(const struct event *e, const struct arrival *a)
{
        return earlier(e->at, a->clock);
}

static msec time_in_id(const struct job_row *row)
{
        msec at = uuid7_time(row->id);

        return at > 0 ? at : 0;
}

static bool has_hint(const struct event *e)
{
        return (e->kind == EVENT_STARTED || e->kind == EVENT_CANCELLED ||
                e->kind == EVENT_COMPLETED) &&
               e->hint.type[0] != '\0';
}

static bool fold_birth(struct job_row *row, const struct event *e, const struct arrival *a)
{
        const struct fold_key key = {.run = 1, .at = a->offset, .digest = e->digest};
        msec claimed = 0;

        if (e->has_job)
                claimed = e->job.submitted_at;
        else if (has_hint(e))
                claimed = e->hint.submitted_at;
        if (!e->has_job && claimed == 0)
                return false;
        if (row->birth.run != 0 && fold_key_compare(&row->birth, &key) <= 0)
                return false;
        row->birth = key;
        row->born = claimed > 0 ? claimed : time_in_id(row);
        return true;
}

/* The times, which `forgotten` does not erase. */
static bool fold_times(struct job_row *row, const struct event *e, const struct arrival *a)
{
        bool changed = fold_birth(row, e, a);
        msec earliest = earlier(row->earliest, event_time(e, a));

        if (earliest != row->earliest) {
                row->earliest = earliest;
                changed = true;
        }
        if (a->clock > row->told_at) {
                row->told_at = a->clock;
                changed = true;
        }
        row->created_at = earlier(row->born, row->earliest);
        return changed;
}

void job_row_date(struct job_row *row, msec first)
{
        if (row->told_at > 0)
                return;
        row->told_at = first;
        row->earliest = earlier(row->earliest, first);
        row->created_at = earlier(row->born, row->earliest);
        if (row->finish.run > 0 && row->finished_at == 0)
                row->finished_at = first;
}

static bool fold_winner(struct job_row *row, const struct event *e, const struct fold_key *key)
{
        if (e->kind == EVENT_MOVED || !fold_key_raise(&row->winner, key))
                return false;
        row->shown = event_status(e, &row->status);
        return true;
}

/* A message of an earlier run is ignored; one of a later run replaces everything. */
static bool fold_facts(struct job_row *row, const struct event *e, const struct fold_key *key,
                       const struct arrival *a)
{
        if (key->run < row->message.run)
                return false;
        if (key->run > row->message.run)
                facts_clear(&row->facts);
        bool raised = fold_key_raise(&row->message, key);
        return facts_fold(&row->facts, e, key, a->offset) || raised;
}

/* The registers that a job message fills. */
static bool fold_job(struct job_row *row, const struct event *e, const struct fold_key *key,
                     const struct arrival *a)
{
        if (!e->has_job)
                return false;
        bool changed = fold_facts(row, e, key, a);
        if ((e->kind == EVENT_FAILED || e->kind == EVENT_DEAD) &&
            fold_key_raise(&row->failure, key)) {
                row->error_kind = e->job.error_kind;
                buffer_set(&row->error, e->job.error);
                changed = true;
        }
        return changed;
}

enum { HINT_OF_COMPLETION, HINT_OF_START }; /* in fold_key.closed of a hint */

static void forget_hint(struct job_row *row)
{
        row->hint_key = (struct fold_key){0};
        memset(&row->hint, 0, sizeof(row->hint));
}

static bool fold_hint(struct job_row *row, const struct event *e, const struct fold_key *key)
{
        bool told = row->hint_key.run != 0 && row->hint_key.run <= row->message.run;
        struct fold_key rank = *key;

        if (told)
                forget_hint(row);
        rank.closed = e->kind == EVENT_COMPLETED ? HINT_OF_COMPLETION : HINT_OF_START;
        if (!has_hint(e) || key->run <= row->message.run || !fold_key_raise(&row->hint_key, &rank))
                return told;
        row->hint = e->hint;
        return true;
}

/* Which content ran: named by a start or completion, or carried by a retry or burial; or is to run:
 * that of a copy, which may have another priority. */
static bool fold_ran(struct job_row *row, const struct event *e, const struct fold_key *key)
{
        bool waits = e->kind == EVENT_SUBMITTED || e->kind == EVENT_DUE;
        bool changed = false;

        if (e->content != 0 && (!waits || e->copy > 0) && fold_key_raise(&row->ran, key)) {
                row->ran_content = e->content;
                changed = true;
        }
        changed |=
                facts_choose(&row->facts, row->ran.run == row->message.run ? row->ran_content : 0);
        return changed;
}

/* The registers of start, progress and end. */
static bool fold_attempt(struct job_row *row, const struct event *e, const struct fold_key *key,
                         const struct arrival *a)
{
        bool changed = false;

        if (e->kind == EVENT_STARTED && fold_key_raise(&row->start, key)) {
                row->started_at = event_time(e, a);
                event_worker(e, row->worker);
                changed = true;
        }
        if (e->kind == EVENT_PROGRESS && fold_key_raise(&row->step, key)) {
                row->progress = e->progress;
                buffer_set(&row->progress_message, e->message);
                changed = true;
        }
        if (key->closed > 0 && e->kind != EVENT_FORGOTTEN && fold_key_raise(&row->finish, key)) {
                row->finished_at = event_time(e, a);
                row->duration_ms = e->ms;
                row->reason = e->reason;
                buffer_set(&row->result, e->result);
                changed = true;
        }
        return changed;
}

static bool fold_acts(struct job_row *row, const struct event *e, const struct fold_key *key,
                      const struct arrival *a)
{
        if (e->kind == EVENT_MOVED) {
                if (!fold_key_raise(&row->moved, key))
                        return false;
                if (row->moved.run > row->cancel.run)
                        event_by(e, row->act_by);
                return true;
        }
        if (e->kind != EVENT_CANCEL_REQUESTED && (e->kind != EVENT_CANCELLED || e->by.length == 0))
                return false;
        if (!fold_key_raise(&row->cancel, key))
                return false;
        row->cancel_at = event_time(e, a);
        if (row->cancel.run >= row->moved.run)
                event_by(e, row->act_by);
        return true;
}

static bool forget_key(struct fold_key *key, int64_t run)
{
        if (key->run > run)
                return false;
        *key = (struct fold_key){0};
        return true;
}

/* Empties every register whose greatest event is of a forgotten run. It never had a value of a
 * later run, because events are compared by run first. */
static void forget(struct job_row *row, int64_t run)
{
        if (forget_key(&row->message, run))
                facts_clear(&row->facts);
        if (forget_key(&row->hint_key, run))
                forget_hint(row);
        if (forget_key(&row->ran, run))
                row->ran_content = 0;
        if (forget_key(&row->start, run)) {
                row->started_at = 0;
                memset(row->worker, 0, sizeof(row->worker));
        }
        if (forget_key(&row->finish, run)) {
                row->finished_at = 0;
                row->duration_ms = 0;
                row->reason = REASON_NONE;
                buffer_fini(&row->result);
        }
        if (forget_key(&row->failure, run)) {
                row->error_kind = ERROR_KIND_NONE;
                buffer_fini(&row->error);
        }
        if (forget_key(&row->step, run)) {
                row->progress = 0;
                buffer_fini(&row->progress_message);
        }
        bool none_moved = forget_key(&row->moved, run);
        if (forget_key(&row->cancel, run)) {
                row->cancel_at = 0;
                if (none_moved)
                        memset(row->act_by, 0, sizeof(row->act_by));
        }
}

bool job_row_fold(struct job_row *row, const struct event *e, const struct arrival *a)
{
        const struct fold_key key = fold_key_of(e);
        bool changed = false;

        assert(event_is_of_job(e) && e->run > 0);
        if (row->id[0] == '\0') {
                memcpy(row->id, e->id, sizeof(row->id));
                memcpy(row->tenant, e->tenant, sizeof(row->tenant));
                row->born = time_in_id(row);
                changed = true;
        }
        changed |= fold_times(row, e, a);
        if (e->kind == EVENT_FORGOTTEN && e->run > row->forgotten_run) {
                row->forgotten_run = e->run;
                forget(row, e->run);
                changed = true;
        }
        if (e->run <= row->forgotten_run && e->kind != EVENT_FORGOTTEN)
                return changed;
        changed |= fold_winner(row, e, &key);
        changed |= fold_job(row, e, &key, a);
        changed |= fold_hint(row, e, &key);
        changed |= fold_attempt(row, e, &key, a);
        changed |= fold_ran(row, e, &key);
        changed |= fold_acts(row, e, &key, a);
        return changed;
}

bool job_row_is_given_back(const struct job_row *row)
{
        bool waits = row->status == STATUS_PENDING || row->status == STATUS_SCHEDULED;

        /* Other events that make a job wait are less than the start of its attempt. */
        return waits && row->start.run != 0 && row->start.run == row->winner.run &&
               row->start.attempt == row->winner.attempt;
}

bool job_row_has_moved(const struct job_row *row, int64_t run, int64_t number, int64_t copy)
{
        const struct fold_key *m = &row->moved;

        return mark_covers((struct mark_place){m->run, m->attempt, m->copy},
                           (struct mark_place){run, number, copy});
}

bool job_row_ended_unrun(const struct job_row *row)
{
        return row->winner.phase == PHASE_UNRUN;
}

bool job_row_is_to_be_cancelled(const struct job_row *row)
{
        return row->cancel.run != 0 && row->cancel.run == row->winner.run;
}

bool job_row_is_untold(const struct job_row *row)
{
        return row->status == STATUS_CANCELLED && row->reason == REASON_NONE &&
               row->cancel.run < row->winner.run;
}

const struct job_facts *job_row_facts(const struct job_row *row)
{
        static const struct job_facts none;

        return row->facts != NULL ? row->facts : &none;
}

const struct job_hint *job_row_hint(const struct job_row *row)
{
        return row->facts == NULL && row->hint_key.run != 0 ? &row->hint : NULL;
}

msec job_row_run_at(const struct job_row *row)
{
        const struct job_hint *hint = job_row_hint(row);
        const struct job_facts *facts = job_row_facts(row);

        if (hint != NULL)
                return row->hint_key.run == row->winner.run ? hint->run_at : 0;
        return facts->wait.run == row->winner.run ? facts->run_at : 0;
}

msec job_row_expires_at(const struct job_row *row)
{
        const struct job_hint *hint = job_row_hint(row);

        if (hint != NULL)
                return row->hint_key.run == row->winner.run ? hint->expires_at : 0;
        return row->message.run == row->winner.run ? job_row_facts(row)->expires_at : 0;
}

const char *job_row_type(const struct job_row *row)
{
        const struct job_hint *hint = job_row_hint(row);

        return hint != NULL ? hint->type : job_row_facts(row)->type;
}

int job_row_priority(const struct job_row *row)
{
        const struct job_hint *hint = job_row_hint(row);

        if (hint != NULL)
                return (int)hint->priority;
        return row->facts != NULL ? (int)row->facts->priority : -1;
}

bool job_row_is_introduced(const struct job_row *row)
{
        return row->message.run != 0 ||
               (row->hint_key.run != 0 && row->hint_key.closed == HINT_OF_START);
}

bool job_row_is_doubtful(const struct job_row *row)
{
        return row->winner.run != 0 && row->winner.closed == 0 && row->winner.phase == PHASE_DOUBT;
}

void job_row_fini(struct job_row *row)
{
        facts_clear(&row->facts);
        buffer_fini(&row->result);
        buffer_fini(&row->error);
        buffer_fini(&row->progress_message);
}
