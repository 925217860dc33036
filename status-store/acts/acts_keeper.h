/* SPDX-License-Identifier: Apache-2.0
 *
 * acts_keeper.h: does acts again that were interrupted, and deletes what is kept of old ones.
 *
 * Has a thread of its own.
 */
#pragma once

#include "status-store/acts/acts.h"

struct acts_keeper;

/* Borrows acts. */
struct acts_keeper *acts_keeper_create(struct acts *acts, struct err *e) MUST_CHECK;
/* Waits for its thread: close the acts first. */
void acts_keeper_destroy(struct acts_keeper **k);
