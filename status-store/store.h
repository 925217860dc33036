/* SPDX-License-Identifier: Apache-2.0
 *
 * store.h: the writing side of status.db: rows in, rows out, and how far the stream was folded. One
 * thread.
 */
#ifndef WARREN_STATUS_STORE_STORE_H
#define WARREN_STATUS_STORE_STORE_H

#include "status-store/names.h"
#include "status-store/schema.h"

struct position {
        bool known;           /* false: nothing has been folded yet */
        int64_t offset;       /* of the last message folded */
        int64_t hash;         /* of that message; 0: not known */
        msec clock;           /* the stream's: the greatest time a service told; 0: none did */
        int64_t first_offset; /* where the history in the tables begins */
        int64_t messages, events, skipped;
        int64_t gaps;             /* how often messages were missing */
        int64_t gap_from, gap_to; /* the last of these, inclusive */
        int64_t rebuilds;         /* how often the stream was rewound */
        int64_t base;             /* see schema.h */
        msec counted; /* what is told up to this clock was counted before a rewind; 0: none */
};

struct store;

/* Opens the file, migrates it or creates it. A damaged one is renamed and made anew: the stream has
 * most of it. ERR_CONFLICT: a later version made it. */
struct store *store_create(const char *path, struct err *e) MUST_CHECK;
void store_destroy(struct store **s);
sqlite3 *store_db(struct store *s);
struct names *store_names(struct store *s);

int store_begin(struct store *s, struct err *e) MUST_CHECK;
/* Writes the position in the same transaction. */
int store_commit(struct store *s, const struct position *p, struct err *e) MUST_CHECK;
void store_rollback(struct store *s);
int store_position(struct store *s, struct position *p, struct err *e) MUST_CHECK;
/* The stream was rewound: the position goes back to before its start, in a transaction of its own.
 * Rows and counts stay. */
int store_rewind(struct store *s, struct err *e) MUST_CHECK;

/* 1: found, job (zeroed before) is filled, without its payload; 0: not there; -1. */
int store_find(struct store *s, int64_t tenant, const unsigned char id[ID_SIZE],
               struct stored_job *job, struct err *e) MUST_CHECK;
int store_insert(struct store *s, int64_t tenant, const unsigned char id[ID_SIZE],
                 const struct stored_job *job, int64_t type, struct err *e) MUST_CHECK;
int store_update(struct store *s, const struct stored_job *job, int64_t type,
                 struct err *e) MUST_CHECK;
/* Dates what was stored before the stream had a clock (job_row_date), within a transaction. */
int store_date(struct store *s, msec first, struct err *e) MUST_CHECK;
/* The payloads that `all` holds. */
int store_put_payloads(struct store *s, const struct job_facts *all, struct err *e) MUST_CHECK;
/* Deletes those of the job as it is stored. */
int store_drop_payloads(struct store *s, int64_t seq, struct err *e) MUST_CHECK;
/* Of a job that has more than one content: appends the rest to *all. */
int store_load_others(struct store *s, int64_t seq, struct job_facts **all,
                      struct err *e) MUST_CHECK;
/* Replaces them. */
int store_put_others(struct store *s, int64_t seq, const struct job_facts *others,
                     struct err *e) MUST_CHECK;

/* Calls each with every attempt of the job; what it is given is lent. */
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
        bool released; /* given back by that worker */
};
int store_put_start(struct store *s, int64_t seq, const struct start *start,
                    struct err *e) MUST_CHECK;
/* Deletes the attempts of runs up to this one. */
int store_forget_attempts(struct store *s, int64_t seq, int64_t run, struct err *e) MUST_CHECK;
/* Keeps the newest record of a worker. */
int store_put_worker(struct store *s, struct bytes worker, msec at, const char *state,
                     struct bytes raw, struct err *e) MUST_CHECK;

#endif
