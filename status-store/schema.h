/* SPDX-License-Identifier: Apache-2.0
 *
 * schema.h: the tables of status.db, and the columns that make a job's row.
 *
 *      jobs      one row a job; seq = place of the message that made it × 4096 + n, so a rebuild
 *                gives every job the same seq
 *      bodies    the payloads, apart, so that a change of state does not write them again; place =
 *                place of the first message with it × 4096
 *      others    what other messages with a job's id say of it: facts that are not shown
 *      attempts  only of jobs that had more than one plain, successful first attempt
 *      starts    the distinct `started` events of those jobs, and what their workers gave back
 *      names     tenants and types, by number
 *      counts    jobs by tenant, type and state, kept in the transaction that changes them
 *      counters  what happened, by tenant, since the stream's beginning
 *      minutes   the same by minute, with histograms, for a day
 *      workers   the last record of each consumer
 *      position  how far the stream has been folded
 *
 * A message's place is its offset, plus `base` in `position` once the stream was rewound: no two
 * messages have the same. A row that an earlier version made has a negative one of its own.
 *
 * Whoever changes a table adds a step in migrations.c.
 */
#ifndef WARREN_STATUS_STORE_SCHEMA_H
#define WARREN_STATUS_STORE_SCHEMA_H

#include "common/db/db.h"
#include "common/model/attempt_row.h"
#include "status-store/columns.h"

enum { STATE_HIDDEN = STATUS_COUNT }; /* in column state: a row that is not shown */
enum { SEQ_PER_OFFSET = 4096 };       /* delete_bodies_sql has it too */

extern const char schema_tables[];

#define OF_JOBS(column, declaration, kind, member) ", j." #column
/* For SELECT … FROM jobs j. */
#define JOB_COLUMNS \
        "j.seq, j.id, (SELECT name FROM names WHERE ref = j.tenant)," \
        " (SELECT name FROM names WHERE ref = j.type), j.others, j.keys" JOB_MEMBERS(OF_JOBS) \
                FACTS_MEMBERS(OF_JOBS)
enum { JOB_COLUMN_COUNT = 6 JOB_MEMBERS(COLUMN_ONE) FACTS_MEMBERS(COLUMN_ONE) };

/* Fold keys as one blob: for each, varints and the digest; a single 0 for an empty one. */
enum { KEYS_MAX = 10, KEYS_SIZE = KEYS_MAX * (6 * 10 + 8) };

enum { ID_SIZE = 16 };
/* The 16 bytes of a canonical UUID; false when it is none. */
bool id_pack(const char *uuid, unsigned char out[ID_SIZE]);
void id_unpack(const unsigned char id[ID_SIZE], char out[UUID_SIZE]);

/* A row as it is stored, without its payload. */
struct stored_job {
        int64_t seq;
        int state;
        bool spilled;      /* its attempts are in `attempts` */
        int others;        /* so many rows in `others`, as it was read */
        int64_t published; /* how often it was: not counting what services publish on its way */
        struct job_row row;
};

/* Fills job (zeroed) from JOB_COLUMNS at the front of the statement's row. */
int stored_job_read(sqlite3_stmt *s, struct stored_job *job, struct err *e) MUST_CHECK;
/* Binds others, keys, and the members, from place `first`. Returns the place after the last. */
int stored_job_bind(sqlite3_stmt *s, int first, const struct stored_job *job,
                    unsigned char keys[KEYS_SIZE]);
void stored_job_fini(struct stored_job *job);

/* Of a row in `others`: `SELECT OTHER_COLUMNS FROM others`. Owned. */
#define OTHER_COLUMNS "type, keys" FACTS_NAMES
struct job_facts *other_read(sqlite3_stmt *s, struct err *e) MUST_CHECK;
/* Binds OTHER_COLUMNS from place `first`. */
void other_bind(sqlite3_stmt *s, int first, const struct job_facts *f,
                unsigned char keys[KEYS_SIZE]);

/* Deletes all payloads of job ?1 as it is stored. */
extern const char delete_bodies_sql[];

/* Where the payload of what is shown stands in `bodies`; -1: nowhere. */
int64_t job_body_place(const struct job_row *row);

/* Attempts: `SELECT ATTEMPT_COLUMNS FROM attempts`. */
#define ATTEMPT_COLUMNS "keys" ATTEMPT_NAMES
int attempt_read(sqlite3_stmt *s, struct attempt_row *a, struct err *e) MUST_CHECK;
void attempt_bind(sqlite3_stmt *s, int first, const struct attempt_row *a,
                  unsigned char keys[KEYS_SIZE]);

size_t keys_pack(const struct fold_key *const *keys, size_t count, unsigned char out[KEYS_SIZE]);
int keys_unpack(struct bytes packed, struct fold_key *const *keys, size_t count,
                struct err *e) MUST_CHECK;
/* Those of a row, in the order they are packed. */
void job_row_keys(struct job_row *row, struct fold_key *keys[KEYS_MAX]);

#endif
