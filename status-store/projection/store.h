/* SPDX-License-Identifier: Apache-2.0
 *
 * store.h: writes status.db: rows of jobs and attempts, and the position in the stream. Loop thread
 * only.
 */
#pragma once

#include "status-store/projection/finds.h"
#include "status-store/projection/names.h"
#include "status-store/projection/schema.h"

struct position {
        bool known;           /* false: nothing has been folded yet */
        int64_t offset;       /* of the last message folded */
        int64_t hash;         /* of that message; 0: not known */
        msec clock;           /* of the stream: the greatest time from a service; 0: none yet */
        int64_t first_offset; /* where the history in the tables begins */
        int64_t messages, events, skipped;
        int64_t gaps;             /* how often messages were missing */
        int64_t gap_from, gap_to; /* the last gap, inclusive */
        int64_t rebuilds;         /* how often the stream was rewound */
        int64_t base;             /* see schema.h */
        msec counted; /* after a rewind: events up to this clock are counted already; 0: none */
};

struct store;

/* Opens the file; migrates or creates it. A damaged file is renamed and a new one is made, to be
 * filled from the stream. ERR_CONFLICT: a later version made the file. */
struct store *store_create(const char *path, struct err *e) MUST_CHECK;
void store_destroy(struct store **s);
struct database *store_database(struct store *s);
struct names *store_names(struct store *s);

int store_begin(struct store *s, struct err *e) MUST_CHECK;
/* Writes the position and commits. */
int store_commit(struct store *s, const struct position *p, struct err *e) MUST_CHECK;
void store_rollback(struct store *s);
int store_position(struct store *s, struct position *p, struct err *e) MUST_CHECK;
/* The stream was rewound: sets the position to before its start, in a transaction of its own. Rows
 * and counts stay. */
int store_rewind(struct store *s, struct err *e) MUST_CHECK;

/* 1: found, fills job (zeroed before) without its payload; 0: unknown; -1. */
int store_find(struct store *s, int64_t tenant, const unsigned char id[ID_SIZE],
               struct stored_job *job, struct err *e) MUST_CHECK;
int store_insert(struct store *s, int64_t tenant, const unsigned char id[ID_SIZE],
                 const struct stored_job *job, int64_t type, struct err *e) MUST_CHECK;
int store_update(struct store *s, const struct stored_job *job, int64_t type,
                 struct err *e) MUST_CHECK;
int store_put_find(struct store *s, int64_t seq, const struct find *f, struct err *e) MUST_CHECK;
/* Within a transaction: sets the times of rows stored before the stream had a clock. */
int store_date(struct store *s, msec first, struct err *e) MUST_CHECK;
/* Writes the payloads in `all`. */
int store_put_payloads(struct store *s, const struct job_facts *all, struct err *e) MUST_CHECK;
/* Deletes the stored payloads of the job. */
int store_drop_payloads(struct store *s, int64_t seq, struct err *e) MUST_CHECK;
/* Appends the other contents of the job to *all. */
int store_load_others(struct store *s, int64_t seq, struct job_facts **all,
                      struct err *e) MUST_CHECK;
/* Replaces the other contents. */
int store_put_others(struct store *s, int64_t seq, const struct job_facts *others,
                     struct err *e) MUST_CHECK;

/* Calls `each` for every attempt of the job, and lends it. */
typedef void attempt_fn(void *owner, const struct attempt_row *a);
int store_each_attempt(struct store *s, int64_t seq, attempt_fn *each, void *owner,
                       struct err *e) MUST_CHECK;
int store_put_attempt(struct store *s, int64_t seq, const struct attempt_row *a,
                      struct err *e) MUST_CHECK;

struct start {
        int64_t run, attempt;
        uint64_t digest;
        msec at;
        char worker[WORKER_NAME_SIZE];
        bool released; /* the worker gave it back */
};
int store_put_start(struct store *s, int64_t seq, const struct start *start,
                    struct err *e) MUST_CHECK;
/* Deletes attempts and starts of runs up to this one. */
int store_forget_attempts(struct store *s, int64_t seq, int64_t run, struct err *e) MUST_CHECK;
/* Writes the record of a worker, unless the stored one is newer. */
int store_put_worker(struct store *s, struct bytes worker, msec at, const char *state,
                     struct bytes record, struct err *e) MUST_CHECK;
