/* SPDX-License-Identifier: Apache-2.0
 *
 * why_rules.h: why a job waits, judged from facts. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/model/status.h"

/* In the order in which they are looked at, which is that in which a consumer asks: the first that
 * holds is the code. */
enum why_code {
        WHY_NONE,    /* it runs, or has ended */
        WHY_LAGGING, /* the projection is too far behind to say: shown as unknown */
        WHY_DELAYED,
        WHY_BACKOFF,
        WHY_BROKER_BLOCKED,
        WHY_TENANT_PAUSED,
        WHY_TYPE_PAUSED,
        WHY_NO_WORKER,
        WHY_RATE,
        WHY_NO_SLOT,
        WHY_TYPE_LIMIT,
        WHY_BEHIND,
        WHY_UNKNOWN
};
enum { WHY_COUNT = WHY_UNKNOWN + 1 };

/* A running limit. */
struct why_limit {
        int64_t limit;   /* RECORD_UNLIMITED */
        int64_t free;    /* tokens ready; -1: not counted */
        int64_t running; /* as the projection has it */
};

struct why_facts {
        enum status status;
        msec now, lag;
        msec run_at;  /* 0: none */
        bool retries; /* it waits, or waited, until run_at because an attempt failed */
        bool broker_blocked;
        bool tenant_paused, type_paused;
        unsigned workers;      /* live ones that handle the type */
        unsigned workers_free; /* of these with room for one more job */
        unsigned workers_full; /* of these that run as many of the type as they may */
        struct why_limit slots, type_slots;
        bool has_rate;
        int64_t starts_free; /* tokens of the rate that are ready; -1: not counted */
        int64_t ahead;       /* jobs before it in its tenant's lanes */
};

/* No job may start by this limit. */
bool why_is_used_up(const struct why_limit *l);
/* The first code that holds. also: the others, in order; ended by WHY_NONE. */
enum why_code why_judge(const struct why_facts *f, enum why_code also[WHY_COUNT]);
/* As the API has it: "no_slot"; WHY_NONE: NULL. */
const char *why_code_name(enum why_code code);
