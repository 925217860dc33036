/* SPDX-License-Identifier: Apache-2.0
 *
 * claim.h: claims on idempotency keys, and their form in POST /internal/v1/claims (docs/http.md).
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/base/clock.h"
#include "common/base/uuid.h"
#include "common/model/claim.h"
#include "common/model/job.h"

/* Borrows its strings. */
struct claim_ask {
        const char *tenant, *key;
        const char *hash;   /* of the request */
        const char *holder; /* UUID of this attempt to submit; becomes the job's id if it is new */
        msec submitted_at, run_at, expires_at; /* 0: none */
        bool scheduled;                        /* the status that the answer would show */
        bool look;                             /* grant nothing, write nothing */
        bool known;                            /* grant no new claim */
};

struct claim_answer {
        enum claim_state state;
        char id[UUID_SIZE];                    /* granted, settled, reused: of the job */
        msec submitted_at, run_at, expires_at; /* likewise: of the first request */
        bool scheduled;                        /* likewise */
        int64_t taken; /* granted: how many leases ran out before; their holders may have published
                        */
        msec publish_by; /* granted: of clock_boot; a confirm of what is published later may come
                          * after the end of the lease */
        msec retry;      /* in flight, full: after which to ask again */
};

/* A claim that ends. */
struct claim_ending {
        char tenant[TENANT_SIZE], key[JOB_KEY_SIZE], holder[UUID_SIZE];
        enum claim_end how;
};

/* Each adds an element of an array. */
void claim_write_ask(const struct claim_ask *ask, struct buffer *out);
void claim_write_ending(const struct claim_ending *end, struct buffer *out);
/* Reads an answer to `count` asks; publish_by is not set. lease: what the primary gives. -1:
 * ERR_PROTOCOL. */
int claim_read_answers(struct bytes body, struct claim_answer *answers, size_t count, msec *lease,
                       struct err *e) MUST_CHECK;
