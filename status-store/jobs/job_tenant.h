/* SPDX-License-Identifier: Apache-2.0
 *
 * job_tenant.h: whose job an id is.
 */
#pragma once

#include "common/db/database.h"
#include "common/model/job.h"

enum { TENANTS_SEVERAL = 2 };

/* In the projection's database: how many tenants have a job of the id: 0, 1 or TENANTS_SEVERAL,
 * which publishers from outside can bring about; -1. Of 1, out is the tenant, else "". Jobs that
 * are not shown count when no other has the id. */
int job_tenant(struct database *db, const char *id, char out[TENANT_SIZE],
               struct err *e) MUST_CHECK;
