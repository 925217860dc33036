/* SPDX-License-Identifier: Apache-2.0
 *
 * schema.c: the tables of status.db.
 */
#include "status-store/schema.h"

const char schema_tables[] =
        "CREATE TABLE jobs(seq INTEGER PRIMARY KEY, id BLOB NOT NULL, tenant INTEGER NOT NULL,"
        " type INTEGER, others INTEGER, keys BLOB" JOB_DECLARED FACTS_DECLARED ");"
        "CREATE UNIQUE INDEX jobs_id ON jobs(id, tenant);"
        "CREATE INDEX jobs_state ON jobs(tenant, state, created);"
        "CREATE TABLE bodies(place INTEGER PRIMARY KEY, payload BLOB);"
        "CREATE TABLE others(seq INTEGER, type TEXT, keys BLOB" FACTS_DECLARED
        ", PRIMARY KEY(seq, content)) WITHOUT ROWID;"
        "CREATE TABLE attempts(seq INTEGER, keys BLOB" ATTEMPT_DECLARED
        ", PRIMARY KEY(seq, run, attempt)) WITHOUT ROWID;"
        "CREATE TABLE starts(seq INTEGER" START_DECLARED
        ", PRIMARY KEY(seq, run, attempt, digest)) WITHOUT ROWID;"
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
        "CREATE TABLE position(one INTEGER PRIMARY KEY CHECK(one = 1)" POSITION_DECLARED ");";

const char delete_bodies_sql[] =
        "DELETE FROM bodies WHERE place IN (SELECT first * 4096 FROM jobs WHERE seq = ?1 AND"
        " content IS NOT NULL UNION ALL"
        " SELECT first * 4096 FROM others WHERE seq = ?1)";
