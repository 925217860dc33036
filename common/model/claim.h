/* SPDX-License-Identifier: Apache-2.0
 *
 * claim.h: the words of POST /internal/v1/claims, which claims idempotency keys (docs/http.md).
 */
#pragma once

#include <stdbool.h>

#include "common/base/bytes.h"

/* What a claim of a key is answered with. */
#define CLAIM_STATES(X) \
        X(CLAIM_GRANTED, "granted")     /* the caller may publish the job, with the id given */ \
        X(CLAIM_SETTLED, "settled")     /* the job was published */ \
        X(CLAIM_IN_FLIGHT, "in_flight") /* another request has the key */ \
        X(CLAIM_REUSED, "reused")       /* the key came with another request before */ \
        X(CLAIM_NONE, "none")           /* not granted, as it was asked only to look */ \
        X(CLAIM_FULL, "full")           /* there are too many claims */ \
        X(CLAIM_NO_TENANT, "no_tenant") \
        X(CLAIM_INVALID, "invalid") /* the primary cannot read the claim */

enum claim_state {
#define X(code, word) code,
        CLAIM_STATES(X)
#undef X
};

/* How a granted claim ended. */
#define CLAIM_ENDS(X) \
        X(CLAIM_SETTLE, "settled")    /* the job was published */ \
        X(CLAIM_RELEASE, "released")  /* it was not, and never will be by this holder */ \
        X(CLAIM_ABANDON, "abandoned") /* unknown: the next claimant publishes the same id */

enum claim_end {
#define X(code, word) code,
        CLAIM_ENDS(X)
#undef X
};

enum {
        CLAIM_HASH_BYTES = 16, /* of a request; 32 hexadecimal digits in JSON */
        CLAIMS_AT_ONCE = 256,  /* claims in one call */
        CLAIM_ENDS_AT_ONCE = 1024,
        CLAIMS_BODY_MAX = 1024 * 1024,
};

const char *claim_state_word(enum claim_state s);
/* False: the word is unknown. */
bool claim_state_parse(struct bytes word, enum claim_state *out);
const char *claim_end_word(enum claim_end end);
bool claim_end_parse(struct bytes word, enum claim_end *out);

/* 1 to 255 bytes of 0x20 to 0x7e. */
bool claim_key_is_valid(struct bytes key);
