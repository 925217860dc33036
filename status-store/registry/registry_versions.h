/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_versions.h: the versions of limits, for the registry's own files, within a write. A
 * version names a queue of tokens. Version 0 of a row: a new queue is to be made and filled.
 */
#pragma once

#include "common/db/database.h"
#include "common/model/limit_queue.h"
#include "common/model/record.h"
#include "status-store/registry/limit.h"

/* States of token_queues, in its SQL. */
#define TOKENS_FILLING "0" /* or its filling was interrupted */
#define TOKENS_FILLED "1"
#define TOKENS_STALE "2"

struct limit_change {
        enum limit_queue kind;
        const char *of;
        bool limited;     /* from now on */
        bool same;        /* as before */
        struct limit was; /* before; count 0: there was no row */
};

/* Makes *version that of the row after the change: 0 when tokens are needed that are not there.
 * Comes in as the version that the caller wants: 0 for a new one. *in_force is what was so before
 * the change when `was` was not, and becomes what is so while *version is 0. */
int version_after(struct database *db, const struct limit_change *c, int64_t *version,
                  struct limit *in_force, struct err *e) MUST_CHECK;
/* What `control` says of a limit. */
struct limit_seen {
        enum limit_queue kind;
        const char *of;
        int64_t version;
        bool limited; /* the queue of that version is in use */
        msec per;     /* LIMIT_TYPE_RATE */
};
/* Later versions are above this one; its queue is known from now on, and those missed are stale. */
int version_seen(struct database *db, const struct limit_seen *s, struct err *e) MUST_CHECK;
/* Version v of the tenant or type is published: queues that it does not name are stale. */
int versions_published(struct database *db, enum record_kind kind, const char *of, int64_t v,
                       struct err *e) MUST_CHECK;
