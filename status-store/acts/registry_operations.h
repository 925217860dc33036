/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_operations.h: operations on many jobs in registry.db, from their preview on.
 *
 * Threads and errors as in registry.h.
 */
#pragma once

#include "common/db/writer.h"
#include "status-store/acts/operation_rules.h"
#include "status-store/jobs/cursor.h"
#include "status-store/registry/registry.h"

enum {
        OPERATION_ERROR_SIZE = 256,
        OPERATIONS_RUNNING_MAX = 100,
        OPERATIONS_RUNNING_TENANT_MAX = 10,
        OPERATIONS_PREVIEWED_MAX = 1000,
        OPERATIONS_PREVIEWED_TENANT_MAX = 50,
        OPERATIONS_LISTED_MAX = 200,
};
#define PREVIEW_KEEP ((msec)10 * MSEC_MINUTE)

/* Of an operation that needs no marks for single jobs. */
enum operation_bulk {
        BULK_NONE,
        BULK_WANTED, /* its mark has not been published */
        BULK_BEGUN,  /* it may have been; from now on it cannot be aborted */
        BULK_MARKED,
};

struct operation {
        char id[UUID_SIZE], tenant[TENANT_SIZE]; /* "*": of all */
        enum operation_kind kind;
        enum operation_state state;
        char *filter;             /* operation_filter_read; owned */
        int64_t seq_max;          /* rows behind it came after the preview; 0: no bound */
        msec before;              /* jobs created from then on came after it */
        char cursor[CURSOR_SIZE]; /* "": at the start */
        enum operation_bulk bulk;
        int64_t copy;     /* of the bulk mark */
        int64_t expected; /* jobs, at the preview */
        bool more;        /* there are more than the preview looked at */
        int64_t done, skipped, failed, looked;
        char error[OPERATION_ERROR_SIZE];
        char by[ACT_BY_SIZE];
        msec at, started, ended;
};
void operation_fini(struct operation *o);
#define AUTO_OPERATION __attribute__((cleanup(operation_fini))) struct operation

/* Adds a preview. ERR_FULL: there are too many, or too many of its tenant. Those of all tenants, as
 * running ones of all, may be a tenth more. */
int registry_add_operation(struct registry *r, const struct operation *o, struct err *e) MUST_CHECK;
/* Fills out (zeroed). tenant "*": of any. 1: found; 0; -1. */
int registry_operation(struct registry *r, const char *tenant, const char *id,
                       struct operation *out, struct err *e) MUST_CHECK;

enum operation_start { START_UNKNOWN, START_DONE, START_EARLIER, START_FULL };
/* A preview that is not too old becomes a running operation; bulk and copy are set with it.
 * START_EARLIER: it was started before. */
int registry_start_operation(struct registry *r, const struct operation *o, msec now,
                             enum operation_start *out, struct err *e) MUST_CHECK;
enum operation_abort { ABORT_UNKNOWN, ABORT_DONE, ABORT_ENDED, ABORT_MARKED };
int registry_abort_operation(struct registry *r, const char *tenant, const char *id, msec now,
                             enum operation_abort *out, struct err *e) MUST_CHECK;

/* The mark is about to be published, or has been. ERR_CONFLICT: the operation does not run any
 * more. */
int registry_note_bulk(struct registry *r, const char *id, enum operation_bulk bulk,
                       struct err *e) MUST_CHECK;
/* What a page adds to its operation. */
struct operation_step {
        const char *id, *cursor;
        int64_t done, skipped, failed, looked;
        const char *error; /* of the first that failed; or NULL */
};
/* As a write_fn; owner: a struct operation_step. ERR_CONFLICT: the operation does not run any more.
 */
int operation_note_step(struct database *db, void *owner, struct err *e);
int registry_note_step(struct registry *r, struct operation_step *step, struct err *e) MUST_CHECK;
/* A running one ends. Those of the expected jobs that were not met count as skipped. error: or
 * NULL. */
int registry_end_operation(struct registry *r, const char *id, enum operation_state state,
                           const char *error, struct err *e) MUST_CHECK;
/* 1: acts by it were begun and have not ended; 0; -1. */
int registry_has_acts_by(struct registry *r, const char *by, struct err *e) MUST_CHECK;

struct operations_asked {
        const char *tenant;     /* "*": of any */
        unsigned states;        /* 1 << enum operation_state, or-ed */
        const char *older_than; /* an id; NULL: from the newest */
        size_t limit;
};
/* Fills out with the newest, in the order of their ids. Returns how many, or -1. */
int registry_operations(struct registry *r, const struct operations_asked *asked,
                        struct operation *out, struct err *e) MUST_CHECK;
int registry_count_operations(struct registry *r, int64_t counts[OPERATION_STATES],
                              struct err *e) MUST_CHECK;
/* Deletes some previews that nobody started, and operations that ended long ago. */
int registry_forget_operations(struct registry *r, msec now, struct err *e) MUST_CHECK;
