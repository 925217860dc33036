/* SPDX-License-Identifier: Apache-2.0
 *
 * why_rules.c: the conditions of each code, in the order in which they are looked at.
 */
#include "status-store/why/why_rules.h"

#include <stddef.h>

#include "common/model/record.h"

/* Beyond this the facts are too old to be judged. */
#define LAG_MAX ((msec)5 * MSEC_SECOND)

/* Statuses of a job that a consumer may yet start. */
static bool is_waiting(enum status s)
{
        return s == STATUS_SCHEDULED || s == STATUS_PENDING || s == STATUS_FAILED;
}

/* A consumer holds a job, which is pending then, for the last second before its time. */
static bool is_timed(const struct why_facts *f)
{
        return f->run_at > f->now;
}

static bool is_retried(const struct why_facts *f)
{
        return f->status == STATUS_FAILED || (f->status == STATUS_PENDING && f->retries);
}

/* A token that is ready decides: what runs may hold one of an earlier limit. No token decides only
 * while something runs, for a broker that has just started counts 0 in every queue. */
bool why_is_used_up(const struct why_limit *l)
{
        if (l->limit == RECORD_UNLIMITED || l->free > 0)
                return false;
        return l->running >= l->limit || (l->free == 0 && l->running > 0);
}

static bool all_are_full(const struct why_facts *f)
{
        return f->workers > 0 && f->workers_full == f->workers;
}

static bool is_behind(const struct why_facts *f)
{
        return f->ahead > 0 || (f->workers > 0 && f->workers_free == 0);
}

/* Conditions of a moment, which say nothing of a job that is not due yet. */
static bool holds_when_due(const struct why_facts *f, enum why_code code)
{
        if (is_timed(f))
                return false;
        switch (code) {
        case WHY_RATE:
                return f->has_rate && f->starts_free == 0;
        case WHY_NO_SLOT:
                return why_is_used_up(&f->slots);
        case WHY_TYPE_LIMIT:
                return why_is_used_up(&f->type_slots) || all_are_full(f);
        case WHY_BEHIND:
                return is_behind(f);
        case WHY_NONE:
        case WHY_LAGGING:
        case WHY_DELAYED:
        case WHY_BACKOFF:
        case WHY_BROKER_BLOCKED:
        case WHY_TENANT_PAUSED:
        case WHY_TYPE_PAUSED:
        case WHY_NO_WORKER:
        case WHY_UNKNOWN:
                break;
        }
        return false;
}

static bool holds(const struct why_facts *f, enum why_code code)
{
        switch (code) {
        case WHY_DELAYED:
                return is_timed(f) && !is_retried(f);
        case WHY_BACKOFF:
                return is_timed(f) && is_retried(f);
        case WHY_BROKER_BLOCKED:
                return f->broker_blocked;
        case WHY_TENANT_PAUSED:
                return f->tenant_paused;
        case WHY_TYPE_PAUSED:
                return f->type_paused;
        case WHY_NO_WORKER:
                return f->workers == 0;
        case WHY_RATE:
        case WHY_NO_SLOT:
        case WHY_TYPE_LIMIT:
        case WHY_BEHIND:
                return holds_when_due(f, code);
        case WHY_NONE:
        case WHY_LAGGING:
        case WHY_UNKNOWN:
                break;
        }
        return false;
}

enum why_code why_judge(const struct why_facts *f, enum why_code also[WHY_COUNT])
{
        enum why_code first = WHY_NONE;
        size_t count = 0;

        also[0] = WHY_NONE;
        if (!is_waiting(f->status))
                return WHY_NONE;
        if (f->lag > LAG_MAX)
                return WHY_LAGGING;
        for (enum why_code code = WHY_DELAYED; code < WHY_UNKNOWN; code++) {
                if (!holds(f, code))
                        continue;
                if (first == WHY_NONE)
                        first = code;
                else
                        also[count++] = code;
        }
        also[count] = WHY_NONE;
        return first != WHY_NONE ? first : WHY_UNKNOWN;
}

const char *why_code_name(enum why_code code)
{
        static const char *const names[WHY_COUNT] = {
                [WHY_LAGGING] = "unknown",
                [WHY_DELAYED] = "delayed",
                [WHY_BACKOFF] = "backoff",
                [WHY_BROKER_BLOCKED] = "broker_blocked",
                [WHY_TENANT_PAUSED] = "tenant_paused",
                [WHY_TYPE_PAUSED] = "type_paused",
                [WHY_NO_WORKER] = "no_worker",
                [WHY_RATE] = "rate",
                [WHY_NO_SLOT] = "no_slot",
                [WHY_TYPE_LIMIT] = "type_limit",
                [WHY_BEHIND] = "behind",
                [WHY_UNKNOWN] = "unknown",
        };

        return names[code];
}
