/* SPDX-License-Identifier: Apache-2.0
 *
 * in_flight.c: two counters and their limits.
 */
#include "gateway/in_flight.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/base/condition.h"
#include "common/base/memory.h"
#include "common/base/own.h"

struct in_flight {
        /* before start */
        unsigned jobs_max;
        size_t bytes_max;
        pthread_mutex_t mutex; /* guards the following */
        unsigned jobs;
        size_t bytes;
        unsigned waiting; /* in in_flight_enter_wait */
        pthread_cond_t left;
};

struct in_flight *in_flight_create(unsigned jobs_max, size_t bytes_max)
{
        struct in_flight *f = xcalloc(1, sizeof(*f));

        f->jobs_max = jobs_max;
        f->bytes_max = bytes_max;
        pthread_mutex_init(&f->mutex, NULL);
        condition_init(&f->left);
        return f;
}

void in_flight_destroy(struct in_flight **in_flight)
{
        struct in_flight *f = TAKE(*in_flight);

        if (f == NULL)
                return;
        pthread_cond_destroy(&f->left);
        pthread_mutex_destroy(&f->mutex);
        free(f);
}

static bool has_room_locked(const struct in_flight *f, size_t bytes)
{
        return f->jobs < f->jobs_max && (f->jobs == 0 || f->bytes + bytes <= f->bytes_max);
}

static void enter_locked(struct in_flight *f, size_t bytes)
{
        f->jobs++;
        f->bytes += bytes;
}

/* `jobs`: in flight now. */
static int refuse(unsigned jobs, struct err *e)
{
        return err_set(e, ERR_FULL, "%u submissions are not confirmed yet", jobs);
}

int in_flight_enter(struct in_flight *f, size_t bytes, struct err *e)
{
        pthread_mutex_lock(&f->mutex);
        bool enters = has_room_locked(f, bytes);
        unsigned jobs = f->jobs;
        if (enters)
                enter_locked(f, bytes);
        pthread_mutex_unlock(&f->mutex);
        return enters ? 0 : refuse(jobs, e);
}

static bool has_half_locked(const struct in_flight *f, size_t bytes)
{
        if (bytes > f->bytes_max / 2)
                return has_room_locked(f, bytes);
        return f->jobs < (f->jobs_max + 1) / 2 && f->bytes + bytes <= f->bytes_max / 2;
}

int in_flight_enter_wait(struct in_flight *f, size_t bytes, msec until, struct err *e)
{
        bool in_time = true;

        pthread_mutex_lock(&f->mutex);
        f->waiting++;
        while (!has_half_locked(f, bytes) && in_time)
                in_time = condition_wait(&f->left, &f->mutex, until);
        f->waiting--;
        bool enters = has_half_locked(f, bytes);
        unsigned jobs = f->jobs;
        if (enters)
                enter_locked(f, bytes);
        pthread_mutex_unlock(&f->mutex);
        return enters ? 0 : refuse(jobs, e);
}

void in_flight_leave(struct in_flight *f, unsigned jobs, size_t bytes)
{
        pthread_mutex_lock(&f->mutex);
        assert(jobs <= f->jobs && bytes <= f->bytes);
        f->jobs -= jobs;
        f->bytes -= bytes;
        if (f->waiting > 0)
                pthread_cond_broadcast(&f->left);
        pthread_mutex_unlock(&f->mutex);
}

unsigned in_flight_jobs(struct in_flight *f)
{
        pthread_mutex_lock(&f->mutex);
        unsigned jobs = f->jobs;
        pthread_mutex_unlock(&f->mutex);
        return jobs;
}
