/* SPDX-License-Identifier: Apache-2.0
 *
 * waiting.h: how many jobs wait and run, and how fast they start, as the projection has it. Counts
 * end at WAITING_MAX, and each is one walk of an index. tenant: its number in `names`.
 */
#pragma once

#include "common/db/readers.h"
#include "status-store/projection/schema.h"

enum { WAITING_MAX = 10000 };

/* 0: no job of that name was ever seen; -1 on failure. Of a tenant or a type. */
int64_t waiting_ref(struct reader *r, const char *name, struct err *e) MUST_CHECK;
/* 1: jobs of the type are known, of the tenant or of all ("*"); 0: none; -1. */
int waiting_type_has_jobs(struct reader *r, const char *tenant, const char *type,
                          struct err *e) MUST_CHECK;

struct lane_waiting {
        int64_t waiting, running;
        msec oldest; /* when the oldest waiting job was created; 0: none waits */
};
int waiting_lanes(struct reader *r, int64_t tenant, struct lane_waiting out[LANE_COUNT],
                  struct err *e) MUST_CHECK;

/* How many jobs run; -1 on failure. */
int64_t waiting_running_of_tenant(struct reader *r, int64_t tenant, struct err *e) MUST_CHECK;
int64_t waiting_running_of_type(struct reader *r, int64_t type, struct err *e) MUST_CHECK;

/* Where a job waits. */
struct waiting_place {
        int64_t tenant;
        enum lane lane;
        msec created;
        struct bytes idle; /* types, as a JSON array, whose jobs do not count; empty: none */
};
/* The jobs of the tenant that start before it, by their lane: those of more urgent lanes, and the
 * older ones of its own. Lane `long` has its own workers, so only its own jobs count. The sum ends
 * at WAITING_MAX + 1. */
int waiting_ahead(struct reader *r, const struct waiting_place *job, int64_t out[LANE_COUNT],
                  struct err *e) MUST_CHECK;
/* The older jobs of a type, of all tenants; -1 on failure. */
int64_t waiting_ahead_of_type(struct reader *r, int64_t type, msec created,
                              struct err *e) MUST_CHECK;

/* First starts of the tenant in a second, over the last two minutes; 0: none. -1 on failure. */
double waiting_starts(struct reader *r, int64_t tenant, msec now, struct err *e) MUST_CHECK;
