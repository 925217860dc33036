/* SPDX-License-Identifier: Apache-2.0
 *
 * in_force.h: the record of a tenant or type as it can be published now: with its limits, or with
 * those in force while the tokens of its own are not there. So what else has changed, a pause say,
 * never waits for tokens.
 *
 * Pure functions.
 */
#pragma once

#include "status-store/registry/registry_types.h"

/* A limit of it has no tokens yet. */
bool tenant_needs_tokens(const struct tenant *t);
bool type_needs_slots(const struct type *t);
bool type_needs_rate(const struct type *t);
bool type_needs_tokens(const struct type *t);

/* False: nothing can be published, as no limit is known that is in force: the tenant, or the type's
 * limits, are new. */
bool tenant_in_force(const struct tenant *t, struct tenant_record *out);
bool type_in_force(const struct type *t, struct type_record *out);
