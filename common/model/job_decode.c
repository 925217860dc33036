/* SPDX-License-Identifier: Apache-2.0
 *
 * job_decode.c: reads and checks a job message.
 */
#include <string.h>

#include "common/base/json_scan.h"
#include "common/base/json_text.h"
#include "common/base/utf8.h"
#include "common/model/job_headers.h"
#include "common/model/quote.h"

/* These services check a body before they publish it. It is not checked again, so a job that the
 * gateway accepted is valid also for a program with a smaller limit. The broker verifies user_id.
 */
static bool body_was_checked(const struct message *m)
{
        static const char *const checkers[] = {"warren-gateway", "warren-consumer",
                                               "warren-dlx-monitor", "warren-operator"};

        for (size_t i = 0; i < sizeof(checkers) / sizeof(checkers[0]); i++) {
                if (bytes_equal_text(m->user_id, checkers[i]))
                        return true;
        }
        return false;
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

/* The submission's time, from which x-delay counts. A timestamp has only seconds: the end of its
 * second is used, so that nothing runs early. A time after `now` (0: unknown) comes from a wrong
 * clock: `now` is used. */
static msec delay_start(const struct job *job, msec stamped, msec now)
{
        msec start = job->submitted_at;

        if (start == 0 && stamped > 0)
                start = stamped + 999;
        if (start == 0 || (now > 0 && now < start))
                return now;
        return start;
}

/* A job from outside may wait no longer than one submitted over HTTP. */
static msec latest_start(const struct job *job, msec now)
{
        return job->from_outside && now > 0 ? now + JOB_DELAY_MAX : JOB_TIME_MAX;
}

/* run_at comes from x-run-at or x-delay, submitted_at from x-submitted-at or the timestamp. */
static void read_times(const struct message *m, msec now, struct job *job)
{
        msec stamped = m->timestamp > 0 ? clamp(m->timestamp, 0, JOB_TIME_MAX / 1000) * 1000 : 0;
        msec delay = clamp(message_header_int(m, "x-delay", 0), 0, JOB_DELAY_MAX);

        if (job->from_outside && job->run_at == 0 && delay > 0)
                job->run_at = delay_start(job, stamped, now) + delay;
        job->run_at = clamp(job->run_at, 0, latest_start(job, now));
        if (job->expires_at != 0 && job->run_at > job->expires_at)
                job->run_at = job->expires_at;
        if (job->submitted_at == 0)
                job->submitted_at = stamped;
}

/* The property is missing or has a wrong value. */
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

static const char not_json[] = "the body is not one JSON value";

bool job_error_quotes_body(struct bytes error)
{
        const size_t length = sizeof(not_json) - 1;

        return error.length >= length && memcmp(error.data, not_json, length) == 0;
}

/* The error quotes the text around the fault. */
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
        return err_set(e, ERR_INVALID, "%s: %s at line %u, column %u, near %s", not_json,
                       fault.detail, fault.line, fault.column,
                       quote_text(bytes_of(body.data + from, body.length - from), near));
}

/* Checks id, type, body and headers of a message other than a burial. */
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
        return job->from_outside ? job_headers_check(m, e) : 0;
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
        job->from_outside = !job_message_is_from_service(m);
        job->priority = PRIORITY_MEDIUM;
        job->lane = LANE_MEDIUM;
        job->app_id = m->app_id;
        job->payload = m->body;
        if (job_type_is_valid(m->type))
                memcpy(job->type, m->type.data, m->type.length);
        if (!uuid_parse(m->message_id, job->id))
                job->id[0] = '\0';
        job_headers_read(m, job);
        job->outside = job->outside || job->from_outside;
        read_times(m, now, job);
        if (job->reason != REASON_MALFORMED)
                job->original = (struct bytes){NULL, 0};

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
