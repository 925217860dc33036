/* SPDX-License-Identifier: Apache-2.0
 *
 * columns.h: the members of the rows of status.db, each with its column (common/db/columns.h). A
 * new column needs a step in migrations.c.
 */
#pragma once

#include "common/db/columns.h"

/* clang-format off */

/* Of struct stored_job, in `jobs`. Further columns: seq, id, tenant and type (in `names`), others
 * (how many rows of `others`), keys, history. */
#define JOB_MEMBERS(X) \
        X(state, "INTEGER NOT NULL", COLUMN_ENUM, state) \
        X(shelf, "INTEGER NOT NULL", COLUMN_ENUM, shelf) \
        X(created, "INTEGER NOT NULL", COLUMN_INT, row.created_at) \
        X(born, "INTEGER NOT NULL", COLUMN_INT, row.born) \
        X(earliest, "INTEGER", COLUMN_INT_OR_NULL, row.earliest) \
        X(told, "INTEGER NOT NULL", COLUMN_INT, row.told_at) \
        X(started_at, "INTEGER", COLUMN_INT_OR_NULL, row.started_at) \
        X(worker, "TEXT", COLUMN_TEXT, row.worker) \
        X(finished_at, "INTEGER", COLUMN_INT_OR_NULL, row.finished_at) \
        X(duration_ms, "INTEGER", COLUMN_INT_OR_NULL, row.duration_ms) \
        X(reason, "INTEGER", COLUMN_ENUM_OR_NULL, row.reason) \
        X(error_kind, "INTEGER", COLUMN_ENUM_OR_NULL, row.error_kind) \
        X(progress, "REAL", COLUMN_REAL, row.progress) \
        X(spilled, "INTEGER", COLUMN_FLAG_OR_NULL, spilled) \
        X(forgotten, "INTEGER", COLUMN_INT_OR_NULL, row.forgotten_run) \
        X(ran, "INTEGER", COLUMN_INT_OR_NULL, row.ran_content) \
        X(published, "INTEGER", COLUMN_INT_OR_NULL, published) \
        X(cancel_at, "INTEGER", COLUMN_INT_OR_NULL, row.cancel_at) \
        X(act_by, "TEXT", COLUMN_TEXT, row.act_by) \
        X(hint_type, "TEXT", COLUMN_TEXT, row.hint.type) \
        X(hint_priority, "INTEGER", COLUMN_INT_OR_NULL, row.hint.priority) \
        X(hint_max_retries, "INTEGER", COLUMN_INT_OR_NULL, row.hint.max_retries) \
        X(hint_submitted_at, "INTEGER", COLUMN_INT_OR_NULL, row.hint.submitted_at) \
        X(hint_run_at, "INTEGER", COLUMN_INT_OR_NULL, row.hint.run_at) \
        X(hint_expires, "INTEGER", COLUMN_INT_OR_NULL, row.hint.expires_at) \
        X(hint_traceparent, "TEXT", COLUMN_TEXT, row.hint.traceparent) \
        X(progress_message, "BLOB", COLUMN_BUFFER, row.progress_message) \
        X(error, "BLOB", COLUMN_BUFFER, row.error) \
        X(result, "BLOB", COLUMN_BUFFER, row.result)

/* Of struct job_facts, in `jobs` and `others`. Further columns: type, keys. */
#define FACTS_MEMBERS(X) \
        X(content, "INTEGER", COLUMN_INT_OR_NULL, content) \
        X(first, "INTEGER", COLUMN_INT, first) \
        X(priority, "INTEGER", COLUMN_ENUM, priority) \
        X(lane, "INTEGER", COLUMN_ENUM, lane) \
        X(max_retries, "INTEGER", COLUMN_INT, max_retries) \
        X(timeout, "INTEGER", COLUMN_INT_OR_NULL, timeout) \
        X(run_at, "INTEGER", COLUMN_INT_OR_NULL, run_at) \
        X(expires, "INTEGER", COLUMN_INT_OR_NULL, expires_at) \
        X(traceparent, "TEXT", COLUMN_TEXT, traceparent) \
        X(key, "TEXT", COLUMN_TEXT, idempotency_key) \
        X(key_hash, "TEXT", COLUMN_TEXT, key_hash)

/* Of struct attempt_row, in `attempts`. Further columns: seq, keys. */
#define ATTEMPT_MEMBERS(X) \
        X(run, "INTEGER", COLUMN_INT, run) \
        X(attempt, "INTEGER", COLUMN_INT, attempt) \
        X(started_at, "INTEGER", COLUMN_INT_OR_NULL, started_at) \
        X(worker, "TEXT", COLUMN_TEXT, worker) \
        X(redelivered, "INTEGER", COLUMN_FLAG, redelivered) \
        X(ended_at, "INTEGER", COLUMN_INT_OR_NULL, ended_at) \
        X(outcome, "INTEGER", COLUMN_ENUM, outcome) \
        X(reason, "INTEGER", COLUMN_ENUM, reason) \
        X(error_kind, "INTEGER", COLUMN_ENUM, error_kind) \
        X(error, "BLOB", COLUMN_BUFFER, error)

/* Of struct start, in `starts`. Further column: seq. */
#define START_MEMBERS(X) \
        X(run, "INTEGER", COLUMN_INT, run) \
        X(attempt, "INTEGER", COLUMN_INT, attempt) \
        X(digest, "INTEGER", COLUMN_INT, digest) \
        X(at, "INTEGER", COLUMN_INT, at) \
        X(worker, "TEXT", COLUMN_TEXT, worker) \
        X(released, "INTEGER", COLUMN_FLAG, released)

/* Of struct position, in `position`. Further column: one, which is 1 in the only row. */
#define POSITION_MEMBERS(X) \
        X(offset, "INTEGER", COLUMN_INT, offset) \
        X(hash, "INTEGER", COLUMN_INT, hash) \
        X(clock, "INTEGER", COLUMN_INT, clock) \
        X(first_offset, "INTEGER", COLUMN_INT, first_offset) \
        X(messages, "INTEGER", COLUMN_INT, messages) \
        X(events, "INTEGER", COLUMN_INT, events) \
        X(skipped, "INTEGER", COLUMN_INT, skipped) \
        X(gaps, "INTEGER", COLUMN_INT, gaps) \
        X(gap_from, "INTEGER", COLUMN_INT, gap_from) \
        X(gap_to, "INTEGER", COLUMN_INT, gap_to) \
        X(rebuilds, "INTEGER", COLUMN_INT, rebuilds) \
        X(base, "INTEGER", COLUMN_INT, base) \
        X(counted, "INTEGER", COLUMN_INT, counted)

/* clang-format on */
