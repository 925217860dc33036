/* SPDX-License-Identifier: Apache-2.0
 *
 * health_facts.h: what the checks of the broker must know of the primary's tenants, limits and
 * pauses.
 */
#pragma once

#include "common/clients/control.h"
#include "common/doctor/facts.h"
#include "status-store/registry/registry.h"

/* facts: {0} on entry; the caller frees it in either case. */
int health_facts_read(struct registry *r, struct control *c, struct doctor_facts *facts,
                      struct err *e) MUST_CHECK;
