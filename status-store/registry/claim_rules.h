/* SPDX-License-Identifier: Apache-2.0
 *
 * claim_rules.h: what a claim of an idempotency key is answered with, and what of it is stored. A
 * claim is leased to its holder, who publishes the job, until it is settled. When the lease is over
 * the next claimant of the key becomes the holder and publishes the same job, with the same id.
 *
 * Pure: the clock and the stored row are arguments.
 */
#pragma once

#include "common/base/clock.h"
#include "common/base/uuid.h"
#include "common/model/claim.h"
#include "common/model/job.h"

/* Old claims are deleted at least this often. */
enum { CLAIM_FULL_RETRY = MSEC_MINUTE };

struct claim_limits {
        msec keep;  /* how long a claim is kept, from its first request */
        msec lease; /* how long a holder has it */
        int64_t max, of_tenant_max;
};

/* What the answer to a submission says and its body does not; it is kept. Times: 0: none. */
struct claim_terms {
        msec submitted_at, run_at, expires_at;
        bool scheduled;
};

struct claim_request {
        char tenant[TENANT_SIZE];
        char key[JOB_KEY_SIZE];
        unsigned char hash[CLAIM_HASH_BYTES]; /* of the request */
        unsigned char holder[UUID_BYTES]; /* made for this claim; becomes a new claim's job id */
        struct claim_terms terms;
        bool look;  /* nothing is stored */
        bool known; /* a new claim is not stored: the job is wanted only if it may exist */
};

/* A stored claim. */
struct claim_row {
        unsigned char hash[CLAIM_HASH_BYTES];
        unsigned char id[UUID_BYTES]; /* of the job: that of the first holder */
        unsigned char holder[UUID_BYTES];
        msec at;
        msec lease; /* until then; 0: settled */
        int taken;  /* how many leases have ended before this one */
        struct claim_terms terms;
};

enum claim_change {
        CLAIM_UNCHANGED,
        CLAIM_INSERT, /* a new claim of the asker */
        CLAIM_LEASE,  /* the asker is the holder, with a new lease */
};

struct claim_decision {
        enum claim_state state;
        enum claim_change change;
        bool forget; /* the stored claim is too old: delete it first */
        int taken;   /* granted: as in claim_row; above 0, an earlier holder may have published */
        msec retry;  /* in flight, full: when to ask again */
};

/* row: the stored claim of the key, or NULL. room: how many more claims may be stored. */
struct claim_decision claim_decide(const struct claim_request *a, const struct claim_row *row,
                                   int64_t room, const struct claim_limits *l, msec now);
/* Whether a stored claim need not be kept any longer. A lease that is not over keeps it. */
bool claim_is_old(const struct claim_row *row, const struct claim_limits *l, msec now);
