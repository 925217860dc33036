/* SPDX-License-Identifier: Apache-2.0
 *
 * finish.h: how an attempt leaves: what is told of it is published, and when the broker has that,
 * its deliveries are acknowledged or given back. Loop thread only.
 */
#ifndef WARREN_CONSUMER_FINISH_H
#define WARREN_CONSUMER_FINISH_H

#include "consumer/core.h"

/* It has run well: told in a batch of events. result: one JSON value, or absent. */
void finish_complete(struct consumer *c, struct attempt *a, struct bytes result, msec now);
/* Of one that was started: tells that it comes again, and requeues it when the broker has that. */
void finish_give_back(struct consumer *c, struct attempt *a, msec now);
/* By a->departure, which another departure_ function has set: its message is published. */
void finish_publish(struct consumer *c, struct attempt *a);
/* The broker has what was told of it. */
void finish_kept(void *owner, struct attempt *a);
/* Settles and frees it. */
void finish_settle(struct consumer *c, struct attempt *a, enum settle how);

/* Gives back, or drops when its connection has gone, one that has not started. */
void finish_release(struct consumer *c, struct attempt *a);
/* All that have not started; of one tenant, or of all when NULL. */
void finish_release_all(struct consumer *c, const struct tenant *of);

#endif
