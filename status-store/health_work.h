/* SPDX-License-Identifier: Apache-2.0
 *
 * health_work.h: checks by what the projection knows: whether jobs are run.
 */
#pragma once

#include "common/db/readers.h"
#include "common/doctor/findings.h"
#include "status-store/projection/freshness.h"

/* Adds the findings. */
int health_work_check(struct reader *r, const struct lag *lag, struct findings *f,
                      struct err *e) MUST_CHECK;
