/* SPDX-License-Identifier: Apache-2.0
 *
 * expiry.h: ends jobs that expire while they wait for a worker, a slot or their type's rate. Loop
 * thread only.
 */
#pragma once

#include "consumer/core.h"

/* Call it every 250 ms: a job's end is told that much late at most. */
void expiry_check(struct consumer *c);
