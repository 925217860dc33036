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
        [REFUSED_INVALID] = "invalid", [REFUSED_RATE] = "rate",     [REFUSED_BACKLOG] = "backlog",
        [REFUSED_WINDOW] = "window",   [REFUSED_BROKER] = "broker", [REFUSED_UNKNOWN] = "unknown",
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

void refusal_count(const struct refusal *why, const struct meters *m, const char *tenant)
{
        metric_increment(m->refused, 1, reason_names[why->reason]);
        if (why->reason == REFUSED_RATE)
                metric_increment(m->rate_refused, 1, tenant);
}

void refusal_answer(const struct refusal *why, struct http_request *r)
{
        if (why->retry > 0)
                http_add_header(r, "Retry-After", "%" PRId64, why->retry);
        if (why->has_fault)
                http_problem_at(r, why->status, &why->fault);
        else if (why->reason == REFUSED_UNKNOWN)
                http_problem_with(r, why->status,
                                  json_pack("{s:s,s:s}", "id", why->id, "accepted", "unknown"),
                                  "%s", why->detail);
        else
                http_problem(r, why->status, "%s", why->detail);
}
