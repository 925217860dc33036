/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_types.h: the limits of job types in registry.db. Every type exists; one without a row
 * has no limits. A row stays, because its versions must only grow.
 *
 * Threads and errors as in registry.h.
 */
#pragma once

#include "status-store/registry/registry.h"

enum { LIMITED_TYPES_MAX = 1000 }; /* with a limit */

struct type {
        struct type_record record;
        struct limit slots_in_force; /* while record.slots_version is 0 */
        struct limit rate_in_force;  /* while record.rate_version is 0 */
        msec created_at;
};

bool type_is_limited(const struct type *t);
/* 1: found; 0: it never had a limit: t is that type without limits, of version 0; -1. */
int registry_type(struct registry *r, const char *name, struct type *t, struct err *e) MUST_CHECK;
/* Writes limits of a type that was read before, and raises v; fills created_at of a new one. A
 * limit that has changed, or whose slots_version or rate_version is 0, gets a new version when its
 * tokens are there. ERR_CONFLICT: it has changed since, or LIMITED_TYPES_MAX have limits already.
 */
int registry_change_type(struct registry *r, struct type *t, struct err *e) MUST_CHECK;

typedef int type_fn(void *owner, const struct type *t, struct err *e);
/* As registry_each_tenant. */
int registry_each_type(struct registry *r, enum which which, type_fn *each, void *owner,
                       struct err *e) MUST_CHECK;
/* As registry_seen_tenant; but a type without a row becomes what `control` says. */
int registry_seen_type(struct registry *r, const struct type_record *seen,
                       struct err *e) MUST_CHECK;
