/* SPDX-License-Identifier: Apache-2.0
 *
 * refusal.c: refusals, and the problem that each is answered with.
 */
#include "gateway/refusal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/base/json_write.h"
#include "common/http/problem.h"

static const char *const reason_names[] = {
        [REFUSED_INVALID] = "invalid",
        [REFUSED_RATE] = "rate",
        [REFUSED_BACKLOG] = "backlog",
        [REFUSED_WINDOW] = "window",
        [REFUSED_BROKER] = "broker",
        [REFUSED_UNKNOWN] = "unknown",
        [REFUSED_KEY_REUSED] = "key_reused",
        [REFUSED_KEY_IN_FLIGHT] = "key_in_flight",
        [REFUSED_KEYS] = "keys",
};

bool refusal_set(struct refusal *why, enum refusal_reason reason, int status, const char *format,
                 ...)
{
        va_list arguments;

        why->reason = reason;
        why->status = status;
        va_start(arguments, format);
        vsnprintf(why->detail, sizeof(why->detail), format, arguments);
        va_end(arguments);
        return false;
}

bool refusal_set_err(struct refusal *why, const struct err *e)
{
        return refusal_set(why, e->code == ERR_FULL ? REFUSED_WINDOW : REFUSED_BROKER,
                           problem_status(e->code), "%s", e->text);
}

bool refusal_set_fault(struct refusal *why, int status, const struct scan_fault *fault)
{
        why->fault = *fault;
        why->has_fault = true;
        return refusal_set(why, REFUSED_INVALID, status, "%s", fault->detail);
}

bool refusal_set_member(struct refusal *why, const struct refused_member *m)
{
        struct scan_fault fault = {.line = 1, .column = 1};
        struct scan_value value;

        snprintf(fault.pointer, sizeof(fault.pointer), "/%s", m->name);
        snprintf(fault.detail, sizeof(fault.detail), "%s", m->detail);
        if (scan_find(scan_root(m->body), m->name, &value)) {
                fault.offset = (size_t)(value.raw.data - m->body.data);
                scan_locate(m->body, value.raw.data, &fault.line, &fault.column);
        }
        return refusal_set_fault(why, 422, &fault);
}

void refusal_count(const struct refusal *why, const struct meters *m, const char *tenant)
{
        metric_increment(m->refused, 1, reason_names[why->reason]);
        if (why->reason == REFUSED_RATE)
                metric_increment(m->rate_refused, 1, tenant);
}

/* The problem, except `members`; it borrows from why. */
static struct problem problem_of(const struct refusal *why)
{
        return (struct problem){.status = why->status,
                                .type = why->type,
                                .detail = why->detail,
                                .fault = why->has_fault ? &why->fault : NULL};
}

/* NULL: none. */
static json_t *members_of(const struct refusal *why)
{
        if (why->reason != REFUSED_UNKNOWN)
                return NULL;
        return json_pack("{s:s,s:s}", "id", why->id, "accepted", "unknown");
}

void refusal_answer(const struct refusal *why, struct http_request *r)
{
        struct problem p = problem_of(why);
        json_t *members = members_of(why);

        p.members = members;
        if (why->retry > 0)
                http_add_header(r, "Retry-After", "%" PRId64, why->retry);
        http_problem_of(r, &p);
        json_decref(members);
}

void refusal_write(const struct refusal *why, struct buffer *out)
{
        struct problem p = problem_of(why);
        json_t *members = members_of(why);
        int64_t retry = why->retry == 0 && why->status == 503 ? 1 : why->retry;

        if (retry > 0) {
                if (members == NULL)
                        members = json_object();
                json_object_set_new(members, "retry_after", json_integer(retry));
        }
        p.members = members;
        buffer_add_text(out, "{\"problem\":");
        problem_write(&p, out);
        json_end(out);
        json_decref(members);
}
