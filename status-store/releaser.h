/* SPDX-License-Identifier: Apache-2.0
 *
 * releaser.h: what a lost worker held is pending again. The fold reads no clock, so that a rebuild
 * gives the same rows: somebody must tell that a worker was lost. The primary does, once for each
 * attempt that still counts as running there, by the event `released` with `lost`. Should the
 * worker live after all, whatever it tells of the job later wins.
 *
 * It has a thread of its own.
 */
#ifndef WARREN_STATUS_STORE_RELEASER_H
#define WARREN_STATUS_STORE_RELEASER_H

#include "status-store/markers.h"
#include "status-store/provisioning.h"
#include "status-store/queries.h"

struct releaser;

/* All borrowed. */
struct releaser_config {
        struct readers *readers;
        struct markers *markers;
        struct provisioning *provisioning;
};

struct releaser *releaser_create(const struct releaser_config *c, struct err *e) MUST_CHECK;
/* Waits for what it is at: close the markers first. */
void releaser_destroy(struct releaser **r);

#endif
