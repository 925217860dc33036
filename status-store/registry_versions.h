/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_versions.h: the versions of limits, for the registry's own files, within a write. A
 * version names a queue of tokens. Version 0 of a row: a new queue is to be made and filled.
 */
#pragma once

#include "common/db/database.h"
#include "common/model/limit_queue.h"
#include "common/model/record.h"

/* States of token_queues, in its SQL. */
#define TOKENS_FILLING "0" /* or its filling was interrupted */
#define TOKENS_FILLED "1"
#define TOKENS_STALE "2"

struct limit_change {
        bool limited;    /* from now on */
        bool same;       /* as before */
        int64_t version; /* before */
};

/* Makes *version that of the row after the change: 0 when tokens are needed that are not there.
 * Comes in as the version that the caller wants: 0 for a new one. */
int version_after(struct database *db, enum limit_queue kind, const char *of,
                  const struct limit_change *c, int64_t *version, struct err *e) MUST_CHECK;
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
