/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_claims.h: claims of idempotency keys in registry.db (claim_rules.h).
 *
 * A claim is found by a digest of its tenant, of the time at which the tenant was made, and of the
 * key: a new tenant with the name of a deleted one has none of its claims, which are deleted when
 * they are old.
 *
 * Threads and errors as in registry.h.
 */
#pragma once

#include "status-store/registry/claim_rules.h"
#include "status-store/registry/registry.h"

struct claim_result {
        enum claim_state state;
        int taken;                    /* as in claim_decision */
        msec retry;                   /* as in claim_decision */
        unsigned char id[UUID_BYTES]; /* granted, settled, reused: of the job; terms likewise */
        struct claim_terms terms;
};

struct claim_ended {
        char tenant[TENANT_SIZE];
        char key[JOB_KEY_SIZE];
        unsigned char holder[UUID_BYTES];
        enum claim_end how;
};

struct claims_call {
        const struct claim_limits *limits;
        const struct claim_ended *ended;
        size_t ended_count;
        const struct claim_request *requests;
        size_t request_count;
        struct claim_result *results; /* one for each request; void when the call fails */
};

/* In one write: the ends, then the claims, in their order. An end changes only a claim that its
 * holder still has. A claim that had a lease before stays when it is released, because its job may
 * have been published. A damaged claim is in flight until it is deleted. */
int registry_claim(struct registry *r, const struct claims_call *c, struct err *e) MUST_CHECK;

/* A job that was published with a key. */
struct claim_published {
        const char *tenant, *key; /* borrowed */
        unsigned char id[UUID_BYTES];
};
/* Settles the claims of these jobs that are leased. Without any, it only reads. */
int registry_settle_published(struct registry *r, const struct claim_published *jobs, size_t count,
                              struct err *e) MUST_CHECK;

/* Deletes old claims, the oldest first, CLAIMS_FORGOTTEN_AT_ONCE at most. 1: there may be more. */
enum { CLAIMS_FORGOTTEN_AT_ONCE = 500 };
int registry_forget_claims(struct registry *r, const struct claim_limits *l,
                           struct err *e) MUST_CHECK;
int registry_count_claims(struct registry *r, int64_t *count, struct err *e) MUST_CHECK;
