/* SPDX-License-Identifier: Apache-2.0
 *
 * facts.h: what the checks of the broker must know of Warren: its tenants, limits and pauses.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/model/job.h"
#include "common/model/limit_queue.h"
#include "common/model/parked.h"

struct doctor_tenant {
        char name[TENANT_SIZE];
        bool paused; /* its queues have no consumer on purpose */
};

struct doctor_limit {
        enum limit_queue kind; /* never LIMIT_TYPE_COOLING */
        char of[JOB_TYPE_SIZE];
        int64_t version; /* in force; 0: none, its tokens are being made */
        int64_t tokens;
};

/* Of a type; one that was ever made. */
struct doctor_pause {
        char key[PAUSE_KEY_SIZE]; /* see parked.h */
        bool paused;
        msec since; /* 0: not known */
};

struct doctor_facts {
        struct doctor_tenant *tenants;
        struct doctor_limit *limits;
        struct doctor_pause *pauses;
        size_t tenant_count, limit_count, pause_count;
};
/* {0} at first. */
void doctor_facts_fini(struct doctor_facts *f);
void doctor_facts_add_tenant(struct doctor_facts *f, const char *name, bool paused);
/* of: the tenant or type. */
void doctor_facts_add_limit(struct doctor_facts *f, const struct doctor_limit *limit);
void doctor_facts_add_pause(struct doctor_facts *f, const struct doctor_pause *pause);
/* Whose limit it is: tenant or type. */
const char *doctor_noun(enum limit_queue kind);
#define AUTO_FACTS __attribute__((cleanup(doctor_facts_fini))) struct doctor_facts
