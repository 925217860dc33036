/* SPDX-License-Identifier: Apache-2.0
 *
 * refusal.c: refusals, and the problem that each is answered with.
 */
#include "gateway/refusal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

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

void refusal_answer(const struct refusal *why, struct http_request *r)
{
        json_t *members = NULL;

        if (why->retry > 0)
                http_add_header(r, "Retry-After", "%" PRId64, why->retry);
        if (why->reason == REFUSED_UNKNOWN)
                members = json_pack("{s:s,s:s}", "id", why->id, "accepted", "unknown");
        http_problem_of(r, &(struct problem){.status = why->status,
                                             .type = why->type,
                                             .detail = why->detail,
                                             .fault = why->has_fault ? &why->fault : NULL,
                                             .members = members});
        json_decref(members);
}
