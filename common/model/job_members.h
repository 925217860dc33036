/* SPDX-License-Identifier: Apache-2.0
 *
 * job_members.h: members of a job as bodies of requests give them, for their tables.
 */
#ifndef WARREN_MODEL_JOB_MEMBERS_H
#define WARREN_MODEL_JOB_MEMBERS_H

#include "common/base/json_read.h"

json_member_fn job_read_type;     /* char[JOB_TYPE_SIZE] */
json_member_fn job_read_priority; /* enum priority, by its name or number */

#endif
