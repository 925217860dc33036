/* SPDX-License-Identifier: Apache-2.0
 *
 * rounds.c: a thread that works in rounds.
 */
#include "common/base/rounds.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/base/condition.h"
#include "common/base/memory.h"
#include "common/base/own.h"

struct rounds {
        round_fn *round;
        void *owner;
        msec rest; /* the thread's */
        pthread_t thread;
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        bool woken, ending; /* guarded by mutex */
};

/* False: the thread is to end. */
static bool rest(struct rounds *r)
{
        const msec until = clock_mono() + r->rest;

        pthread_mutex_lock(&r->mutex);
        while (!r->ending && !r->woken && condition_wait(&r->changed, &r->mutex, until))
                continue;
        r->woken = false;
        bool goes_on = !r->ending;
        pthread_mutex_unlock(&r->mutex);
        return goes_on;
}

static void *run(void *owner)
{
        struct rounds *r = owner;

        while (rest(r))
                r->rest = r->round(r->owner);
        return NULL;
}

static void forget(struct rounds *r)
{
        pthread_cond_destroy(&r->changed);
        pthread_mutex_destroy(&r->mutex);
        free(r);
}

struct rounds *rounds_start(const char *what, msec first, round_fn *round, void *owner,
                            struct err *e)
{
        struct rounds *r = xcalloc(1, sizeof(*r));

        r->round = round;
        r->owner = owner;
        r->rest = first;
        pthread_mutex_init(&r->mutex, NULL);
        condition_init(&r->changed);
        if (pthread_create(&r->thread, NULL, run, r) == 0)
                return r;
        (void)err_set(e, ERR_SYSTEM, "cannot start a thread: %s", what);
        forget(r);
        return NULL;
}

static void tell(struct rounds *r, bool *what)
{
        pthread_mutex_lock(&r->mutex);
        *what = true;
        pthread_cond_signal(&r->changed);
        pthread_mutex_unlock(&r->mutex);
}

void rounds_wake(struct rounds *r)
{
        tell(r, &r->woken);
}

void rounds_end(struct rounds **rounds)
{
        struct rounds *r = TAKE(*rounds);

        if (r == NULL)
                return;
        tell(r, &r->ending);
        pthread_join(r->thread, NULL);
        forget(r);
}
