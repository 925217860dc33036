/* SPDX-License-Identifier: Apache-2.0
 *
 * submission.c: parsing and validating a submission, member by member.
 */
#include "gateway/submission.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DELAY_SECONDS_MAX (365.0 * 86400)
#define TIMEOUT_SECONDS_MAX (24.0 * 3600)

enum { SHORT_TEXT_SIZE = 128 };

/* One body on its way to a job. */
struct parse {
        struct bytes body;
        const struct submission_rules *rules;
        struct job *job;
        struct submission_refusal *why;
        struct scan_value delay, run_at; /* raw absent: not given */
};

/* A member's parser: 0, or -1 with p->why filled. */
typedef int member_fn(struct parse *p, const char *name, struct scan_value value);

static int refuse(struct parse *p, int status, const char *name, struct scan_value at,
                  const char *format, ...) PRINTF_LIKE(5, 6);

/* name NULL: the body as a whole. */
static int refuse(struct parse *p, int status, const char *name, struct scan_value at,
                  const char *format, ...)
{
        struct scan_fault *f = &p->why->fault;
        const char *place = at.raw.data != NULL ? at.raw.data : p->body.data;
        va_list arguments;

        p->why->status = status;
        *f = (struct scan_fault){.offset = (size_t)(place - p->body.data)};
        if (name != NULL)
                snprintf(f->pointer, sizeof(f->pointer), "/%s", name);
        scan_locate(p->body, place, &f->line, &f->column);
        va_start(arguments, format);
        vsnprintf(f->detail, sizeof(f->detail), format, arguments);
        va_end(arguments);
        return -1;
}

/* A string of the value's, when it is a short one without NUL. */
static bool short_text(struct scan_value value, char out[SHORT_TEXT_SIZE])
{
        AUTO_BUFFER text = {0};

        /* An escape takes at most six times the bytes it stands for. */
        if (value.kind != SCAN_STRING || value.raw.length > (size_t)6 * SHORT_TEXT_SIZE)
                return false;
        scan_string(value, &text);
        return bytes_to_text(buffer_bytes(&text), out, SHORT_TEXT_SIZE) == 0;
}

static int parse_type(struct parse *p, const char *name, struct scan_value value)
{
        char text[SHORT_TEXT_SIZE];

        if (value.kind != SCAN_STRING)
                return refuse(p, 422, name, value, "must be a string");
        if (!short_text(value, text) || !job_type_is_valid(bytes_of_text(text)))
                return refuse(p, 422, name, value,
                              "must be 1 to 64 of a-z, 0-9, \".\", \"_\", \"-\", not beginning "
                              "with a mark");
        memcpy(p->job->type, text, strlen(text) + 1); /* its length was judged */
        return 0;
}

static int parse_payload(struct parse *p, const char *name, struct scan_value value)
{
        if (value.raw.length > p->rules->payload_max)
                return refuse(p, 413, name, value, "is larger than %zu bytes",
                              p->rules->payload_max);
        p->job->payload = value.raw;
        return 0;
}

static int parse_priority(struct parse *p, const char *name, struct scan_value value)
{
        char text[SHORT_TEXT_SIZE];
        int64_t number = 0;

        if (value.kind == SCAN_NUMBER && scan_int(value, &number) && number >= 0 &&
            number < PRIORITY_COUNT) {
                p->job->priority = (enum priority)number;
                return 0;
        }
        if (short_text(value, text) && priority_parse(bytes_of_text(text), &p->job->priority))
                return 0;
        return refuse(p, 422, name, value,
                      "must be \"low\", \"medium\", \"high\", \"critical\" or 0 to 3");
}

static int parse_retries(struct parse *p, const char *name, struct scan_value value)
{
        int64_t number = 0;

        if (value.kind != SCAN_NUMBER || !scan_int(value, &number) || number < 0 ||
            number > JOB_MAX_RETRIES_MAX)
                return refuse(p, 422, name, value, "must be an integer from 0 to %d",
                              JOB_MAX_RETRIES_MAX);
        p->job->max_retries = number;
        return 0;
}

/* A number of seconds, or a duration as text. False: neither. */
static bool read_duration(struct scan_value value, double seconds_max, msec *out)
{
        char text[SHORT_TEXT_SIZE];
        struct err e = {0};

        if (value.kind == SCAN_NUMBER) {
                double seconds = scan_real(value);
                if (!(seconds >= 0 && seconds <= seconds_max))
                        return false;
                *out = (msec)ceil(seconds * 1000 - 1e-6); /* never early */
                return true;
        }
        return short_text(value, text) && duration_parse(text, out, &e) == 0 &&
               (double)*out <= seconds_max * 1000;
}

static int parse_timeout(struct parse *p, const char *name, struct scan_value value)
{
        if (!read_duration(value, TIMEOUT_SECONDS_MAX, &p->job->timeout) ||
            p->job->timeout < JOB_TIMEOUT_MIN)
                return refuse(p, 422, name, value, "must be " DURATION_FORM ", from 0.1 s to 24 h");
        return 0;
}

static int parse_delay(struct parse *p, const char *name, struct scan_value value)
{
        msec delay = 0;

        if (!read_duration(value, DELAY_SECONDS_MAX, &delay))
                return refuse(p, 422, name, value, "must be " DURATION_FORM ", at most 365 days");
        p->delay = value;
        p->job->run_at = delay > 0 ? p->rules->now + delay : 0;
        return 0;
}

static int parse_run_at(struct parse *p, const char *name, struct scan_value value)
{
        char text[SHORT_TEXT_SIZE];
        struct err e = {0};
        msec at = 0;

        if (!short_text(value, text) || time_parse(text, &at, &e) < 0)
                return refuse(p, 422, name, value,
                              "must be a time as RFC 3339 writes it, like "
                              "\"2026-01-01T00:00:30Z\"");
        if (at > p->rules->now + JOB_DELAY_MAX)
                return refuse(p, 422, name, value, "must be at most 365 days ahead");
        p->run_at = value;
        p->job->run_at = at > p->rules->now ? at : 0;
        return 0;
}

static int parse_tenant(struct parse *p, const char *name, struct scan_value value)
{
        char text[SHORT_TEXT_SIZE];

        if (!short_text(value, text) || !tenant_name_is_valid(bytes_of_text(text)))
                return refuse(p, 422, name, value, "must be the name of a tenant");
        if (p->rules->tenant[0] != '\0' && strcmp(p->rules->tenant, text) != 0)
                return refuse(p, 403, name, value, "this key belongs to another tenant");
        snprintf(p->job->tenant, sizeof(p->job->tenant), "%.*s", TENANT_SIZE - 1, text);
        return 0;
}

static int parse_key(struct parse *p, const char *name, struct scan_value value)
{
        return refuse(p, 422, name, value, "idempotency keys are not offered by this version");
}

static const struct {
        const char *name;
        member_fn *parse;
} members[] = {
        {"type", parse_type},           {"payload", parse_payload},  {"priority", parse_priority},
        {"max_retries", parse_retries}, {"timeout", parse_timeout},  {"delay", parse_delay},
        {"run_at", parse_run_at},       {"tenant_id", parse_tenant}, {"idempotency_key", parse_key},
};

/* ~ and / have a form of their own in a pointer (RFC 6901). */
static int refuse_unknown(struct parse *p, const struct scan_item *item)
{
        char name[SHORT_TEXT_SIZE];
        size_t length = 0;

        for (size_t i = 0; i < item->key.length && length < sizeof(name) - 3; i++) {
                char c = item->key.data[i];
                if (c == '~' || c == '/') {
                        name[length++] = '~';
                        c = c == '~' ? '0' : '1';
                }
                name[length++] = c;
        }
        /* A long name is cut, but not within a character. */
        while (!bytes_are_utf8(bytes_of(name, length)))
                length--;
        name[length] = '\0';
        struct bytes quoted = bytes_of(item->key.data - 1, item->key.length + 2);
        return refuse(p, 422, name, (struct scan_value){.raw = quoted}, "is no member of a job");
}

static int parse_member(struct parse *p, const struct scan_item *item)
{
        for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
                if (!scan_key_is(item->key, members[i].name))
                        continue;
                /* As if it were not there; a payload can be null. */
                if (item->value.kind == SCAN_NULL && members[i].parse != parse_payload)
                        return 0;
                return members[i].parse(p, members[i].name, item->value);
        }
        return refuse_unknown(p, item);
}

static int check_whole(struct parse *p, struct scan_value root)
{
        if (p->job->type[0] == '\0')
                return refuse(p, 422, "type", root, "is required");
        if (p->delay.raw.data != NULL && p->run_at.raw.data != NULL)
                return refuse(p, 422, "run_at", p->run_at,
                              "cannot be given together with \"delay\"");
        if (p->job->tenant[0] == '\0')
                return refuse(p, 422, "tenant_id", root,
                              "is required: this key belongs to no tenant");
        return 0;
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
}

int submission_parse(struct bytes body, const struct submission_rules *rules, struct job *job,
                     struct submission_refusal *why)
{
        struct parse p = {.body = body, .rules = rules, .job = job, .why = why};
        struct scan_item item;

        set_defaults(job, rules);
        /* The object around the payload is one level more. */
        if (scan_check(body, SCAN_DEPTH_MAX + 1, &why->fault) < 0) {
                why->status = 400;
                return -1;
        }
        struct scan_value root = scan_root(body);
        if (root.kind != SCAN_OBJECT)
                return refuse(&p, 422, NULL, root, "must be an object");
        for (struct scan_cursor c = scan_items(root); scan_next(&c, &item);) {
                if (parse_member(&p, &item) < 0)
                        return -1;
        }
        if (check_whole(&p, root) < 0)
                return -1;
        job->lane = job_lane(job, 0);
        return 0;
}
