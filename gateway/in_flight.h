/* SPDX-License-Identifier: Apache-2.0
 *
 * in_flight.h: the gateway's window: the submissions that were let in and are not settled, because
 * their job is not known to be both in its queue and in the event stream. Any thread.
 */
#pragma once

#include <stddef.h>

#include "common/base/clock.h"
#include "common/base/err.h"

struct in_flight;

struct in_flight *in_flight_create(unsigned jobs_max, size_t bytes_max);
void in_flight_destroy(struct in_flight **f);

/* Lets one in. -1: ERR_FULL. One that is larger than bytes_max is let in alone. */
int in_flight_enter(struct in_flight *f, size_t bytes, struct err *e) MUST_CHECK;
/* For the jobs of a batch: lets one in while at most half of each limit is used after it, by
 * whatever submissions, so that batches leave the other half to single ones, which in turn can
 * leave batches nothing. One that is larger than half of bytes_max is let in as by
 * in_flight_enter. Waits for room until `until`, a monotonic time. -1: ERR_FULL. */
int in_flight_enter_wait(struct in_flight *f, size_t bytes, msec until, struct err *e) MUST_CHECK;
void in_flight_leave(struct in_flight *f, unsigned jobs, size_t bytes);
unsigned in_flight_jobs(struct in_flight *f);
