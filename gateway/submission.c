/* SPDX-License-Identifier: Apache-2.0
 *
 * submission.c: the members of a submission, and the rules between them.
 */
#include "gateway/submission.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/uuid.h"
#include "common/model/claim.h"
#include "common/model/job_members.h"
#include "gateway/idempotency_key.h"

#define DELAY_SECONDS_MAX (365.0 * 86400)
#define TIMEOUT_SECONDS_MAX (24.0 * 3600)
#define DURATION_SECONDS_MAX (10000.0 * 86400) /* of duration_parse */

/* A body that is being read into a job: the reader's owner. */
struct parse {
        const struct submission_rules *rules;
        struct job *job;
        struct submission_refusal *why;
        struct scan_value delay, run_at, expires; /* raw absent: not given */
};

static int read_payload(struct json_reader *r, const struct json_place *p, void *out)
{
        struct parse *parse = r->owner;

        if (p->value.raw.length <= parse->rules->payload_max)
                return json_read_raw(r, p, out);
        parse->why->status = 413;
        return json_refuse(r, p, "is larger than %zu bytes: make it smaller (setting payload_max)",
                           parse->rules->payload_max);
}

/* A number of seconds, or a duration as text. False: neither. */
static bool read_duration(struct scan_value value, double seconds_max, msec *out)
{
        char text[2 * TIME_TEXT_SIZE];

        if (value.kind == SCAN_NUMBER) {
                double seconds = scan_real(value);
                if (!(seconds >= 0 && seconds <= seconds_max))
                        return false;
                *out = (msec)ceil(seconds * 1000 - 1e-6); /* never early */
                return true;
        }
        return json_copy_text(value, text, sizeof(text)) && duration_parse(text, out, NULL) == 0 &&
               (double)*out <= seconds_max * 1000;
}

static int read_timeout(struct json_reader *r, const struct json_place *p, void *out)
{
        msec timeout;

        if (!read_duration(p->value, TIMEOUT_SECONDS_MAX, &timeout) || timeout < JOB_TIMEOUT_MIN)
                return json_refuse(r, p, "must be " DURATION_FORM ", from 0.1 s to 24 h");
        *(msec *)out = timeout;
        return 0;
}

static int read_delay(struct json_reader *r, const struct json_place *p, void *out)
{
        struct parse *parse = r->owner;
        msec delay;

        if (!read_duration(p->value, DELAY_SECONDS_MAX, &delay))
                return json_refuse(r, p, "must be " DURATION_FORM ", at most 365 days");
        parse->delay = p->value;
        *(msec *)out = delay > 0 ? parse->rules->now + delay : 0;
        return 0;
}

static int read_run_at(struct json_reader *r, const struct json_place *p, void *out)
{
        struct parse *parse = r->owner;
        msec at, now = parse->rules->now;

        if (json_read_time(r, p, &at) != 0)
                return -1;
        if (at > now + JOB_DELAY_MAX)
                return json_refuse(r, p, "must be at most 365 days ahead");
        parse->run_at = p->value;
        *(msec *)out = at > now ? at : 0;
        return 0;
}

/* "2026-01-31..." */
static bool looks_like_a_time(struct scan_value value)
{
        char text[2 * TIME_TEXT_SIZE];

        return json_copy_text(value, text, sizeof(text)) && strspn(text, "0123456789") == 4 &&
               text[4] == '-';
}

/* A duration or a number of seconds from now, or a time. */
static int read_expires(struct json_reader *r, const struct json_place *p, void *out)
{
        struct parse *parse = r->owner;
        msec at, left, now = parse->rules->now;

        if (looks_like_a_time(p->value)) {
                if (json_read_time(r, p, &at) != 0)
                        return -1;
        } else if (p->value.kind == SCAN_NUMBER && scan_real(p->value) < 0) {
                return json_refuse(r, p, "must be later than now");
        } else if (read_duration(p->value, DURATION_SECONDS_MAX, &left)) {
                at = now + left;
        } else {
                return json_refuse(r, p,
                                   "must be " DURATION_FORM
                                   ", or a time like \"2026-01-01T00:00:30Z\"; at most 365 days "
                                   "ahead");
        }
        if (at > now + JOB_DELAY_MAX)
                return json_refuse(r, p, "must be at most 365 days ahead");
        parse->expires = p->value;
        *(msec *)out = at > 0 ? at : 1; /* 0: none */
        return 0;
}

static int read_tenant(struct json_reader *r, const struct json_place *p, void *out)
{
        struct parse *parse = r->owner;
        const char *own = parse->rules->tenant;
        char text[TENANT_SIZE];

        if (job_read_tenant(r, p, text) != 0)
                return -1;
        if (own[0] != '\0' && strcmp(own, text) != 0) {
                parse->why->status = 403;
                return json_refuse(r, p, "this API key belongs to another tenant");
        }
        memcpy(out, text, sizeof(text));
        return 0;
}

/* The header's key is in the job already. */
static int read_key(struct json_reader *r, const struct json_place *p, void *out)
{
        const struct parse *parse = r->owner;
        char text[JOB_KEY_SIZE];

        if (!json_copy_text(p->value, text, sizeof(text)) ||
            !claim_key_is_valid(bytes_of_text(text)))
                return json_refuse(r, p, "must be a string of " IDEMPOTENCY_KEY_FORM);
        if (parse->rules->key != NULL && strcmp(parse->rules->key, text) != 0)
                return json_refuse(r, p, "differs from the header Idempotency-Key");
        memcpy(out, text, sizeof(text));
        return 0;
}

/* null counts as absent; but a payload can be null. */
#define OPTIONAL(field) JSON_AT(struct job, field), .flags = JSON_NULLABLE

static const struct json_member members[] = {
        {"type", job_read_type, OPTIONAL(type)},
        {"payload", read_payload, JSON_AT(struct job, payload)},
        {"priority", job_read_priority, OPTIONAL(priority)},
        {"max_retries", json_read_int, OPTIONAL(max_retries), .most = JOB_MAX_RETRIES_MAX},
        {"timeout", read_timeout, OPTIONAL(timeout)},
        {"delay", read_delay, OPTIONAL(run_at)},
        {"run_at", read_run_at, OPTIONAL(run_at)},
        {"expires", read_expires, OPTIONAL(expires_at)},
        {"tenant_id", read_tenant, OPTIONAL(tenant)},
        {"idempotency_key", read_key, OPTIONAL(key)},
        {0},
};

/* Refuses a member; the fault points at its value. */
static int refuse_member(struct json_reader *r, const struct json_place *root, const char *name,
                         struct scan_value at, const char *detail)
{
        const struct json_place place = {.up = root, .key = bytes_of_text(name), .value = at};

        return json_refuse(r, &place, "%s", detail);
}

static int check_whole(struct json_reader *r, const struct json_place *root)
{
        const struct parse *p = r->owner;

        if (p->job->type[0] == '\0')
                return refuse_member(r, root, "type", root->value, "is required");
        if (p->delay.raw.data != NULL && p->run_at.raw.data != NULL)
                return refuse_member(r, root, "run_at", p->run_at,
                                     "cannot be given together with \"delay\"");
        if (p->job->tenant[0] == '\0')
                return refuse_member(r, root, "tenant_id", root->value,
                                     "is required: this API key belongs to no tenant");
        return 0;
}

/* The rules that a submission can break which was accepted earlier. */
static int check_times(struct json_reader *r, const struct json_place *root)
{
        const struct parse *p = r->owner;
        const struct job *job = p->job;

        if (p->expires.raw.data == NULL)
                return 0;
        if (job->expires_at <= p->rules->now)
                return refuse_member(r, root, "expires", p->expires, "must be later than now");
        if (job->run_at >= job->expires_at)
                return refuse_member(
                        r, root, "expires", p->expires,
                        "must be later than its earliest start (\"delay\", \"run_at\")");
        return 0;
}

/* The row of a member; the table's end: it has none. */
static size_t row_of(struct bytes raw_key)
{
        size_t i = 0;

        while (members[i].name != NULL && !scan_key_is(raw_key, members[i].name))
                i++;
        return i;
}

/* Two submissions with one key are the same request when their hashes are equal: of the tenant, and
 * of the members given, in the table's order, with the bytes of their values. A key outlives the
 * version of the gateway that hashed its request: rows of the table keep their order, new ones may
 * stand anywhere. */
static void hash_request(struct scan_value root, struct job *job)
{
        struct scan_value given[JSON_MEMBERS_MAX] = {0};
        struct bytes parts[2 * JSON_MEMBERS_MAX + 1] = {bytes_of_text(job->tenant)};
        struct scan_item item;
        char digest[UUID_SIZE];
        size_t count = 1;

        for (struct scan_cursor c = scan_items(root); scan_next(&c, &item);)
                given[row_of(item.key)] = item.value;
        for (size_t i = 0; members[i].name != NULL; i++) {
                bool is_null =
                        given[i].kind == SCAN_NULL && (members[i].flags & JSON_NULLABLE) != 0;
                if (given[i].raw.data == NULL || is_null || members[i].read == read_key)
                        continue;
                parts[count++] = bytes_of_text(members[i].name);
                parts[count++] = given[i].raw;
        }
        uuid8_of(parts, count, digest);
        char *out = job->key_hash;
        for (const char *c = digest; *c != '\0'; c++) {
                if (*c != '-')
                        *out++ = *c;
        }
        *out = '\0';
}

static void set_defaults(struct job *job, const struct submission_rules *rules)
{
        memset(job, 0, sizeof(*job));
        snprintf(job->tenant, sizeof(job->tenant), "%s", rules->tenant);
        job->priority = PRIORITY_MEDIUM;
        job->max_retries = JOB_MAX_RETRIES_DEFAULT;
        job->run = 1;
        job->submitted_at = rules->now;
        job->payload = bytes_of_text("null");
        if (rules->key != NULL)
                snprintf(job->key, sizeof(job->key), "%s", rules->key);
}

int submission_parse(struct bytes body, const struct submission_rules *rules, struct job *job,
                     struct submission_refusal *why)
{
        struct parse p = {.rules = rules, .job = job, .why = why};
        struct json_reader r = {.fault = &why->fault, .owner = &p};
        struct json_place root;

        set_defaults(job, rules);
        why->status = 400;
        /* The object around the payload is one level more. */
        if (json_read_open(&r, body, SCAN_DEPTH_MAX + 1, &root) != 0)
                return -1;
        why->status = 422;
        if (json_read_members(&r, &root, members, job) != 0 || check_whole(&r, &root) != 0)
                return -1;
        job->lane = job_lane(job, 0);
        if (job->key[0] != '\0')
                hash_request(root.value, job);
        why->too_late = check_times(&r, &root) != 0;
        return why->too_late ? -1 : 0;
}
