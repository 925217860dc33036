/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_audit.h: administrative acts in registry.db, which are kept 400 days and never changed.
 *
 * Threads and errors as in registry.h.
 */
#pragma once

#include "common/base/uuid.h"
#include "status-store/registry/registry.h"

enum {
        AUDIT_LIMIT_DEFAULT = 50,
        AUDIT_LIMIT_MAX = 500,
        AUDIT_LOOK_MAX = 50000, /* rows that a page is chosen from */
        AUDIT_TEXT_SIZE = 129,
};
#define AUDIT_KEEP ((msec)400 * MSEC_DAY)

/* Whose job an id is, for acts whose gateway did not know it; "": unknown. */
struct job_owners {
        int (*tenant)(void *owner, const char *id, char out[TENANT_SIZE], struct err *e);
        void *owner;
};

/* Stores lines of the events `act` and `acted` (docs/amqp.md), each with its newline, in one write.
 * What is stored already stays as it is; a line that says too little is skipped. `owners` is asked
 * on the caller's thread. */
int registry_audit_add(struct registry *r, struct bytes lines, const struct job_owners *owners,
                       struct err *e) MUST_CHECK;
/* Stores that the newest admin key was made here, by `local`. */
int registry_audit_add_admin_key(struct registry *r, msec now, struct err *e) MUST_CHECK;

/* "" or 0: any, or none. */
struct audit_filter {
        char tenant[TENANT_SIZE];
        char by[AUDIT_TEXT_SIZE], target[AUDIT_TEXT_SIZE];
        char what[AUDIT_TEXT_SIZE]; /* with "*" as its last character: what begins so */
        msec after, before;         /* exclusive, > 0; 0: no bound */
        int64_t cursor;             /* the page begins after this act */
        int64_t limit;
        msec deadline; /* of clock_mono: the page ends after the act that is looked at then */
        /* A tenant looks: only at acts on it; of acts by others it does not learn who and from
         * where. */
        bool is_tenants;
};

struct audit_row {
        int64_t seq;
        char id[UUID_SIZE];
        msec at;
        char by[AUDIT_TEXT_SIZE], key_name[AUDIT_TEXT_SIZE], key_tenant[TENANT_SIZE];
        char what[AUDIT_TEXT_SIZE], target[AUDIT_TEXT_SIZE], tenant[TENANT_SIZE];
        char origin[AUDIT_TEXT_SIZE], gateway[AUDIT_TEXT_SIZE], trace[AUDIT_TEXT_SIZE];
        char made[AUDIT_TEXT_SIZE]; /* "key/k1x2y3z4" */
        struct bytes detail;        /* checked JSON; absent: none */
        int64_t status;             /* 0: not known, and ended_at neither */
        msec ended_at;
};

/* Calls `each` with up to f->limit acts, the latest that came first. *next is the cursor of the
 * next page; 0: there is none. A page may be short, even empty, and have a next one. */
typedef void audit_row_fn(void *owner, const struct audit_row *row);
int registry_audit_each(struct registry *r, const struct audit_filter *f, audit_row_fn *each,
                        void *owner, int64_t *next, struct err *e) MUST_CHECK;

/* How many acts are kept. */
int registry_audit_count(struct registry *r, int64_t *count, struct err *e) MUST_CHECK;
/* Deletes up to 500 acts from before AUDIT_KEEP. 1: there may be more; 0; -1. */
int registry_audit_delete_old(struct registry *r, msec now, struct err *e) MUST_CHECK;
