/* SPDX-License-Identifier: Apache-2.0
 *
 * unparker.h: brings parked jobs back to their lanes when their pause is over. It consumes from the
 * parked queue of each pause that is off, for good: a consumer that was cut off may park late. It
 * consumes from none of one that is on, so parked jobs cost nothing.
 *
 * A job leaves its queue after the broker has confirmed that its lane has it. One whose tenant was
 * deleted is dropped, like those in the tenant's lanes.
 */
#pragma once

#include "common/amqp/link.h"
#include "common/metrics/metrics.h"
#include "status-store/acts/operator.h"
#include "status-store/registry/registry.h"

struct unparker;

/* link: with the operator's login; several links are made from it, on the operator's loop. Borrows
 * operator and registry. */
struct unparker *unparker_create(const struct link_config *link, struct operator* operator,
                                 struct registry * registry, struct err *e) MUST_CHECK;
/* What was not confirmed stays parked. */
void unparker_destroy(struct unparker **u);
/* The pause with this key ("type:send_email") was published, on or off. Any thread but the loop's;
 * blocks for as long as the loop is busy. */
void unparker_paused(struct unparker *u, const char *key, bool paused);
/* Adds its metrics. Call it before the first unparker_paused. */
void unparker_measure(struct unparker *u, struct metrics *m);
