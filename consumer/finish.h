/* SPDX-License-Identifier: Apache-2.0
 *
 * finish.h: an attempt's last steps: its outcome is published, and once that is confirmed its
 * deliveries are acked or requeued. Loop thread only.
 */
#pragma once

#include "consumer/core.h"

/* Its handler succeeded: publishes `completed`. result: one JSON value, or absent. */
void finish_complete(struct consumer *c, struct attempt *a, struct bytes result, msec now);
/* It has not started, and has expired: publishes `cancelled`. It is in no list, or WAITING and
 * removed from `ready`. */
void finish_expire(struct consumer *c, struct attempt *a, msec now);
/* Somebody has cancelled it, while it ran or before: publishes `cancelled`. As finish_expire, or
 * RUNNING or STOPPING and ended. */
void finish_cancel(struct consumer *c, struct attempt *a, msec now);
/* Its message has made the row of a job that ended long ago again: publishes `forgotten`. As
 * finish_expire. */
void finish_forget(struct consumer *c, struct attempt *a, msec now);
/* Its handler was stopped: publishes `released`, and requeues it once that is confirmed. */
void finish_give_back(struct consumer *c, struct attempt *a, msec now);
/* Publishes the message that a departure_ function has prepared. */
void finish_publish(struct consumer *c, struct attempt *a);
/* The same. refused: the broker has no queue for the message. The attempt is still LEAVING, and
 * finish_publish_again follows, when something else has been prepared. */
typedef void refused_fn(struct consumer *c, struct attempt *a);
void finish_publish_or(struct consumer *c, struct attempt *a, refused_fn *refused);
void finish_publish_again(struct consumer *c, struct attempt *a);
/* The broker has confirmed what was published of it. */
void finish_confirmed(void *owner, struct attempt *a);
/* Settles and frees it. */
void finish_settle(struct consumer *c, struct attempt *a, enum settle how);

/* Its slots, and its token of the rate if it has not begun: others may use them. */
void finish_give_limits_back(struct consumer *c, struct attempt *a);
/* Removes an attempt that has not started from the list of its state, and gives its limits back.
 * Something must be done with it then. */
void finish_withdraw(struct consumer *c, struct attempt *a);
/* It has not started, and has not been requeued too often: its delivery limit of 1000 counts. */
bool finish_may_release(const struct attempt *a);
/* Requeues an attempt that has not started, or only frees it when its connection is gone. */
void finish_release(struct consumer *c, struct attempt *a);
/* The same for all that have not started; of one tenant, or of all when NULL. */
void finish_release_all(struct consumer *c, const struct tenant *of);
