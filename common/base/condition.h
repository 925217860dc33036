/* SPDX-License-Identifier: Apache-2.0
 *
 * condition.h: condition variables whose deadlines are times of clock_mono, so that a change of the
 * wall clock neither cuts a wait short nor prolongs it.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "common/base/clock.h"

/* To be ended by pthread_cond_destroy. */
void condition_init(pthread_cond_t *c);
/* As pthread_cond_timedwait: wakes up without a reason, too. False when the deadline has passed. */
bool condition_wait(pthread_cond_t *c, pthread_mutex_t *mutex, msec deadline);
