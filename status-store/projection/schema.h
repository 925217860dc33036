/* SPDX-License-Identifier: Apache-2.0
 *
 * schema.h: the tables of status.db, and how a job's row is read and bound.
 *
 *      jobs      one row a job; seq = place of the stream's first message about it, + n for the
 *                n-th new job there, so every replica and rebuild gives it the same seq while the
 *                stream was not rewound
 *      bodies    payloads, in a table of their own so that a change of state does not rewrite
 *                them; place = place of the first message with the payload
 *      others    other contents that messages with the job's id had; not shown
 *      attempts  of jobs whose row cannot hold them (job_entry.h)
 *      starts    the distinct `started` events of those jobs, and starts that were given back
 *      names     the numbers of tenants and types
 *      finds     digests of jobs' trace ids and idempotency keys (finds.h); no index, because
 *                digests are random: a search reads all
 *      counts    jobs by tenant, type and shelf
 *      counters  submitted, completed, failed, retried, dead by tenant, since the stream began
 *      minutes   the same by minute, with histograms, for 25 hours
 *      type_minutes  completed, failed, dead and durations by minute, tenant and type, for an hour
 *      workers   the last record of each consumer
 *      position  how far the stream has been folded
 *
 * A message's place is (its offset + `base` of table position) × 4096; of one that came in a pack
 * it is the pack's place + its number there. `base` grows when the stream is rewound, so no two
 * messages have the same place. Contents migrated from version 4 or earlier have negative ones. The
 * keys of rows from version 6 or earlier hold offset + base, which is less than any later place.
 *
 * Tenant 0 in counts, counters and minutes is the sum of all tenants.
 *
 * A change of a table needs a step in migrations.c.
 */
#pragma once

#include "common/db/db.h"
#include "common/model/attempt_row.h"
#include "status-store/projection/columns.h"

enum { STATE_HIDDEN = STATUS_COUNT }; /* in column state: the row is not shown */
enum { TENANT_ALL = 0 };              /* in column tenant of the counts */

/* Column shelf: state × 8 + priority (4: unknown), so that one column is what lists filter by. */
enum { SHELF_STATE = 8, SHELF_PRIORITY_UNKNOWN = 4 };
int job_row_state(const struct job_row *row);
int job_row_shelf(const struct job_row *row);
enum { SEQ_PER_OFFSET = 4096 }; /* places of an offset: jobs of one message at most */

extern const char schema_tables[];
/* Gives a file of any earlier version these tables (db_migrate). Its rows stay, because the stream
 * may no longer hold their events. */
int status_db_migrate(sqlite3 *db, struct err *e) MUST_CHECK;

#define OF_JOBS(column, declaration, kind, member) ", j." #column
/* For SELECT … FROM jobs j. */
#define JOB_COLUMNS \
        "j.seq, j.id, (SELECT name FROM names WHERE ref = j.tenant)," \
        " (SELECT name FROM names WHERE ref = j.type), j.others, j.keys" JOB_MEMBERS(OF_JOBS) \
                FACTS_MEMBERS(OF_JOBS)
enum { JOB_COLUMN_COUNT = 6 JOB_MEMBERS(COLUMN_ONE) FACTS_MEMBERS(COLUMN_ONE) };

/* Fold keys as one blob: for each, six varints and the digest; an empty key is a single 0. Empty
 * ones at the end of a job's blob are left out, but for the first KEYS_ALWAYS. */
enum { KEYS_ALWAYS = 10, KEYS_MAX = 13, KEYS_SIZE = KEYS_MAX * (6 * 10 + 8) };

enum { ID_SIZE = UUID_BYTES };

/* A row as it is stored, without its payload. */
struct stored_job {
        int64_t seq;
        int state, shelf;
        bool spilled;          /* its attempts are in `attempts` */
        int others;            /* how many rows `others` had when it was read */
        int64_t published;     /* how often clients published it; services do not count */
        struct buffer history; /* its events (history.h); store_find alone reads it */
        struct job_row row;
};

/* Fills job (zeroed) from JOB_COLUMNS at the front of the statement's row. */
int stored_job_read(sqlite3_stmt *s, struct stored_job *job, struct err *e) MUST_CHECK;
/* Binds others, keys, and the members, from place `first`. Returns the place after the last. */
int stored_job_bind(sqlite3_stmt *s, int first, const struct stored_job *job,
                    unsigned char keys[KEYS_SIZE]);
void stored_job_fini(struct stored_job *job);
#define AUTO_STORED_JOB __attribute__((cleanup(stored_job_fini))) struct stored_job

/* From `SELECT OTHER_COLUMNS FROM others`. The caller owns the result. */
#define OTHER_COLUMNS "type, keys" FACTS_MEMBERS(COLUMN_NAMED)
struct job_facts *other_read(sqlite3_stmt *s, struct err *e) MUST_CHECK;
/* Binds OTHER_COLUMNS from place `first`. */
void other_bind(sqlite3_stmt *s, int first, const struct job_facts *f,
                unsigned char keys[KEYS_SIZE]);

/* Deletes all payloads of job ?1 that its stored rows refer to. */
extern const char delete_bodies_sql[];

/* The place in `bodies` of the payload that is shown; -1: none. */
int64_t job_body_place(const struct job_row *row);

#define AUTO_ATTEMPT_ROW __attribute__((cleanup(attempt_row_fini))) struct attempt_row
/* From `SELECT ATTEMPT_COLUMNS FROM attempts`. */
#define ATTEMPT_COLUMNS "keys" ATTEMPT_MEMBERS(COLUMN_NAMED)
int attempt_read(sqlite3_stmt *s, struct attempt_row *a, struct err *e) MUST_CHECK;
void attempt_bind(sqlite3_stmt *s, int first, const struct attempt_row *a,
                  unsigned char keys[KEYS_SIZE]);

size_t keys_pack(const struct fold_key *const *keys, size_t count, unsigned char out[KEYS_SIZE]);
int keys_unpack(struct bytes packed, struct fold_key *const *keys, size_t count,
                struct err *e) MUST_CHECK;
/* The fold keys of a row, in the order in which they are packed. */
void job_row_keys(struct job_row *row, struct fold_key *keys[KEYS_MAX]);

/* What more than one part asks: parameters → columns. */
extern const char payload_sql[];  /* place → payload */
extern const char workers_sql[];  /* → worker, at, state, raw */
extern const char counts_sql[];   /* tenant name or "*" → tenant ref, tenant, type, state, n; a
                                     tenant's state has several rows */
extern const char position_sql[]; /* → offset, first_offset, events, skipped, gaps, rebuilds,
                                     gap_from, gap_to */
/* In WHERE, for counters and minutes; ?1: a tenant's name, or "*" for the rows of all. */
#define OF_TENANT \
        " tenant = CASE ?1 WHEN '*' THEN 0 ELSE (SELECT ref FROM names WHERE name = ?1) END "
