/* SPDX-License-Identifier: Apache-2.0
 *
 * in_flight.c: two counters and their limits.
 */
#include "gateway/in_flight.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/base/memory.h"
#include "common/base/own.h"

struct in_flight {
        /* before start */
        unsigned jobs_max;
        size_t bytes_max;
        pthread_mutex_t mutex; /* guards the following */
        unsigned jobs;
        size_t bytes;
};

struct in_flight *in_flight_create(unsigned jobs_max, size_t bytes_max)
{
        struct in_flight *f = xcalloc(1, sizeof(*f));

        f->jobs_max = jobs_max;
        f->bytes_max = bytes_max;
        pthread_mutex_init(&f->mutex, NULL);
        return f;
}

void in_flight_destroy(struct in_flight **in_flight)
{
        struct in_flight *f = TAKE(*in_flight);

        if (f == NULL)
                return;
        pthread_mutex_destroy(&f->mutex);
        free(f);
}

static bool has_room_locked(const struct in_flight *f, size_t bytes)
{
        return f->jobs < f->jobs_max && (f->jobs == 0 || f->bytes + bytes <= f->bytes_max);
}

int in_flight_enter(struct in_flight *f, size_t bytes, struct err *e)
{
        pthread_mutex_lock(&f->mutex);
        bool enters = has_room_locked(f, bytes);
        unsigned jobs = f->jobs;
        if (enters) {
                f->jobs++;
                f->bytes += bytes;
        }
        pthread_mutex_unlock(&f->mutex);
        return enters ? 0 : err_set(e, ERR_FULL, "%u submissions are not confirmed yet", jobs);
}

void in_flight_leave(struct in_flight *f, unsigned jobs, size_t bytes)
{
        pthread_mutex_lock(&f->mutex);
        assert(jobs <= f->jobs && bytes <= f->bytes);
        f->jobs -= jobs;
        f->bytes -= bytes;
        pthread_mutex_unlock(&f->mutex);
}

unsigned in_flight_jobs(struct in_flight *f)
{
        pthread_mutex_lock(&f->mutex);
        unsigned jobs = f->jobs;
        pthread_mutex_unlock(&f->mutex);
        return jobs;
}
