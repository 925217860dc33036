/* SPDX-License-Identifier: Apache-2.0
 *
 * job_json.c: a job and its attempts as JSON, written straight into a buffer: a parser that prints
 * numbers again would change the payload.
 */
#include "status-store/job_json.h"

#include <stdio.h>

#include "common/base/json_scan.h"
#include "common/base/json_write.h"

/* null when value is empty or NULL. */
static void put_word(struct buffer *out, const char *name, const char *value)
{
        json_put_text_or_null(out, name, bytes_of_text(value));
}

/* Only a payload from a burial, whose key is closed, has to be checked: it may be malformed. Any
 * other comes from a message that was found to be a valid job, here or by the service that
 * published it.
 */
static bool is_json(const struct job_facts *facts, struct bytes payload)
{
        struct scan_fault fault;
        return payload.length == 0 || facts->key.closed == 0 ||
               scan_check(payload, SCAN_DEPTH_MAX, &fault) == 0;
}

static void add_progress(struct buffer *out, const struct job_row *row)
{
        bool is_current = row->step.run == row->winner.run &&
                          row->step.attempt == row->winner.attempt && !job_row_is_given_back(row);
        if (row->step.run == 0 || !is_current) {
                json_put_null(out, "progress");
                return;
        }
        json_begin_object(out, "progress");
        json_put_real(out, "value", row->progress);
        json_put_text_or_null(out, "message", buffer_bytes(&row->progress_message));
        json_end(out);
}

/* A key of an earlier run says nothing about this run. */
static bool is_of_this_run(const struct job_row *row, const struct fold_key *k)
{
        return k->run != 0 && k->run == row->winner.run;
}

static msec run_at_of(const struct job_row *row)
{
        const struct job_facts *facts = job_row_facts(row);
        const struct job_hint *hint = job_row_hint(row);

        if (hint != NULL)
                return is_of_this_run(row, &row->hint_key) ? hint->run_at : 0;
        return is_of_this_run(row, &facts->wait) ? facts->run_at : 0;
}

static void add_course(struct buffer *out, const struct stored_job *job)
{
        const struct job_row *row = &job->row;
        bool started = is_of_this_run(row, &row->start) && !job_row_is_given_back(row);
        bool ended = is_of_this_run(row, &row->finish) && status_is_ended(row->status);
        /* A later start is that of a duplicate, which ran too. */
        if (row->status == STATUS_COMPLETED && row->started_at > row->finished_at)
                started = false;
        json_put_time(out, "created_at", row->created_at);
        json_put_time(out, "run_at", run_at_of(row));
        json_put_time(out, "expires_at", job_row_expires_at(row));
        json_put_time(out, "started_at", started ? row->started_at : 0);
        json_put_time(out, "finished_at", ended ? row->finished_at : 0);
        if (ended && row->status == STATUS_COMPLETED)
                json_put_int(out, "duration_ms", row->duration_ms);
        else if (ended && started && !job_row_ended_unrun(row) &&
                 row->finished_at >= row->started_at)
                json_put_int(out, "duration_ms", row->finished_at - row->started_at);
        else
                json_put_null(out, "duration_ms");
        put_word(out, "worker", started ? row->worker : "");
}

/* One that ended without an attempt shows the last that was made; 0: none. */
static int64_t attempt_of(const struct job_row *row)
{
        bool started = is_of_this_run(row, &row->start);

        if (!job_row_ended_unrun(row))
                return row->winner.attempt;
        return started ? row->start.attempt : 0;
}

/* -1: unknown. */
static int64_t max_retries_of(const struct job_row *row)
{
        const struct job_hint *hint = job_row_hint(row);

        if (hint != NULL)
                return hint->max_retries;
        return row->facts != NULL ? row->facts->max_retries : -1;
}

static void put_trace_id(struct buffer *out, const struct job_row *row)
{
        const struct job_hint *hint = job_row_hint(row);
        const char *trace = hint != NULL ? hint->traceparent : job_row_facts(row)->traceparent;
        char id[33] = "";

        if (trace[0] != '\0')
                (void)snprintf(id, sizeof(id), "%.32s", trace + 3);
        put_word(out, "trace_id", id);
}

void job_json_write(const struct stored_job *job, struct bytes payload, struct buffer *out)
{
        const struct job_row *row = &job->row;
        const struct job_facts *facts = job_row_facts(row);
        bool ended = is_of_this_run(row, &row->finish) && status_is_ended(row->status);
        bool failed = is_of_this_run(row, &row->failure) && row->status != STATUS_COMPLETED;
        int priority = job_row_priority(row);
        int64_t max_retries = max_retries_of(row);
        json_put_string(out, "id", row->id);
        json_put_string(out, "tenant", row->tenant);
        put_word(out, "type", job_row_type(row));
        put_word(out, "priority", priority >= 0 ? priority_name((enum priority)priority) : "");
        put_word(out, "status", status_name(row->status));
        json_put_payload(out, payload, is_json(facts, payload));
        json_put_raw(out, "result", ended ? buffer_bytes(&row->result) : (struct bytes){0});
        json_put_text_or_null(out, "error", failed ? buffer_bytes(&row->error) : (struct bytes){0});
        put_word(out, "error_kind", failed ? error_kind_word(row->error_kind) : "");
        put_word(out, "reason", ended ? reason_word(row->reason) : "");
        json_put_int(out, "run", row->winner.run);
        json_put_int(out, "attempt", attempt_of(row));
        if (max_retries >= 0)
                json_put_int(out, "max_retries", max_retries);
        else
                json_put_null(out, "max_retries");
        if (facts->timeout > 0)
                json_put_int(out, "timeout_ms", facts->timeout);
        add_progress(out, row);
        add_course(out, job);
        json_put_int(out, "duplicates", job->published > 1 ? job->published - 1 : 0);
        put_word(out, "idempotency_key", facts->idempotency_key);
        put_trace_id(out, row);
        bool cancelled = job_row_is_to_be_cancelled(row);
        json_put_time(out, "cancel_requested_at", cancelled ? row->cancel_at : 0);
        put_word(out, "act_by", cancelled || is_of_this_run(row, &row->moved) ? row->act_by : "");
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
