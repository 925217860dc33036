/* SPDX-License-Identifier: Apache-2.0
 *
 * acts_gauges.h: the metrics of acts on jobs.
 */
#pragma once

#include "common/metrics/metrics.h"
#include "status-store/acts/acts.h"

enum act_outcome { ACT_WAS_DONE, ACT_WAS_REFUSED, ACT_IS_UNFINISHED, ACT_FAILED };

struct acts_gauges;

/* Adds metrics to m, and fills them before each exposition. Both are borrowed, and must outlive m's
 * last exposition. */
struct acts_gauges *acts_gauges_create(struct metrics *m, struct acts *acts);
void acts_gauges_destroy(struct acts_gauges **g);
/* An act on one job took so long. Any thread. */
void acts_gauges_note(struct acts_gauges *g, enum act_kind kind, enum act_outcome outcome,
                      msec took);
