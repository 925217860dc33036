/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_acts.h: acts on jobs in registry.db: those under way (intents), the last act on each job
 * (the moved list), and the run numbers that were granted.
 *
 * Threads and errors as in registry.h.
 */
#pragma once

#include "common/db/writer.h"
#include "status-store/acts/act_rules.h"
#include "status-store/jobs/lookup.h"
#include "status-store/registry/registry.h"

/* An act that was begun: all that is needed to do it again, but the row and its payload. */
struct intent {
        enum act_kind kind;
        char tenant[TENANT_SIZE], id[UUID_SIZE];
        int64_t run, attempt; /* the number that was to start, or ran */
        int64_t copy;         /* of the message that it publishes; 0: it publishes none */
        msec run_at;
        int priority;
        int64_t moved;
        msec due;                 /* the latest time at which a message of the job may come due */
        char type[JOB_TYPE_SIZE]; /* not stored; "": unknown */
        char by[ACT_BY_SIZE];
        msec at;
};

/* In one write: the intents, and what `progress` does (NULL: nothing). A RETRY is granted its run:
 * one more than its `run`, and than any that was granted of the job before. */
int registry_begin_acts(struct registry *r, struct intent *all, size_t count, write_fn *progress,
                        void *owner, struct err *e) MUST_CHECK;

struct moved_terms {
        msec now, keep;             /* how long a row is kept after its latest due time */
        bool full;                  /* a new row is left out where it may be missing */
        char crowding[TENANT_SIZE]; /* likewise one of this tenant; "": there is none */
};
/* There is room for a new row of the tenant only where it must not be missing. */
bool moved_is_short(const struct moved_terms *terms, const char *tenant);
/* 1: consumers have the act's mark until its last message has come due, and no pause that is on
 * keeps that from them; 0; -1. */
int registry_moved_may_be_missing(struct registry *r, const struct intent *i,
                                  const struct moved_terms *terms, struct err *e) MUST_CHECK;
/* In one write: the moved list, and the intents are deleted. *added: new rows of the list. */
int registry_end_acts(struct registry *r, const struct intent *all, size_t count,
                      const struct moved_terms *terms, int64_t *added, struct err *e) MUST_CHECK;
/* The act cannot be done any more: deletes its intent. */
int registry_drop_act(struct registry *r, const struct intent *intent, struct err *e) MUST_CHECK;
/* The job's intent, tenant "*": any. 1; 0: there is none; -1. */
int registry_intent(struct registry *r, const char *tenant, const char *id, struct intent *out,
                    struct err *e) MUST_CHECK;
/* Some intents, the oldest first, behind `after` (NULL: from the first), which may be of `out`.
 * Returns how many, or -1. */
int registry_intents(struct registry *r, const struct intent *after, struct intent *out, size_t max,
                     struct err *e) MUST_CHECK;
int registry_count_intents(struct registry *r, int64_t *count, struct err *e) MUST_CHECK;

/* Grants the next run of the job, above `after`: to the same holder the same again. ERR_CONFLICT:
 * a later run than the holder's is under way. */
struct run_grant {
        char tenant[TENANT_SIZE], id[UUID_SIZE];
        unsigned char holder[UUID_BYTES];
        int64_t after;  /* the greatest run that is known */
        int64_t run_of; /* the one that the holder is of; 0: not told */
        int64_t seen;   /* the greatest run of the projection; 0: none */
        bool open;      /* that one has not ended */
        msec as_of;     /* the projection knows what was told before */
        /* The one to store with a new run; filled: that of the run. */
        int64_t copy;
        int64_t run; /* filled */
};
int registry_grant_run(struct registry *r, struct run_grant *g, struct err *e) MUST_CHECK;

/* Sets `listed`: what the moved list says of this message. */
int registry_moved(struct registry *r, struct delivery_asked *d, struct err *e) MUST_CHECK;
/* 1: the moved list has the job; 0; -1. */
int registry_is_moved(struct registry *r, const char *tenant, const char *id,
                      struct err *e) MUST_CHECK;
int registry_count_moved(struct registry *r, int64_t *count, struct err *e) MUST_CHECK;
/* The tenant with the most rows of the moved list; "": there is none. Reads them all. */
int registry_most_moved(struct registry *r, char tenant[TENANT_SIZE], int64_t *rows,
                        struct err *e) MUST_CHECK;
/* Deletes old rows of the moved list, MOVED_FORGOTTEN_AT_ONCE at most, and old runs likewise.
 * *gone: of the moved list. A pause holds messages until after `keep`: nothing of what it may hold
 * is deleted while it is on, nor for as long again. */
enum { MOVED_FORGOTTEN_AT_ONCE = 500 };
int registry_forget_moved(struct registry *r, msec now, int64_t *gone, struct err *e) MUST_CHECK;
