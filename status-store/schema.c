/* SPDX-License-Identifier: Apache-2.0
 *
 * schema.c: the tables of status.db.
 */
#include "status-store/schema.h"

const char schema_tables[] =
        "CREATE TABLE jobs(seq INTEGER PRIMARY KEY, id BLOB NOT NULL,"
        " tenant INTEGER NOT NULL, state INTEGER NOT NULL, created INTEGER NOT NULL, type INTEGER,"
        " priority INTEGER, lane INTEGER, max_retries INTEGER, timeout INTEGER, run_at INTEGER,"
        " started_at INTEGER, worker TEXT, finished_at INTEGER, duration_ms INTEGER,"
        " reason INTEGER, error_kind INTEGER, progress REAL, spilled INTEGER, forgotten INTEGER,"
        " born INTEGER NOT NULL, earliest INTEGER, told INTEGER NOT NULL, content INTEGER,"
        " first INTEGER, ran INTEGER, others INTEGER, published INTEGER, keys BLOB,"
        " traceparent TEXT, key TEXT, key_hash TEXT, progress_message BLOB, error BLOB,"
        " result BLOB);"
        "CREATE UNIQUE INDEX jobs_id ON jobs(id, tenant);"
        "CREATE INDEX jobs_state ON jobs(tenant, state, created);"
        "CREATE TABLE bodies(place INTEGER PRIMARY KEY, payload BLOB);"
        "CREATE TABLE others(seq INTEGER, content INTEGER, first INTEGER, type TEXT,"
        " priority INTEGER, lane INTEGER, max_retries INTEGER, timeout INTEGER, run_at INTEGER,"
        " traceparent TEXT, key TEXT, key_hash TEXT, keys BLOB, PRIMARY KEY(seq, content))"
        " WITHOUT ROWID;"
        "CREATE TABLE attempts(seq INTEGER, run INTEGER, attempt INTEGER,"
        " started_at INTEGER, worker TEXT, redelivered INTEGER, ended_at INTEGER,"
        " outcome INTEGER, reason INTEGER, error_kind INTEGER, keys BLOB, error BLOB,"
        " PRIMARY KEY(seq, run, attempt)) WITHOUT ROWID;"
        "CREATE TABLE starts(seq INTEGER, run INTEGER, attempt INTEGER,"
        " digest INTEGER, at INTEGER, worker TEXT, released INTEGER,"
        " PRIMARY KEY(seq, run, attempt, digest)) WITHOUT ROWID;"
        "CREATE TABLE names(ref INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
        "CREATE TABLE counts(tenant INTEGER, type INTEGER, state INTEGER,"
        " n INTEGER NOT NULL, PRIMARY KEY(tenant, type, state)) WITHOUT ROWID;"
        "CREATE TABLE counters(tenant INTEGER PRIMARY KEY, submitted INTEGER,"
        " completed INTEGER, failed INTEGER, retried INTEGER, dead INTEGER);"
        "CREATE TABLE minutes(minute INTEGER, tenant INTEGER, submitted INTEGER,"
        " completed INTEGER, failed INTEGER, retried INTEGER, dead INTEGER, latency BLOB,"
        " wait BLOB, duration BLOB, PRIMARY KEY(minute, tenant)) WITHOUT ROWID;"
        "CREATE TABLE workers(worker TEXT PRIMARY KEY, at INTEGER, state TEXT,"
        " raw BLOB) WITHOUT ROWID;"
        "CREATE TABLE position(one INTEGER PRIMARY KEY CHECK(one = 1),"
        " offset INTEGER, hash INTEGER, clock INTEGER, first_offset INTEGER, messages INTEGER,"
        " events INTEGER, skipped INTEGER, gaps INTEGER, gap_from INTEGER, gap_to INTEGER,"
        " rebuilds INTEGER, base INTEGER, counted INTEGER);";

const char delete_bodies_sql[] =
        "DELETE FROM bodies WHERE place IN (SELECT first * 4096 FROM jobs WHERE seq = ?1 AND"
        " content IS NOT NULL UNION ALL"
        " SELECT first * 4096 FROM others WHERE seq = ?1)";
