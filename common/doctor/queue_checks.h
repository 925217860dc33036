/* SPDX-License-Identifier: Apache-2.0
 *
 * queue_checks.h: finds queues that have no consumer, and what is parked. The broker's counts are
 * some seconds late, so a queue that is idle is looked at again: the caller looks until that is
 * settled, then reports the last look.
 */
#pragma once

#include "common/doctor/broker_api.h"
#include "common/doctor/facts.h"
#include "common/doctor/findings.h"
#include "common/doctor/queue_list.h"

struct queue_checks;

struct queue_checks *queue_checks_create(void);
void queue_checks_destroy(struct queue_checks **q);
/* Blocks for a call of the management API. */
int queue_checks_look(struct queue_checks *q, const struct doctor_broker *b,
                      const struct doctor_look *look, struct err *e) MUST_CHECK;
/* Nothing is idle, or something has been for longer than the counts are late. */
bool queue_checks_are_settled(const struct queue_checks *q, msec now);
/* tenants_known: facts has them; else the caller reports CHECK_CONSUMERS. */
void queue_checks_report(const struct queue_checks *q, bool tenants_known, struct findings *f);
