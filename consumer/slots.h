/* SPDX-License-Identifier: Apache-2.0
 *
 * slots.h: the tenants' running limits over all consumers. A job of a limited tenant starts with a
 * token from the tenant's queue of slots, and the token goes back when it has ended. Loop thread
 * only.
 */
#pragma once

#include "common/model/record.h"
#include "consumer/slot_pool.h"

struct slots *slots_create(const struct slots_config *c);
/* Before the link is destroyed and the tenants are freed. No attempt may have a slot any more. */
void slots_destroy(struct slots **s);

/* The limit of a tenant's record, which may be of another version than before: attempts that run
 * keep the token that they have. */
void slots_tenant(struct slots *s, struct tenant *t, const struct tenant_record *r);

/* The attempt runs now. It was picked while its tenant was not without a slot. */
void slots_started(struct slots *s, struct attempt *a);
/* It runs no more. The tenant's next job may start with the same token, for 100 ms since that was
 * taken. */
void slots_ended(struct slots *s, struct attempt *a);
/* The process was stopped since the last turn of the loop: the broker may have given its tokens to
 * others, and that is not read yet. Nothing may start with them. */
bool slots_were_away(const struct slots *s);
/* Before the starts of this turn of the loop: after such a stop the spare tokens go back, and what
 * is asked for is asked for anew. */
void slots_turn(struct slots *s);
/* A worker is free. True: leave one so, at most 20 ms: a tenant has the turn whose token went back
 * before, as no worker was free, and it asks for one again. Else a tenant that asks while others'
 * long jobs take each worker at once would hardly ever run. */
bool slots_keep_worker(struct slots *s);
/* After the starts of this turn of the loop: asks for the tokens that are missing, and returns
 * those that nothing can use. free: workers without a job. */
void slots_settle(struct slots *s, unsigned free);

/* Call about every 250 ms: replaces tokens that were lost, or held for 10 minutes. */
void slots_check(struct slots *s);
/* Sets the metric. */
void slots_count(struct slots *s);
void slots_up(struct slots *s);
/* The tokens are void: all, or those of a channel that has ended. What runs goes on, and takes the
 * first tokens that come again. */
void slots_down(struct slots *s);
/* The attempt's token was lost. One that it returned for a fresh one was not. */
bool slots_lost(const struct attempt *a);
/* Nothing is to start any more. */
void slots_stop(struct slots *s);
