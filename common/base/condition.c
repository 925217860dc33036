/* SPDX-License-Identifier: Apache-2.0
 *
 * condition.c: pthread condition variables on CLOCK_MONOTONIC.
 */
#include "common/base/condition.h"

#include <time.h>

void condition_init(pthread_cond_t *c)
{
        pthread_condattr_t monotonic;

        pthread_condattr_init(&monotonic);
        pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        pthread_cond_init(c, &monotonic);
        pthread_condattr_destroy(&monotonic);
}

bool condition_wait(pthread_cond_t *c, pthread_mutex_t *mutex, msec deadline)
{
        const struct timespec until = {.tv_sec = deadline / MSEC_SECOND,
                                       .tv_nsec = deadline % MSEC_SECOND * 1000000};

        return pthread_cond_timedwait(c, mutex, &until) == 0;
}
