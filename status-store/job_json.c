/* SPDX-License-Identifier: Apache-2.0
 *
 * job_json.c: a job and its attempts as JSON, written straight into a buffer: a parser that prints
 * numbers again would change the payload.
 */
#include "status-store/job_json.h"

#include <stdio.h>

#include "common/base/json_scan.h"

static void add_name(struct buffer *out, const char *name)
{
        buffer_printf(out, ",\"%s\":", name);
}

static void add_bytes(struct buffer *out, const char *name, struct bytes value)
{
        add_name(out, name);
        if (value.length == 0)
                buffer_add_text(out, "null");
        else
                buffer_add_json_string(out, value);
}

static void add_text(struct buffer *out, const char *name, const char *value)
{
        add_bytes(out, name, bytes_of_text(value));
}

static void add_int(struct buffer *out, const char *name, int64_t value)
{
        buffer_printf(out, ",\"%s\":%lld", name, (long long)value);
}

static void add_time(struct buffer *out, const char *name, msec at)
{
        char text[TIME_TEXT_SIZE];
        if (at <= 0)
                buffer_printf(out, ",\"%s\":null", name);
        else
                buffer_printf(out, ",\"%s\":\"%s\"", name, time_format(at, text));
}

static void add_payload(struct buffer *out, struct bytes payload)
{
        struct scan_fault fault;
        if (payload.length == 0) {
                buffer_add_text(out, ",\"payload\":null");
        } else if (scan_check(payload, SCAN_DEPTH_MAX, &fault) == 0) {
                add_name(out, "payload");
                buffer_add(out, payload.data, payload.length);
        } else {
                buffer_add_text(out, ",\"payload\":null,\"payload_base64\":\"");
                buffer_add_base64(out, payload);
                buffer_add_char(out, '"');
        }
}

static void add_result(struct buffer *out, struct bytes result)
{
        add_name(out, "result");
        if (result.length == 0)
                buffer_add_text(out, "null");
        else
                buffer_add(out, result.data, result.length);
}

static void add_progress(struct buffer *out, const struct job_row *row)
{
        bool told = row->step.run == row->winner.run && row->step.attempt == row->winner.attempt &&
                    !job_row_is_given_back(row);
        if (row->step.run == 0 || !told) {
                buffer_add_text(out, ",\"progress\":null");
                return;
        }
        buffer_printf(out, ",\"progress\":{\"value\":%.6g", row->progress);
        add_bytes(out, "message", buffer_bytes(&row->progress_message));
        buffer_add_char(out, '}');
}

/* A register of an earlier run says nothing of this one. */
static bool is_of_this_run(const struct job_row *row, const struct fold_key *k)
{
        return k->run != 0 && k->run == row->winner.run;
}

static void add_course(struct buffer *out, const struct stored_job *job)
{
        const struct job_row *row = &job->row;
        const struct job_facts *facts = job_row_facts(row);
        bool started = is_of_this_run(row, &row->start) && !job_row_is_given_back(row);
        bool ended = is_of_this_run(row, &row->finish) && status_is_ended(row->status);
        /* A later start is a duplicate's, which ran as well. */
        if (row->status == STATUS_COMPLETED && row->started_at > row->finished_at)
                started = false;
        add_time(out, "created_at", row->created_at);
        add_time(out, "run_at", is_of_this_run(row, &facts->wait) ? facts->run_at : 0);
        add_time(out, "started_at", started ? row->started_at : 0);
        add_time(out, "finished_at", ended ? row->finished_at : 0);
        if (ended && row->status == STATUS_COMPLETED)
                add_int(out, "duration_ms", row->duration_ms);
        else if (ended && started && row->finished_at >= row->started_at)
                add_int(out, "duration_ms", row->finished_at - row->started_at);
        else
                buffer_add_text(out, ",\"duration_ms\":null");
        add_text(out, "worker", started ? row->worker : "");
}

void job_json_write(const struct stored_job *job, struct bytes payload, struct buffer *out)
{
        const struct job_row *row = &job->row;
        const struct job_facts *facts = job_row_facts(row);
        bool ended = is_of_this_run(row, &row->finish) && status_is_ended(row->status);
        bool failed = is_of_this_run(row, &row->failure) && row->status != STATUS_COMPLETED;
        char trace[33] = "";
        if (facts->traceparent[0] != '\0')
                (void)snprintf(trace, sizeof(trace), "%.32s", facts->traceparent + 3);
        buffer_printf(out, "\"id\":\"%s\",\"tenant\":\"%s\"", row->id, row->tenant);
        add_text(out, "type", facts->type);
        /* A job message that never reached the stream leaves these unknown. */
        add_text(out, "priority", row->facts != NULL ? priority_name(facts->priority) : "");
        add_text(out, "status", status_name(row->status));
        add_payload(out, payload);
        add_result(out, ended ? buffer_bytes(&row->result) : (struct bytes){0});
        add_bytes(out, "error", failed ? buffer_bytes(&row->error) : (struct bytes){0});
        add_text(out, "error_kind", failed ? error_kind_word(row->error_kind) : "");
        add_text(out, "reason", ended ? reason_word(row->reason) : "");
        add_int(out, "run", row->winner.run);
        add_int(out, "attempt", row->winner.attempt);
        if (row->facts != NULL)
                add_int(out, "max_retries", facts->max_retries);
        else
                buffer_add_text(out, ",\"max_retries\":null");
        if (facts->timeout > 0)
                add_int(out, "timeout_ms", facts->timeout);
        add_progress(out, row);
        add_course(out, job);
        add_int(out, "duplicates", job->published > 1 ? job->published - 1 : 0);
        add_text(out, "idempotency_key", facts->idempotency_key);
        add_text(out, "trace_id", trace);
}

/* A worker that was given up and goes on says so of the job alone. */
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
        buffer_printf(out, "{\"run\":%lld,\"attempt\":%lld", (long long)a->run,
                      (long long)a->attempt);
        add_text(out, "worker", again ? "" : a->worker);
        add_time(out, "started_at", started_at);
        add_time(out, "finished_at", ended_at);
        if (started_at > 0 && ended_at >= started_at)
                add_int(out, "duration_ms", ended_at - started_at);
        else
                buffer_add_text(out, ",\"duration_ms\":null");
        add_text(out, "outcome", attempt_outcome_name(outcome));
        add_text(out, "reason", reason_word(a->reason));
        add_bytes(out, "error", buffer_bytes(&a->error));
        add_text(out, "error_kind", error_kind_word(a->error_kind));
        buffer_printf(out, ",\"redelivered\":%s}", a->redelivered ? "true" : "false");
}
