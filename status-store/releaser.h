/* SPDX-License-Identifier: Apache-2.0
 *
 * releaser.h: makes the jobs of a lost worker pending again. The fold reads no clock, because a
 * rebuild must give the same rows. So the loss of a worker is an event: the primary publishes
 * `released` with `lost`, once for each attempt that counts as running there. If the worker is
 * alive after all, its later events of the job win.
 *
 * Has a thread of its own.
 */
#pragma once

#include "common/db/readers.h"
#include "status-store/markers.h"
#include "status-store/provisioning.h"
#include "status-store/schema.h"

struct releaser;

/* Borrows all. */
struct releaser *releaser_create(struct readers *readers, struct markers *markers,
                                 struct provisioning *provisioning, struct err *e) MUST_CHECK;
/* Waits for its thread: close the markers first. */
void releaser_destroy(struct releaser **r);
