/* SPDX-License-Identifier: Apache-2.0
 *
 * job_json.c: a job and its attempts as JSON, written straight into a buffer: a parser that prints
 * numbers again would change the payload.
 */
#include "status-store/jobs/job_json.h"

#include <stdio.h>

#include "common/base/json_scan.h"
#include "common/base/json_write.h"
#include "status-store/projection/job_entry.h"

/* null when value is empty or NULL. */
static void put_word(struct buffer *out, const char *name, const char *value)
{
        json_put_text_or_null(out, name, bytes_of_text(value));
}

/* Only a payload from a burial, whose key is closed, has to be checked: it may be malformed. Any
 * other comes from a message that was found to be a valid job, here or by the service that
 * published it.
 */
bool job_payload_is_json(const struct job_facts *facts, struct bytes payload)
{
        struct scan_fault fault;
        return payload.length == 0 || facts->key.closed == 0 ||
               scan_check(payload, SCAN_DEPTH_MAX, &fault) == 0;
}

bool job_error_quotes_payload(const struct job_row *row)
{
        return row->reason == REASON_MALFORMED && row->error.length > 0;
}

/* A key of an earlier run says nothing about this run. */
static bool is_of_this_run(const struct job_row *row, const struct fold_key *k)
{
        return k->run != 0 && k->run == row->winner.run;
}

/* A job being written. */
struct said {
        const struct stored_job *job;
        const struct job_row *row;
        const struct job_facts *facts;
        struct bytes payload;
        bool started, ended;           /* in this run */
        bool failed;                   /* the error is of this run, and the last word */
        bool cancelled;                /* it is to be */
        const struct mask_words *mask; /* NULL: none */
        size_t *masked;                /* so many values were, so far */
};

static struct said said_of(const struct stored_job *job, struct bytes payload)
{
        const struct job_row *row = &job->row;
        struct said s = {.job = job,
                         .row = row,
                         .facts = job_row_facts(row),
                         .payload = payload,
                         .started = is_of_this_run(row, &row->start) && !job_row_is_given_back(row),
                         .ended = is_of_this_run(row, &row->finish) && status_is_ended(row->status),
                         .failed = is_of_this_run(row, &row->failure) &&
                                   row->status != STATUS_COMPLETED,
                         .cancelled = job_row_is_to_be_cancelled(row)};
        /* A later start is that of a duplicate, which ran too. */
        if (row->status == STATUS_COMPLETED && row->started_at > row->finished_at)
                s.started = false;
        return s;
}

/* Writes one member. */
typedef void put_fn(struct buffer *out, const char *name, const struct said *s);

static void put_id(struct buffer *out, const char *name, const struct said *s)
{
        json_put_string(out, name, s->row->id);
}

static void put_tenant(struct buffer *out, const char *name, const struct said *s)
{
        json_put_string(out, name, s->row->tenant);
}

static void put_type(struct buffer *out, const char *name, const struct said *s)
{
        put_word(out, name, job_row_type(s->row));
}

static void put_priority(struct buffer *out, const char *name, const struct said *s)
{
        int priority = job_row_priority(s->row);
        put_word(out, name, priority >= 0 ? priority_name((enum priority)priority) : "");
}

static void put_status(struct buffer *out, const char *name, const struct said *s)
{
        put_word(out, name, status_name(s->row->status));
}

static void put_json(struct buffer *out, const char *name, struct bytes json, const struct said *s)
{
        AUTO_BUFFER masked = {0};

        if (s->mask == NULL) {
                json_put_raw(out, name, json);
                return;
        }
        *s->masked += json_mask(json, s->mask, &masked);
        json_put_raw(out, name, buffer_bytes(&masked));
}

/* What is no JSON has no members to mask: it may show what they would hide. */
static void put_payload(struct buffer *out, const char *name, const struct said *s)
{
        if (job_payload_is_json(s->facts, s->payload)) {
                put_json(out, name, s->payload, s);
        } else if (s->mask == NULL) {
                json_put_payload(out, s->payload, false);
        } else {
                json_put_null(out, name);
                (*s->masked)++;
        }
}

static void put_result(struct buffer *out, const char *name, const struct said *s)
{
        put_json(out, name, s->ended ? buffer_bytes(&s->row->result) : (struct bytes){0}, s);
}

static void put_error(struct buffer *out, const char *name, const struct said *s)
{
        if (s->failed && s->mask != NULL && job_error_quotes_payload(s->row)) {
                json_put_null(out, name);
                (*s->masked)++;
                return;
        }
        json_put_text_or_null(out, name,
                              s->failed ? buffer_bytes(&s->row->error) : (struct bytes){0});
}

static void put_error_kind(struct buffer *out, const char *name, const struct said *s)
{
        put_word(out, name, s->failed ? error_kind_word(s->row->error_kind) : "");
}

static void put_reason(struct buffer *out, const char *name, const struct said *s)
{
        put_word(out, name, s->ended ? reason_word(s->row->reason) : "");
}

static void put_run(struct buffer *out, const char *name, const struct said *s)
{
        json_put_int(out, name, s->row->winner.run);
}

/* One that ended without an attempt shows the last that was made; 0: none. */
static void put_attempt(struct buffer *out, const char *name, const struct said *s)
{
        const struct job_row *row = s->row;
        bool started = is_of_this_run(row, &row->start);

        if (!job_row_ended_unrun(row))
                json_put_int(out, name, row->winner.attempt);
        else
                json_put_int(out, name, started ? row->start.attempt : 0);
}

static void put_max_retries(struct buffer *out, const char *name, const struct said *s)
{
        const struct job_hint *hint = job_row_hint(s->row);
        int64_t known = s->row->facts != NULL ? s->row->facts->max_retries : -1;
        int64_t max_retries = hint != NULL ? hint->max_retries : known;

        if (max_retries >= 0)
                json_put_int(out, name, max_retries);
        else
                json_put_null(out, name);
}

static void put_timeout(struct buffer *out, const char *name, const struct said *s)
{
        if (s->facts->timeout > 0)
                json_put_int(out, name, s->facts->timeout);
}

static void put_progress(struct buffer *out, const char *name, const struct said *s)
{
        const struct job_row *row = s->row;
        bool is_current = row->step.run == row->winner.run &&
                          row->step.attempt == row->winner.attempt && !job_row_is_given_back(row);
        if (row->step.run == 0 || !is_current) {
                json_put_null(out, name);
                return;
        }
        json_begin_object(out, name);
        json_put_real(out, "value", row->progress);
        json_put_text_or_null(out, "message", buffer_bytes(&row->progress_message));
        json_end(out);
}

static void put_created_at(struct buffer *out, const char *name, const struct said *s)
{
        json_put_time(out, name, s->row->created_at);
}

static void put_run_at(struct buffer *out, const char *name, const struct said *s)
{
        json_put_time(out, name, job_row_run_at(s->row));
}

static void put_expires_at(struct buffer *out, const char *name, const struct said *s)
{
        json_put_time(out, name, job_row_expires_at(s->row));
}

static void put_started_at(struct buffer *out, const char *name, const struct said *s)
{
        json_put_time(out, name, s->started ? s->row->started_at : 0);
}

static void put_finished_at(struct buffer *out, const char *name, const struct said *s)
{
        json_put_time(out, name, s->ended ? s->row->finished_at : 0);
}

static void put_duration(struct buffer *out, const char *name, const struct said *s)
{
        const struct job_row *row = s->row;

        if (s->ended && row->status == STATUS_COMPLETED)
                json_put_int(out, name, row->duration_ms);
        else if (s->ended && s->started && !job_row_ended_unrun(row) &&
                 row->finished_at >= row->started_at)
                json_put_int(out, name, row->finished_at - row->started_at);
        else
                json_put_null(out, name);
}

static void put_worker(struct buffer *out, const char *name, const struct said *s)
{
        put_word(out, name, s->started ? s->row->worker : "");
}

static void put_duplicates(struct buffer *out, const char *name, const struct said *s)
{
        json_put_int(out, name, s->job->published > 1 ? s->job->published - 1 : 0);
}

static void put_key(struct buffer *out, const char *name, const struct said *s)
{
        put_word(out, name, s->facts->idempotency_key);
}

static void put_trace_id(struct buffer *out, const char *name, const struct said *s)
{
        const char *trace = job_row_traceparent(s->row);
        char id[33] = "";

        if (trace[0] != '\0')
                (void)snprintf(id, sizeof(id), "%.32s", trace + 3);
        put_word(out, name, id);
}

static void put_cancel_requested(struct buffer *out, const char *name, const struct said *s)
{
        json_put_time(out, name, s->cancelled ? s->row->cancel_at : 0);
}

static void put_act_by(struct buffer *out, const char *name, const struct said *s)
{
        bool acted = s->cancelled || is_of_this_run(s->row, &s->row->moved);
        put_word(out, name, acted ? s->row->act_by : "");
}

/* In the order of writing; a view has a bit for each. */
static const struct {
        const char *name;
        put_fn *put;
} members[] = {
        {"id", put_id},
        {"tenant", put_tenant},
        {"type", put_type},
        {"priority", put_priority},
        {"status", put_status},
        {"payload", put_payload},
        {"result", put_result},
        {"error", put_error},
        {"error_kind", put_error_kind},
        {"reason", put_reason},
        {"run", put_run},
        {"attempt", put_attempt},
        {"max_retries", put_max_retries},
        {"timeout_ms", put_timeout},
        {"progress", put_progress},
        {"created_at", put_created_at},
        {"run_at", put_run_at},
        {"expires_at", put_expires_at},
        {"started_at", put_started_at},
        {"finished_at", put_finished_at},
        {"duration_ms", put_duration},
        {"worker", put_worker},
        {"duplicates", put_duplicates},
        {"idempotency_key", put_key},
        {"trace_id", put_trace_id},
        {"cancel_requested_at", put_cancel_requested},
        {"act_by", put_act_by},
};
enum { MEMBER_COUNT = sizeof(members) / sizeof(members[0]) };

bool job_view_add(struct job_view *view, struct bytes name)
{
        for (unsigned i = 0; i < MEMBER_COUNT; i++) {
                if (!bytes_equal_text(name, members[i].name))
                        continue;
                view->members |= 1u << i;
                return true;
        }
        return false;
}

static bool has(const struct job_view *view, unsigned member)
{
        return view->members == 0 || (view->members >> member & 1) != 0;
}

bool job_view_has_payload(const struct job_view *view)
{
        for (unsigned i = 0; i < MEMBER_COUNT; i++)
                if (members[i].put == put_payload)
                        return has(view, i);
        return false;
}

void job_json_write(const struct stored_job *job, struct bytes payload, const struct job_view *view,
                    struct buffer *out)
{
        struct said s = said_of(job, payload);
        size_t masked = 0;
        if (view->mask != NULL && view->mask->count > 0)
                s.mask = view->mask;
        s.masked = &masked;
        for (unsigned i = 0; i < MEMBER_COUNT; i++)
                if (has(view, i))
                        members[i].put(out, members[i].name, &s);
        if (masked > 0)
                json_put_int(out, "masked", (int64_t)masked);
}

/* When a worker that was given up goes on, only the job's row says so. */
static enum attempt_outcome outcome_now(const struct attempt_row *a, const struct job_row *row)
{
        bool runs = row->status == STATUS_RUNNING && row->winner.run == a->run &&
                    row->winner.attempt == a->attempt;
        return runs ? ATTEMPT_OPEN : attempt_row_outcome(a);
}

void attempt_json_write(const struct attempt_row *a, const struct job_row *row, struct buffer *out)
{
        enum attempt_outcome outcome = outcome_now(a, row);
        msec ended_at = outcome == ATTEMPT_OPEN ? 0 : a->ended_at;
        bool again = outcome == ATTEMPT_COMPLETED && a->started_at > ended_at;
        msec started_at = again ? 0 : a->started_at;
        json_begin_object(out, NULL);
        json_put_int(out, "run", a->run);
        json_put_int(out, "attempt", a->attempt);
        put_word(out, "worker", again ? "" : a->worker);
        json_put_time(out, "started_at", started_at);
        json_put_time(out, "finished_at", ended_at);
        if (started_at > 0 && ended_at >= started_at)
                json_put_int(out, "duration_ms", ended_at - started_at);
        else
                json_put_null(out, "duration_ms");
        put_word(out, "outcome", attempt_outcome_name(outcome));
        put_word(out, "reason", reason_word(a->reason));
        json_put_text_or_null(out, "error", buffer_bytes(&a->error));
        put_word(out, "error_kind", error_kind_word(a->error_kind));
        json_put_flag(out, "redelivered", a->redelivered);
        json_end(out);
}
