/* SPDX-License-Identifier: Apache-2.0
 *
 * why_facts.h: reads what bears on a job that waits: the facts that are judged (why_rules.h), and
 * what is shown with them.
 */
#pragma once

#include "common/clients/control.h"
#include "status-store/why/token_counts.h"
#include "status-store/why/waiting.h"
#include "status-store/why/why_rules.h"
#include "status-store/why/worker_view.h"

/* Where facts come from. Borrowed. */
struct why_sources {
        struct reader *reader;
        struct control *control;
        struct token_counts *tokens; /* NULL: not counted */
        msec as_of, lag;
};

/* The gateway's view of its broker, as it gives it with the question. */
enum why_broker { WHY_BROKER_UP, WHY_BROKER_IS_BLOCKED, WHY_BROKER_DOWN };

enum { WHY_FULL_MAX = 20 };

/* Live workers that handle the type, and the last that did. */
struct why_workers {
        unsigned live, draining;
        int64_t busy, concurrency; /* sums over the live ones */
        struct why_full {
                char worker[WORKER_NAME_SIZE];
                int64_t running, limit;
        } full[WHY_FULL_MAX];        /* the first that run as many of the type as they may */
        char last[WORKER_NAME_SIZE]; /* "": none in the last ten minutes */
        msec last_seen;
};

struct why_case {
        const struct stored_job *job; /* borrowed */
        const char *type;
        struct why_facts facts;
        int64_t tenant_ref, type_ref; /* 0: none */
        msec pending_since;
        enum why_broker broker;
        msec broker_since; /* 0: unknown */
        struct tenant_record tenant;
        struct type_record limits; /* of the type */
        enum pause paused_by;
        struct pause_record pause;
        struct why_workers workers;
        int64_t ahead[LANE_COUNT];
        int64_t ahead_of_type; /* older jobs of a type that has a rate */
        int64_t cooling;       /* tokens of the rate that cool; -1: not counted */
        double starts;         /* of the tenant in a second; 0: none */
};

/* Fills in what control and the broker hold. Waits 300 ms at most for the broker's counts:
 * s->reader is not used, and should not be taken yet. c: zeroed, but for job, type, and the broker.
 */
void why_facts_count(const struct why_sources *s, struct why_case *c);
/* Then the rest. */
int why_facts_read(const struct why_sources *s, struct why_case *c, struct err *e) MUST_CHECK;
