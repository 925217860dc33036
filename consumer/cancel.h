/* SPDX-License-Identifier: Apache-2.0
 *
 * cancel.h: marks end attempts that are held here. Loop thread only.
 */
#pragma once

#include "consumer/core.h"

/* Looks at every attempt. One that has not started, and is below a mark, ends unrun; one that runs
 * and was cancelled is told to stop. One that runs and was moved goes on. */
void cancel_by_marks(struct consumer *c);
