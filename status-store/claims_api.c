/* SPDX-License-Identifier: Apache-2.0
 *
 * claims_api.c: POST /internal/v1/claims, by which gateways claim idempotency keys. Only the
 * primary serves it.
 *
 *      {"ended": [{"tenant", "key", "holder", "how"}],
 *       "claims": [{"tenant", "key", "hash", "holder", "submitted_at", "run_at", "expires_at",
 *                   "scheduled", "look", "known"}]}
 *
 *      {"claims": [{"state", "id", "submitted_at", "run_at", "expires_at", "scheduled", "taken"} or
 *                  {"state", "retry_ms"} or {"state"}],
 *       "lease_ms": 30000}
 *
 * Times are milliseconds since the epoch; 0: none. All may be left out, and scheduled, look and
 * known. A call has claims of many tenants: an element that cannot be read does no harm to others.
 */
#include <string.h>

#include "common/base/hex.h"
#include "common/base/json_read.h"
#include "common/base/json_write.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/model/job_members.h"
#include "status-store/api.h"
#include "status-store/registry/registry_claims.h"

enum { CALL_DEPTH = 4, GROW_BY = 32 };

struct body {
        struct claim_ended *ended;
        size_t ended_count;
        struct claim_request *requests; /* those that can be read */
        size_t request_count;
        struct claim_result *results;
        bool invalid[CLAIMS_AT_ONCE]; /* by the place in the body */
        size_t claim_count;           /* in the body */
};

static void body_fini(struct body *b)
{
        free(b->ended);
        free(b->requests);
        free(b->results);
}
#define AUTO_BODY __attribute__((cleanup(body_fini))) struct body

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
        {#field, json_read_int, JSON_AT(struct claim_request, terms.field), .least = 0, \
         .most = JOB_TIME_MAX, .flags = JSON_NULLABLE}

static const struct json_member ended_members[] = {
        MEMBER(struct claim_ended, tenant, job_read_tenant),
        MEMBER(struct claim_ended, key, read_key),
        MEMBER(struct claim_ended, holder, read_holder),
        MEMBER(struct claim_ended, how, read_how),
        {0},
};

static const struct json_member claim_members[] = {
        MEMBER(struct claim_request, tenant, job_read_tenant),
        MEMBER(struct claim_request, key, read_key),
        MEMBER(struct claim_request, hash, read_hash),
        MEMBER(struct claim_request, holder, read_holder),
        TIME(submitted_at),
        TIME(run_at),
        TIME(expires_at),
        {"scheduled", json_read_flag, JSON_AT(struct claim_request, terms.scheduled)},
        {"look", json_read_flag, JSON_AT(struct claim_request, look)},
        {"known", json_read_flag, JSON_AT(struct claim_request, known)},
        {0},
};
/* clang-format on */

static bool read_element(struct json_reader *r, const struct json_place *p,
                         const struct json_member *members, void *out)
{
        if (json_read_members(r, p, members, out) == 0)
                return true;
        LOG_WARN("an element of a call about claims cannot be read; the others are",
                 log_text("pointer", r->fault->pointer), log_text("error", r->fault->detail));
        return false;
}

static int add_ended(struct json_reader *r, const struct json_place *p, void *out)
{
        struct body *b = out;
        struct claim_ended end = {.how = CLAIM_SETTLE};
        if (p->index == CLAIM_ENDS_AT_ONCE)
                return json_refuse(r, p->up, "must have at most %d elements", CLAIM_ENDS_AT_ONCE);
        if (!read_element(r, p, ended_members, &end))
                return 0;
        if (b->ended_count % GROW_BY == 0)
                b->ended = xrealloc(b->ended, (b->ended_count + GROW_BY) * sizeof(end));
        b->ended[b->ended_count++] = end;
        return 0;
}

static int add_claim(struct json_reader *r, const struct json_place *p, void *out)
{
        struct body *b = out;
        struct claim_request request = {.look = false};
        if (p->index == CLAIMS_AT_ONCE)
                return json_refuse(r, p->up, "must have at most %d elements", CLAIMS_AT_ONCE);
        b->claim_count++;
        b->invalid[p->index] = !read_element(r, p, claim_members, &request);
        if (b->invalid[p->index])
                return 0;
        if (b->request_count % GROW_BY == 0)
                b->requests = xrealloc(b->requests, (b->request_count + GROW_BY) * sizeof(request));
        b->requests[b->request_count++] = request;
        return 0;
}

static const struct json_member call_members[] = {
        {"ended", json_read_list, .each = add_ended},
        {"claims", json_read_list, .each = add_claim},
        {0},
};

static void write_id(const struct claim_result *a, struct buffer *out)
{
        char id[UUID_SIZE];
        uuid_unpack(a->id, id);
        json_put_string(out, "id", id);
}

static void write_job(const struct claim_result *a, struct buffer *out)
{
        write_id(a, out);
        json_put_int(out, "submitted_at", a->terms.submitted_at);
        json_put_int(out, "run_at", a->terms.run_at);
        json_put_int(out, "expires_at", a->terms.expires_at);
        json_put_flag(out, "scheduled", a->terms.scheduled);
        json_put_int(out, "taken", a->taken);
}

static void write_result(const struct claim_result *a, struct buffer *out)
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
                write_id(a, out);
                break;
        case CLAIM_NONE:
        case CLAIM_NO_TENANT:
        case CLAIM_INVALID:
                break;
        }
        json_end(out);
}

static void write_answer(const struct body *b, msec lease, struct buffer *out)
{
        static const struct claim_result invalid = {.state = CLAIM_INVALID};
        const struct claim_result *next = b->results;
        json_begin(out);
        json_begin_array(out, "claims");
        for (size_t i = 0; i < b->claim_count; i++)
                write_result(b->invalid[i] ? &invalid : next++, out);
        json_end_array(out);
        json_put_int(out, "lease_ms", lease);
        json_end(out);
}

/* A write waits as long as the disk does. Without a bound, a disk that stalls would soon hold all
 * threads of the server, and reads would wait too. */
static void answer_call(struct api *a, struct http_request *r, struct body *b)
{
        struct err why = {0};
        AUTO_BUFFER out = {0};
        if (registry_writes_waiting(a->registry) >= a->claims_waiting_max) {
                (void)err_set(&why, ERR_UNAVAILABLE, "too many claims wait for the disk");
                http_problem_err(r, &why);
                return;
        }
        b->results = xcalloc(b->request_count + 1, sizeof(*b->results));
        const struct claims_call call = {.limits = &a->claim_limits,
                                         .ended = b->ended,
                                         .ended_count = b->ended_count,
                                         .requests = b->requests,
                                         .request_count = b->request_count,
                                         .results = b->results};
        if (registry_claim(a->registry, &call, &why) != 0) {
                http_problem_err(r, &why);
                return;
        }
        write_answer(b, a->claim_limits.lease, &out);
        http_answer(r, 200, "application/json", buffer_bytes(&out));
}

/* Unknown members are ignored: a later version of the caller may add some. */
void claims_make(void *owner, struct http_request *r)
{
        struct api *a = owner;
        AUTO_BODY body = {.ended = NULL};
        struct scan_fault fault;
        struct json_reader reader = {.fault = &fault, .lenient = true};
        struct json_place root;
        if (!api_is_primary(a, r) || !http_body_is_json(r))
                return;
        if (json_read_open(&reader, http_body(r), CALL_DEPTH, &root) != 0 ||
            json_read_is(&reader, &root, SCAN_OBJECT) != 0)
                http_problem_at(r, 400, &fault);
        else if (json_read_members(&reader, &root, call_members, &body) != 0)
                http_problem_at(r, 422, &fault);
        else
                answer_call(a, r, &body);
}
