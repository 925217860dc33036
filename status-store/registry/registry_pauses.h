/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_pauses.h: the pauses of job types in registry.db. A row stays when its pause is over,
 * because its versions must only grow, and because its queue stays (topology_apply_pause).
 *
 * Threads and errors as in registry.h.
 */
#pragma once

#include "status-store/registry/registry.h"

struct database;

enum { PAUSES_TENANT_MAX = 100 };

/* 1: found; 0: there never was such a pause: out is one of version 0 that is off; -1. */
int registry_pause(struct registry *r, const char *key, struct pause_record *out,
                   struct err *e) MUST_CHECK;
/* Pauses or resumes: takes key, paused and by; fills the rest as it is now. Changes nothing when it
 * is so already. ERR_CONFLICT: a new one, and there are max already; or PAUSES_TENANT_MAX of its
 * tenant, or of all tenants so many that a tenth of max is left for pauses of all. */
int registry_change_pause(struct registry *r, struct pause_record *p, int64_t max,
                          struct err *e) MUST_CHECK;
/* Ends the pauses of a tenant's types, in the write that deletes the tenant. */
int pauses_end_of_tenant(struct database *db, const char *tenant, struct err *e) MUST_CHECK;

typedef int pause_fn(void *owner, const struct pause_record *p, struct err *e);
/* As registry_each_tenant; which: WHICH_ALL or WHICH_UNPUBLISHED. */
int registry_each_pause(struct registry *r, enum which which, pause_fn *each, void *owner,
                        struct err *e) MUST_CHECK;
/* As registry_seen_tenant; but a pause without a row becomes what `control` says. */
int registry_seen_pause(struct registry *r, const struct pause_record *seen,
                        struct err *e) MUST_CHECK;
