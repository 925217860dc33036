/* SPDX-License-Identifier: Apache-2.0
 *
 * judge_key.c: each state of a claim, and what it makes of the job.
 */
#include "gateway/judge_key.h"

#include <stdio.h>
#include <string.h>

#include "gateway/accepted.h"

/* How much later than an earlier copy a later one is due. */
enum { KEY_SHOWN = 80 }; /* of a key, in a refusal */
enum { LATER = 2 * MSEC_SECOND, LATER_MOST = MSEC_MINUTE };

struct claim_ask judge_key_ask(const struct job *job, const char *holder, msec now)
{
        return (struct claim_ask){.tenant = job->tenant,
                                  .key = job->key,
                                  .hash = job->key_hash,
                                  .holder = holder,
                                  .submitted_at = job->submitted_at,
                                  .run_at = job->run_at,
                                  .expires_at = job->expires_at,
                                  .scheduled = accepted_is_scheduled(job, now)};
}

/* A delay counts from the first request: a later holder publishes the first one's times. */
static void take_terms(const struct claim_answer *a, struct job *job)
{
        memcpy(job->id, a->id, sizeof(job->id));
        job->submitted_at = a->submitted_at;
        job->run_at = a->run_at;
        job->expires_at = a->expires_at;
        job->again = a->taken > 0;
}

msec judge_key_due(const struct job *job, int64_t taken, msec now)
{
        msec left = job->expires_at - job->run_at;

        if (job->run_at <= now)
                return job->run_at;
        msec later = taken * LATER < LATER_MOST ? taken * LATER : LATER_MOST;
        if (job->expires_at != 0 && later >= left)
                later = left * taken / (taken + 1);
        return job->run_at + later;
}

static enum key_verdict refuse_for_now(struct refusal *why, const char *type, msec retry)
{
        why->type = type;
        why->retry = retry > MSEC_SECOND ? (retry + MSEC_SECOND - 1) / MSEC_SECOND : 1;
        return KEY_REFUSED;
}

/* The key is in the body or in the header. */
static enum key_verdict refuse_reused(const struct claim_answer *a, struct bytes body,
                                      const char *key, struct refusal *why)
{
        char text[ERR_TEXT_SIZE];
        const struct refused_member m = {body, "idempotency_key", text};
        struct scan_value value;

        snprintf(text, sizeof(text),
                 "the key \"%.*s%s\" was used with another request (job %s): repeat that request "
                 "unchanged, or use another key",
                 KEY_SHOWN, key, strlen(key) > KEY_SHOWN ? "…" : "", a->id);
        if (scan_find(scan_root(body), m.name, &value) && value.kind != SCAN_NULL)
                refusal_set_member(why, &m);
        else
                refusal_set(why, REFUSED_INVALID, 422, "the header Idempotency-Key: %s", m.detail);
        why->reason = REFUSED_KEY_REUSED;
        why->type = "urn:warren:problem:key-reused";
        return KEY_REFUSED;
}

enum key_verdict judge_key(const struct claim_answer *a, struct bytes body, struct job *job,
                           struct refusal *why)
{
        switch (a->state) {
        case CLAIM_GRANTED:
                take_terms(a, job);
                return KEY_GRANTED;
        case CLAIM_NONE:
                return KEY_GRANTED;
        case CLAIM_SETTLED:
                take_terms(a, job);
                return KEY_REPLAYS;
        case CLAIM_IN_FLIGHT:
                refusal_set(why, REFUSED_KEY_IN_FLIGHT, 409,
                            "an earlier request with this idempotency key has not ended, or "
                            "its gateway was lost: send the same again later, which makes no "
                            "second job");
                return refuse_for_now(why, "urn:warren:problem:key-in-flight", a->retry);
        case CLAIM_REUSED:
                return refuse_reused(a, body, job->key, why);
        case CLAIM_FULL:
                refusal_set(why, REFUSED_KEYS, 429, "too many idempotency keys are kept");
                return refuse_for_now(why, "urn:warren:problem:keys-full", a->retry);
        case CLAIM_NO_TENANT:
                refusal_set_member(why, &(struct refused_member){body, "tenant_id",
                                                                 "there is no such tenant"});
                return KEY_REFUSED;
        case CLAIM_INVALID:
                refusal_set(why, REFUSED_KEYS, 503,
                            "the idempotency key cannot be looked up: the status-store does not "
                            "understand the gateway, whose version may be another");
                return KEY_REFUSED;
        }
        return KEY_REFUSED;
}
