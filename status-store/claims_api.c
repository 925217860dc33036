/* SPDX-License-Identifier: Apache-2.0
 *
 * claims_api.c: POST /internal/v1/claims, by which gateways claim idempotency keys. Only the
 * primary serves it.
 *
 *      {"ended": [{"tenant", "key", "holder", "how"}],
 *       "claims": [{"tenant", "key", "hash", "holder", "submitted_at", "run_at", "expires_at",
 *                   "scheduled", "look"}]}
 *
 *      {"claims": [{"state", "id", "submitted_at", "run_at", "expires_at", "scheduled", "again"} or
 *                  {"state", "retry_ms"} or {"state"}],
 *       "lease_ms": 30000}
 *
 * Times are milliseconds since the epoch; 0: none. All may be left out, and scheduled and look.
 */
#include <string.h>

#include "common/base/hex.h"
#include "common/base/json_read.h"
#include "common/base/json_write.h"
#include "common/base/memory.h"
#include "common/model/job_members.h"
#include "status-store/api.h"
#include "status-store/registry_claims.h"

enum { CALL_DEPTH = 4, GROW_BY = 32 };

struct request {
        struct claim_ended *ended;
        size_t ended_count;
        struct claim_ask *asks;
        size_t ask_count;
        struct claim_answer *answers;
};

static void request_fini(struct request *q)
{
        free(q->ended);
        free(q->asks);
        free(q->answers);
}
#define AUTO_REQUEST __attribute__((cleanup(request_fini))) struct request

static int read_key(struct json_reader *r, const struct json_place *p, void *out)
{
        if (json_copy_text(p->value, out, JOB_KEY_SIZE) && claim_key_is_valid(bytes_of_text(out)))
                return 0;
        return json_refuse(r, p, "must have 1 to %d printable ASCII characters", JOB_KEY_SIZE - 1);
}

static int read_hash(struct json_reader *r, const struct json_place *p, void *out)
{
        char text[2 * CLAIM_HASH_BYTES + 1] = "";
        unsigned char *hash = out;
        bool good = json_copy_text(p->value, text, sizeof(text)) &&
                    strlen(text) == 2 * (size_t)CLAIM_HASH_BYTES;
        for (size_t i = 0; good && i < CLAIM_HASH_BYTES; i++) {
                int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
                good = high >= 0 && low >= 0;
                if (good)
                        hash[i] = (unsigned char)(high << 4 | low);
        }
        return good ? 0 : json_refuse(r, p, "must be %d hexadecimal digits", 2 * CLAIM_HASH_BYTES);
}

static int read_holder(struct json_reader *r, const struct json_place *p, void *out)
{
        char text[UUID_SIZE];
        if (json_read_uuid(r, p, text) != 0)
                return -1;
        (void)uuid_pack(bytes_of_text(text), out);
        return 0;
}

static int read_how(struct json_reader *r, const struct json_place *p, void *out)
{
        char word[16] = "";
        if (json_copy_text(p->value, word, sizeof(word)) &&
            claim_end_parse(bytes_of_text(word), out))
                return 0;
        return json_refuse(r, p, "must be settled, released or abandoned");
}

/* clang-format off */
#define MEMBER(type, field, fn) {#field, fn, JSON_AT(type, field), .flags = JSON_REQUIRED}
#define TIME(field) \
        {#field, json_read_int, JSON_AT(struct claim_ask, terms.field), .least = 0, \
         .most = JOB_TIME_MAX, .flags = JSON_NULLABLE}

static const struct json_member ended_members[] = {
        MEMBER(struct claim_ended, tenant, job_read_tenant),
        MEMBER(struct claim_ended, key, read_key),
        MEMBER(struct claim_ended, holder, read_holder),
        MEMBER(struct claim_ended, how, read_how),
        {0},
};

static const struct json_member ask_members[] = {
        MEMBER(struct claim_ask, tenant, job_read_tenant),
        MEMBER(struct claim_ask, key, read_key),
        MEMBER(struct claim_ask, hash, read_hash),
        MEMBER(struct claim_ask, holder, read_holder),
        TIME(submitted_at),
        TIME(run_at),
        TIME(expires_at),
        {"scheduled", json_read_flag, JSON_AT(struct claim_ask, terms.scheduled)},
        {"look", json_read_flag, JSON_AT(struct claim_ask, look)},
        {0},
};
/* clang-format on */

static int add_ended(struct json_reader *r, const struct json_place *p, void *out)
{
        struct request *q = out;
        struct claim_ended end = {.how = CLAIM_SETTLE};
        if (q->ended_count == CLAIM_ENDS_AT_ONCE)
                return json_refuse(r, p->up, "must have at most %d elements", CLAIM_ENDS_AT_ONCE);
        if (json_read_members(r, p, ended_members, &end) != 0)
                return -1;
        if (q->ended_count % GROW_BY == 0)
                q->ended = xrealloc(q->ended, (q->ended_count + GROW_BY) * sizeof(end));
        q->ended[q->ended_count++] = end;
        return 0;
}

static int add_ask(struct json_reader *r, const struct json_place *p, void *out)
{
        struct request *q = out;
        struct claim_ask ask = {.look = false};
        if (q->ask_count == CLAIMS_AT_ONCE)
                return json_refuse(r, p->up, "must have at most %d elements", CLAIMS_AT_ONCE);
        if (json_read_members(r, p, ask_members, &ask) != 0)
                return -1;
        if (q->ask_count % GROW_BY == 0)
                q->asks = xrealloc(q->asks, (q->ask_count + GROW_BY) * sizeof(ask));
        q->asks[q->ask_count++] = ask;
        return 0;
}

static const struct json_member call_members[] = {
        {"ended", json_read_list, .each = add_ended},
        {"claims", json_read_list, .each = add_ask},
        {0},
};

static void write_job(const struct claim_answer *a, struct buffer *out)
{
        char id[UUID_SIZE];
        uuid_unpack(a->id, id);
        json_put_string(out, "id", id);
        json_put_int(out, "submitted_at", a->terms.submitted_at);
        json_put_int(out, "run_at", a->terms.run_at);
        json_put_int(out, "expires_at", a->terms.expires_at);
        json_put_flag(out, "scheduled", a->terms.scheduled);
        json_put_flag(out, "again", a->again);
}

static void write_answer(const struct claim_answer *a, struct buffer *out)
{
        json_begin_object(out, NULL);
        json_put_string(out, "state", claim_state_word(a->state));
        switch (a->state) {
        case CLAIM_GRANTED:
        case CLAIM_SETTLED:
                write_job(a, out);
                break;
        case CLAIM_IN_FLIGHT:
        case CLAIM_FULL:
                json_put_int(out, "retry_ms", a->retry);
                break;
        case CLAIM_REUSED:
        case CLAIM_NONE:
        case CLAIM_NO_TENANT:
                break;
        }
        json_end(out);
}

/* A write waits as long as the disk does. Without a bound, a disk that stalls would soon hold all
 * threads of the server, and reads would wait too. */
static void answer_call(struct api *a, struct http_request *r, struct request *q)
{
        struct err why = {0};
        AUTO_BUFFER out = {0};
        if (registry_writes_waiting(a->registry) >= a->claims_waiting_max) {
                (void)err_set(&why, ERR_UNAVAILABLE, "too many claims wait for the disk");
                http_problem_err(r, &why);
                return;
        }
        q->answers = xcalloc(q->ask_count + 1, sizeof(*q->answers));
        const struct claims_call call = {.limits = &a->claim_limits,
                                         .ended = q->ended,
                                         .ended_count = q->ended_count,
                                         .asks = q->asks,
                                         .ask_count = q->ask_count,
                                         .answers = q->answers};
        if (registry_claim(a->registry, &call, &why) != 0) {
                http_problem_err(r, &why);
                return;
        }
        json_begin(&out);
        json_begin_array(&out, "claims");
        for (size_t i = 0; i < q->ask_count; i++)
                write_answer(&q->answers[i], &out);
        json_end_array(&out);
        json_put_int(&out, "lease_ms", a->claim_limits.lease);
        json_end(&out);
        http_answer(r, 200, "application/json", buffer_bytes(&out));
}

/* Unknown members are ignored: a later version of the caller may add some. */
void claims_make(void *owner, struct http_request *r)
{
        struct api *a = owner;
        AUTO_REQUEST q = {.ended = NULL};
        struct scan_fault fault;
        struct json_reader reader = {.fault = &fault, .lenient = true};
        struct json_place root;
        if (!api_is_primary(a, r) || !http_body_is_json(r))
                return;
        if (json_read_open(&reader, http_body(r), CALL_DEPTH, &root) != 0 ||
            json_read_is(&reader, &root, SCAN_OBJECT) != 0)
                http_problem_at(r, 400, &fault);
        else if (json_read_members(&reader, &root, call_members, &q) != 0)
                http_problem_at(r, 422, &fault);
        else
                answer_call(a, r, &q);
}
