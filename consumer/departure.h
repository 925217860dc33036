/* SPDX-License-Identifier: Apache-2.0
 *
 * departure.h: how an attempt leaves, and the message that says so. Pure.
 */
#ifndef WARREN_CONSUMER_DEPARTURE_H
#define WARREN_CONSUMER_DEPARTURE_H

#include "consumer/attempt.h"

/* Each sets a->departure and makes a->job what its message will say. */

/* An attempt that ended. chance in [0,1) places the backoff's jitter. */
void departure_decide(struct attempt *a, const struct run_end *end, double chance, msec now);
/* The same attempt again, `wait` ms later. */
void departure_hop(struct attempt *a, msec wait, msec now);
/* On its way to its time, which is in the job. */
void departure_travel(struct attempt *a);
void departure_move_to_long(struct attempt *a);
/* text is copied, and cut to JOB_ERROR_MAX. An attempt that was not started is not charged. */
void departure_bury(struct attempt *a, enum reason reason, struct bytes text);
/* An attempt that was buried before, by whomever: the same letter once more. */
void departure_bury_again(struct attempt *a, enum reason reason, enum error_kind kind,
                          struct bytes text);
/* Makes a job that could not be decoded one that can be buried: of the tenant and lane it came
 * from, with its properties as they came, under an id of its content: whoever buries it once more
 * makes the same letter. Borrows from m. */
void departure_disown(struct job *job, const struct tenant_queue *queue, const struct message *m);

/* Not for DEPART_COMPLETE and DEPART_GIVE_BACK. again: it may be published twice. */
void departure_encode(const struct attempt *a, bool again, msec now, struct job_message *out);

#endif
