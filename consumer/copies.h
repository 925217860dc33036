/* SPDX-License-Identifier: Apache-2.0
 *
 * copies.h: a job that was published twice may wait in two consumers. Before a copy starts that has
 * waited here, a status-store is asked whether the other has; and before any job starts while marks
 * may be in force that were not read here. Loop thread only.
 */
#pragma once

#include "consumer/core.h"

/* True: a copy of it may have started since it was last known that none had, or it may have been
 * cancelled, and that is asked. The attempt, WAITING or PICKED, is PICKED now, and keeps its worker
 * and its limits until the answer: others would use them meanwhile, and by its next turn the answer
 * would be old. */
bool copies_ask(struct consumer *c, struct attempt *a);
/* The answer has come. */
void copies_answered(struct consumer *c, struct attempt *a);
/* It is no longer asked. */
void copies_withdraw(struct consumer *c, struct attempt *a);
/* Attempts of the handler that are asked about: each needs room in the runner when it is answered.
 */
unsigned copies_count(const struct consumer *c, const struct handler *h);
