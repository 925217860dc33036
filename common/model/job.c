/* SPDX-License-Identifier: Apache-2.0
 *
 * job.c: names that are allowed, and judging a job message.
 */
#include "common/model/job.h"

#include <stdio.h>
#include <string.h>

#include "common/base/json_scan.h"
#include "common/base/json_text.h"
#include "common/base/utf8.h"
#include "common/model/quote.h"

/* Counters of a service stay in the range that every JSON reader holds exactly. */
#define COUNTER_MAX ((int64_t)1 << 53)
/* 9999-12-31T23:59:59.999Z: the last time that can be written as text. */
#define TIME_MAX ((msec)253402300799999)

static bool is_name_start(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_name(struct bytes name, size_t size, const char *inner)
{
        if (name.length == 0 || name.length >= size || !is_name_start(name.data[0]))
                return false;
        for (size_t i = 1; i < name.length; i++) {
                char c = name.data[i];
                if (!is_name_start(c) && (c == '\0' || strchr(inner, c) == NULL))
                        return false;
        }
        return true;
}

static bool begins_with(struct bytes text, const char *prefix)
{
        size_t length = strlen(prefix);

        return text.length >= length && memcmp(text.data, prefix, length) == 0;
}

bool tenant_name_is_valid(struct bytes name)
{
        return is_name(name, TENANT_SIZE, "-") && !begins_with(name, "warren");
}

bool job_type_is_valid(struct bytes type)
{
        return is_name(type, JOB_TYPE_SIZE, "._-");
}

/* `count` lower-case hexadecimal digits at `at`; *zero when all are 0. */
static bool is_hex(const char *at, size_t count, bool *zero)
{
        *zero = true;
        for (size_t i = 0; i < count; i++) {
                char c = at[i];
                if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
                        return false;
                *zero = *zero && c == '0';
        }
        return true;
}

bool traceparent_is_valid(struct bytes text)
{
        const char *t = text.data;
        bool zero, trace_zero, span_zero;

        if (text.length != JOB_TRACEPARENT_SIZE - 1 || memcmp(t, "00-", 3) != 0)
                return false;
        return is_hex(t + 3, 32, &trace_zero) && !trace_zero && t[35] == '-' &&
               is_hex(t + 36, 16, &span_zero) && !span_zero && t[52] == '-' &&
               is_hex(t + 53, 2, &zero);
}

bool job_message_is_from_service(const struct message *m)
{
        return begins_with(m->user_id, "warren-");
}

/* These check a body before they publish it, so it is not judged again at each of its stations:
 * what the gateway accepted is a job also where a smaller limit is set. The broker vouches for
 * user_id. */
static bool body_was_checked(const struct message *m)
{
        static const char *const checkers[] = {"warren-gateway", "warren-consumer",
                                               "warren-dlx-monitor"};

        for (size_t i = 0; i < sizeof(checkers) / sizeof(checkers[0]); i++) {
                if (bytes_equal_text(m->user_id, checkers[i]))
                        return true;
        }
        return false;
}

bool job_message_origin(const struct message *m, char tenant[TENANT_SIZE], enum lane *lane)
{
        struct bytes name, key = m->routing_key;

        tenant[0] = '\0';
        if (begins_with(m->exchange, "jobs.")) {
                name = bytes_of(m->exchange.data + 5, m->exchange.length - 5);
        } else {
                const char *dot = key.length == 0 ? NULL : memchr(key.data, '.', key.length);
                if (dot == NULL)
                        return false;
                name = bytes_of(key.data, (size_t)(dot - key.data));
                key = bytes_of(dot + 1, key.length - name.length - 1);
        }
        if (!tenant_name_is_valid(name) || bytes_to_text(name, tenant, TENANT_SIZE) != 0)
                return false;
        lane_parse(key, lane);
        return true;
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
        if (value < low)
                return low;
        return value > high ? high : value;
}

static int64_t clamped_header(const struct message *m, const char *name, int64_t fallback,
                              int64_t high)
{
        return clamp(message_header_int(m, name, fallback), 0, high);
}

/* Copies a header of printable ASCII that fits; leaves `out` empty otherwise. */
static void copy_token(const struct message *m, const char *name, char *out, size_t size)
{
        struct bytes text = message_header_text(m, name);

        for (size_t i = 0; i < text.length; i++) {
                if (text.data[i] < ' ' || text.data[i] > '~')
                        return;
        }
        if (text.data != NULL && bytes_to_text(text, out, size) != 0)
                out[0] = '\0';
}

static void claim_id(struct job *job, struct bytes claimed)
{
        size_t length = claimed.length;

        if (length >= sizeof(job->claimed_id))
                length = sizeof(job->claimed_id) - 1;
        for (size_t i = 0; i < length; i++) {
                char c = claimed.data[i];
                job->claimed_id[i] = '?';
                if (c >= ' ' && c <= '~')
                        job->claimed_id[i] = c;
        }
        job->claimed_id[length] = '\0';
}

/* When the delay began: at the submission. A timestamp has seconds only, so its second's last
 * moment is taken: nothing runs early. `now` (0: unknown) is later than any submission, whatever
 * another's clock says. */
static msec delay_start(const struct message *m, msec stamped, msec now)
{
        msec start = clamped_header(m, "x-submitted-at", stamped > 0 ? stamped + 999 : 0, TIME_MAX);

        if (start == 0 || (now > 0 && now < start))
                return now;
        return start;
}

/* A job from outside waits as long as one over HTTP may. */
static msec latest_start(const struct job *job, msec now)
{
        return job->from_outside && now > 0 ? now + JOB_DELAY_MAX : TIME_MAX;
}

/* The first seven headers: anybody's. */
static void read_public_headers(const struct message *m, msec now, struct job *job)
{
        const struct header *timeout = message_header(m, "x-timeout-ms");
        msec stamped = m->timestamp > 0 ? clamp(m->timestamp, 0, TIME_MAX / 1000) * 1000 : 0;
        msec delay = clamped_header(m, "x-delay", 0, JOB_DELAY_MAX);

        job->max_retries =
                clamped_header(m, "x-max-retries", JOB_MAX_RETRIES_DEFAULT, JOB_MAX_RETRIES_MAX);
        if (timeout != NULL && timeout->kind == HEADER_INT)
                job->timeout = clamp(timeout->number, JOB_TIMEOUT_MIN, JOB_TIMEOUT_MAX);
        job->submitted_at = clamped_header(m, "x-submitted-at", stamped, TIME_MAX);
        job->run_at = clamped_header(m, "x-run-at", 0, TIME_MAX);
        if (job->from_outside && job->run_at == 0 && delay > 0)
                job->run_at = delay_start(m, stamped, now) + delay;
        job->run_at = clamp(job->run_at, 0, latest_start(job, now));

        struct bytes trace = message_header_text(m, "traceparent");
        if (traceparent_is_valid(trace))
                memcpy(job->traceparent, trace.data, trace.length);
}

static void read_service_headers(const struct message *m, struct job *job)
{
        struct bytes error = message_header_text(m, "x-error");
        struct bytes burial = message_header_text(m, "x-burial");

        copy_token(m, "x-key", job->key, sizeof(job->key));
        copy_token(m, "x-key-hash", job->key_hash, sizeof(job->key_hash));
        job->run = clamp(message_header_int(m, "x-run", 1), 1, COUNTER_MAX);
        job->attempt = clamped_header(m, "x-attempt", 0, COUNTER_MAX);
        job->copy = clamped_header(m, "x-copy", 0, COUNTER_MAX);
        job->queued_at = clamped_header(m, "x-queued-at", 0, TIME_MAX);
        job->due_at = clamped_header(m, "x-due-at", 0, TIME_MAX);
        job->unhandled_at = clamped_header(m, "x-unhandled-at", 0, TIME_MAX);
        job->hop = message_header_int(m, "x-hop", 0) != 0;
        job->again = message_header_int(m, "x-again", 0) != 0;
        job->error =
                bytes_of(error.data, error.length > JOB_ERROR_MAX ? JOB_ERROR_MAX : error.length);
        error_kind_parse(message_header_text(m, "x-error-kind"), &job->error_kind);
        reason_parse(message_header_text(m, "x-reason"), &job->reason);
        if (!uuid_parse(burial, job->burial))
                job->burial[0] = '\0';
        claim_id(job, message_header_text(m, "x-claimed-id"));
        if (job->reason == REASON_MALFORMED)
                job->original = message_header_text(m, "x-original");
}

/* A header of the wrong type says something that cannot be understood: to leave it out would run a
 * job at once that was to wait. What a service writes is right. */
static int check_public_headers(const struct message *m, const struct job *job, struct err *e)
{
        static const struct {
                const char *name;
                enum header_kind kind;
        } known[] = {{"x-max-retries", HEADER_INT}, {"x-timeout-ms", HEADER_INT},
                     {"x-run-at", HEADER_INT},      {"x-delay", HEADER_INT},
                     {"x-priority", HEADER_INT},    {"x-submitted-at", HEADER_INT},
                     {"traceparent", HEADER_STRING}};
        char value[QUOTE_SIZE];

        for (size_t i = 0; job->from_outside && i < sizeof(known) / sizeof(known[0]); i++) {
                const struct header *h = message_header(m, known[i].name);
                if (h == NULL || h->kind == known[i].kind)
                        continue;
                return err_set(e, ERR_INVALID, "the header %s is not %s: %s", known[i].name,
                               known[i].kind == HEADER_INT ? "an integer of at most 64 bits"
                                                           : "a string",
                               quote_header(m, h, value));
        }
        return 0;
}

/* What is missing, or is there and not what it must be. */
static int refuse_property(struct err *e, const char *name, struct bytes value, const char *wanted)
{
        char quoted[QUOTE_SIZE];

        if (value.data == NULL)
                return err_set(e, ERR_INVALID, "%s is missing", name);
        return err_set(e, ERR_INVALID, "%s is not %s: %s", name, wanted, quote_text(value, quoted));
}

static int check_properties(const struct message *m, const struct job *job, struct err *e)
{
        if (job->id[0] == '\0')
                return refuse_property(e, "message_id", m->message_id, "a UUID");
        if (job->type[0] == '\0')
                return refuse_property(e, "type", m->type, "[a-z0-9][a-z0-9._-]{0,63}");
        if (!json_is_media_type(m->content_type))
                return refuse_property(e, "content_type", m->content_type, "application/json");
        if (m->delivery_mode == 0)
                return err_set(e, ERR_INVALID, "delivery_mode is missing: 2 is wanted");
        if (m->delivery_mode != 2)
                return err_set(e, ERR_INVALID, "delivery_mode is not 2: %d", m->delivery_mode);
        return 0;
}

/* With what stands at the fault, from a little before it. */
static int check_json(struct bytes body, struct err *e)
{
        enum { BEFORE = 20 };
        struct scan_fault fault;
        char near[QUOTE_SIZE];

        if (scan_check(body, SCAN_DEPTH_MAX, &fault) == 0)
                return 0;
        size_t from = fault.offset > BEFORE ? fault.offset - BEFORE : 0;
        while (from < fault.offset && utf8_continues_((unsigned char)body.data[from]))
                from++;
        return err_set(e, ERR_INVALID,
                       "the body is not one JSON value: %s at line %u, column %u, near %s",
                       fault.detail, fault.line, fault.column,
                       quote_text(bytes_of(body.data + from, body.length - from), near));
}

/* Ids, type, body and headers of a message that must be whole; first failure wins. */
static int check_contract(const struct message *m, const struct job_limits *limits, struct job *job,
                          struct err *e)
{
        if (check_properties(m, job, e) != 0)
                return -1;
        if (m->body.length == 0)
                return err_set(e, ERR_INVALID, "the body is empty");
        if (!body_was_checked(m)) {
                if (m->body.length > limits->payload_max)
                        return err_set(e, ERR_INVALID, "the body has %zu bytes, more than %zu",
                                       m->body.length, limits->payload_max);
                if (check_json(m->body, e) != 0)
                        return -1;
        }
        return check_public_headers(m, job, e);
}

static int refuse_address(const struct message *m, bool named, struct err *e)
{
        char exchange[QUOTE_SIZE], key[QUOTE_SIZE];

        quote_text(m->routing_key, key);
        if (named)
                return err_set(e, ERR_INVALID, "the routing key names no lane: %s", key);
        return err_set(e, ERR_INVALID, "neither exchange nor routing key names a tenant: %s, %s",
                       quote_text(m->exchange, exchange), key);
}

int job_decode(const struct message *m, const struct job_limits *limits, msec now, struct job *job,
               struct err *e)
{
        enum lane lane = (enum lane)LANE_COUNT;

        memset(job, 0, sizeof(*job));
        job->run = 1;
        job->from_outside = !job_message_is_from_service(m);
        job->priority = PRIORITY_MEDIUM;
        job->lane = LANE_MEDIUM;
        job->app_id = m->app_id;
        job->payload = m->body;
        if (job_type_is_valid(m->type))
                memcpy(job->type, m->type.data, m->type.length);
        if (!uuid_parse(m->message_id, job->id))
                job->id[0] = '\0';
        read_public_headers(m, now, job);
        if (!job->from_outside)
                read_service_headers(m, job);

        bool named = job_message_origin(m, job->tenant, &lane);
        if (lane != (enum lane)LANE_COUNT)
                job->lane = lane;
        if (job->lane == LANE_LONG)
                job->priority = (enum priority)clamp(
                        message_header_int(m, "x-priority", PRIORITY_MEDIUM), 0, PRIORITY_CRITICAL);
        else
                job->priority = (enum priority)job->lane;

        bool burial = bytes_equal_text(m->exchange, "dead") && job->reason != REASON_NONE;
        if (!named)
                refuse_address(m, named, e);
        else if (burial && job->id[0] == '\0')
                refuse_property(e, "message_id", m->message_id, "a UUID");
        else if (burial)
                return 0;
        else if (lane == (enum lane)LANE_COUNT)
                refuse_address(m, named, e);
        else if (check_contract(m, limits, job, e) == 0)
                return 0;
        claim_id(job, m->message_id);
        return -1;
}

enum lane job_lane(const struct job *job, msec type_timeout)
{
        msec timeout = job->timeout != 0 ? job->timeout : type_timeout;

        return timeout > JOB_TIMEOUT_LONG ? LANE_LONG : (enum lane)job->priority;
}
