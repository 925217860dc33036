/* SPDX-License-Identifier: Apache-2.0
 *
 * admission.c: waiting for a seat.
 */
#include "common/http/admission.h"

#include <time.h>

#include "common/base/condition.h"

enum { STEP_MS = 20 };
#define NO_PROGRESS_MAX MSEC_SECOND
#define WAIT_MAX ((msec)5 * MSEC_SECOND)
#define QUIET_PERIOD ((msec)10 * MSEC_SECOND)

void admission_init(struct admission *a, unsigned seats)
{
        *a = (struct admission){.seats = seats, .refused_at = -QUIET_PERIOD};
        pthread_mutex_init(&a->mutex, NULL);
        condition_init(&a->seat_left);
}

void admission_fini(struct admission *a)
{
        pthread_cond_destroy(&a->seat_left);
        pthread_mutex_destroy(&a->mutex);
}

/* False: no seat in time. */
static bool await_seat_locked(struct admission *a, struct watch *w)
{
        msec begun = clock_mono();
        msec progress = a->changed_at;

        while (a->taken >= a->seats) {
                if (watch_relieve(w, 1) > 0)
                        progress = clock_mono();
                if (a->changed_at > progress)
                        progress = a->changed_at;
                msec now = clock_mono();
                if (now - progress >= NO_PROGRESS_MAX || now - begun >= WAIT_MAX)
                        return false;
                condition_wait(&a->seat_left, &a->mutex, clock_mono() + STEP_MS);
        }
        return true;
}

bool admission_enter(struct admission *a, struct watch *w, bool *first)
{
        pthread_mutex_lock(&a->mutex);
        atomic_fetch_add(&a->waiting, 1);
        bool found = await_seat_locked(a, w);
        atomic_fetch_sub(&a->waiting, 1);
        msec now = clock_mono();
        if (found) {
                a->taken++;
                a->changed_at = now;
        } else {
                *first = now - a->refused_at >= QUIET_PERIOD;
                a->refused_at = now;
        }
        pthread_mutex_unlock(&a->mutex);
        return found;
}

void admission_leave(struct admission *a)
{
        pthread_mutex_lock(&a->mutex);
        a->taken--;
        a->changed_at = clock_mono();
        pthread_cond_signal(&a->seat_left);
        pthread_mutex_unlock(&a->mutex);
}

unsigned admission_excess(void *admission)
{
        const struct admission *a = admission;
        unsigned open = atomic_load(&a->open);

        return open > a->seats ? open - a->seats : 0;
}
