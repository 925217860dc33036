/* SPDX-License-Identifier: Apache-2.0
 *
 * claims.h: the gateway's side of POST /internal/v1/claims (docs/http.md). A claim is the right to
 * make the job of an idempotency key, on a lease; the primary keeps claims. One call is out at a
 * time, and what was asked meanwhile is the next one. Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/base/clock.h"
#include "common/http/client.h"
#include "gateway/claim.h"
#include "gateway/meters.h"

struct claims;

struct claims_config {
        struct http_client *client; /* taken; used for nothing else, since the end stops it */
        unsigned waiting_max;       /* callers of claims_ask at once */
        unsigned waiting_each;      /* of one tenant */
        msec confirm_timeout;       /* a lease should be longer: logged when it is not */
        const struct meters *meters;
};

/* Starts the thread that calls. */
struct claims *claims_create(const struct claims_config *config);
/* Ends the thread; what claims_end was told is lost unless claims_finish sent it. */
void claims_destroy(struct claims **c);
/* After the last claims_ask and claims_end: sends what is left, for `limit` ms at most. Blocks. */
void claims_finish(struct claims *c, msec limit);

/* Asks for 1 to CLAIMS_AT_ONCE claims, in order. Blocks, for 5 s at most. -1: nothing is granted;
 * ERR_FULL: too many wait, of all or of this tenant; ERR_UNAVAILABLE: the primary does not answer;
 * after such a failure it is not asked for a second. */
int claims_ask(struct claims *c, const struct claim_ask *asks, struct claim_answer *answers,
               size_t count, struct err *e) MUST_CHECK;
/* Ends a granted claim. Copies; never blocks. It is sent until a call with it is answered with 200,
 * but beyond 8192 the oldest is dropped: its lease runs out. */
void claims_end(struct claims *c, const char *tenant, const char *key, const char *holder,
                enum claim_end how);
/* The callers of claims_ask. */
unsigned claims_waiting(struct claims *c);
