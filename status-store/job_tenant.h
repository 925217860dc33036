/* SPDX-License-Identifier: Apache-2.0
 *
 * job_tenant.h: whose job an id is.
 */
#pragma once

#include "common/db/database.h"
#include "common/model/job.h"

/* In the projection's database. out is "" when no job has the id, or jobs of two tenants do, which
 * publishers from outside can bring about. */
int job_tenant(struct database *db, const char *id, char out[TENANT_SIZE],
               struct err *e) MUST_CHECK;
