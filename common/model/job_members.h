/* SPDX-License-Identifier: Apache-2.0
 *
 * job_members.h: reads values that several documents have, in their tables of members.
 */
#pragma once

#include "common/base/json_read.h"

json_member_fn job_read_type;     /* char[JOB_TYPE_SIZE] */
json_member_fn job_read_priority; /* enum priority, by its name or number */
json_member_fn job_read_tenant;   /* char[TENANT_SIZE] */
json_member_fn job_read_reason;   /* enum reason */
