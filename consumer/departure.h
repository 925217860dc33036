/* SPDX-License-Identifier: Apache-2.0
 *
 * departure.h: decides what is published of an attempt that leaves, and writes that message. Pure.
 */
#pragma once

#include "consumer/attempt.h"

/* Each of the next seven sets a->departure, and a->job to what the message will say. */

/* The attempt ended. chance: in [0,1), for the backoff's jitter. */
void departure_decide(struct attempt *a, const struct run_end *end, double chance, msec now);
/* The same attempt again, `wait` ms later or when it expires, and not before it is due. */
void departure_hop(struct attempt *a, msec wait, msec now);
/* Not due yet: to a delay queue, by job.run_at. */
void departure_delay(struct attempt *a);
void departure_move_to_long(struct attempt *a);
/* Its type is paused: to the queue of that pause. */
void departure_park(struct attempt *a, enum pause pause);
/* text is copied, and cut to JOB_ERROR_MAX. An attempt that was not started is not counted. */
void departure_bury(struct attempt *a, enum reason reason, struct bytes text);
/* The attempt was buried before, here or elsewhere: publishes the same dead letter again. */
void departure_bury_again(struct attempt *a, enum reason reason, enum error_kind kind,
                          struct bytes text);
/* Prepares the burial of a job that could not be decoded: tenant and lane of its queue, properties
 * as they came, an id made from the content, the same at each burial. Borrows from m. */
void departure_prepare_malformed(struct job *job, const struct tenant_queue *queue,
                                 const struct message *m);

/* Not for what leaves by an event: COMPLETE, GIVE_BACK, EXPIRE, CANCEL. again: an earlier try may
 * have been confirmed. */
void departure_encode(const struct attempt *a, bool again, msec now, struct job_message *out);
