/* SPDX-License-Identifier: Apache-2.0
 *
 * under_way.h: the jobs that are acted on right now, each by one thread. Any thread.
 */
#pragma once

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/model/job.h"

struct under_way;

struct under_way *under_way_create(void);
/* No job may be under way. */
void under_way_destroy(struct under_way **u);
/* Waits until nobody else acts on this job, or until the clock_mono() deadline: ERR_UNAVAILABLE. A
 * job of the same id that another tenant has is another one. */
int under_way_enter(struct under_way *u, const char *tenant, const char *id, msec deadline,
                    struct err *e) MUST_CHECK;
void under_way_leave(struct under_way *u, const char *tenant, const char *id);
/* Ends all waits; later ones fail. */
void under_way_close(struct under_way *u);
