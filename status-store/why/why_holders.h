/* SPDX-License-Identifier: Apache-2.0
 *
 * why_holders.h: the running jobs that hold the slots of a limit.
 */
#pragma once

#include "status-store/why/why_facts.h"

enum { WHY_HOLDERS_MAX = 100 };

/* Adds `holders`, the longest running first, and `holders_left_out`. */
int why_holders_of_tenant(struct reader *r, const struct why_case *c, struct buffer *out,
                          struct err *e) MUST_CHECK;
/* all: the caller may see jobs of every tenant; else it gets those of the job's tenant only, and
 * the number of the others, `others_jobs`. */
int why_holders_of_type(struct reader *r, const struct why_case *c, bool all, struct buffer *out,
                        struct err *e) MUST_CHECK;
