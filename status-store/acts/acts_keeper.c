/* SPDX-License-Identifier: Apache-2.0
 *
 * acts_keeper.c: the thread that looks for interrupted acts.
 */
#include "status-store/acts/acts_keeper.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/base/condition.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"

#define RESUME_FIRST ((msec)500)
#define RESUME_EVERY ((msec)5 * MSEC_SECOND)
#define FORGET_EVERY ((msec)MSEC_MINUTE)
#define CROWDING_EVERY ((msec)MSEC_MINUTE)

struct acts_keeper {
        struct acts *acts;
        pthread_t thread;
        msec forget_at, crowding_at; /* the thread's, like warned */
        bool warned;
        pthread_mutex_t mutex;
        pthread_cond_t end;
        bool ending; /* guarded by mutex */
};

/* False when the thread is to end. */
static bool wait_until(struct acts_keeper *k, msec until)
{
        pthread_mutex_lock(&k->mutex);
        while (!k->ending && condition_wait(&k->end, &k->mutex, until))
                continue;
        bool goes_on = !k->ending;
        pthread_mutex_unlock(&k->mutex);
        return goes_on;
}

/* False: it failed. */
static bool resume(struct acts_keeper *k)
{
        struct err why = {0};
        bool failed = acts_resume(k->acts, &why) != 0;
        if (failed && !k->warned)
                LOG_WARN("an act that was interrupted cannot be ended; trying again",
                         log_err(&why));
        k->warned = failed;
        return !failed;
}

static void forget_old(struct acts_keeper *k)
{
        struct err why = {0};
        int more = acts_forget_old(k->acts, &why);
        if (more < 0)
                LOG_WARN("old acts cannot be deleted; trying again", log_err(&why));
        if (more != 1)
                k->forget_at = clock_mono() + FORGET_EVERY;
}

static void note_crowding(struct acts_keeper *k)
{
        struct err why = {0};
        if (acts_note_crowding(k->acts, &why) != 0)
                LOG_WARN("the list of last acts cannot be read; trying again", log_err(&why));
        k->crowding_at = clock_mono() + CROWDING_EVERY;
}

static void *run(void *owner)
{
        struct acts_keeper *k = owner;
        msec next = clock_mono() + RESUME_FIRST;
        while (wait_until(k, next)) {
                bool resumed = resume(k);
                if (clock_mono() >= k->forget_at)
                        forget_old(k);
                if (clock_mono() >= k->crowding_at)
                        note_crowding(k);
                next = clock_mono() + (resumed ? RESUME_EVERY : RESUME_FIRST);
        }
        return NULL;
}

struct acts_keeper *acts_keeper_create(struct acts *acts, struct err *e)
{
        struct acts_keeper *k = xcalloc(1, sizeof(*k));
        k->acts = acts;
        k->forget_at = clock_mono() + FORGET_EVERY;
        k->crowding_at = clock_mono() + CROWDING_EVERY;
        pthread_mutex_init(&k->mutex, NULL);
        condition_init(&k->end);
        if (pthread_create(&k->thread, NULL, run, k) == 0)
                return k;
        (void)err_set(e, ERR_SYSTEM, "cannot start the thread that ends acts");
        pthread_cond_destroy(&k->end);
        pthread_mutex_destroy(&k->mutex);
        free(k);
        return NULL;
}

void acts_keeper_destroy(struct acts_keeper **keeper)
{
        struct acts_keeper *k = TAKE(*keeper);
        if (k == NULL)
                return;
        pthread_mutex_lock(&k->mutex);
        k->ending = true;
        pthread_cond_signal(&k->end);
        pthread_mutex_unlock(&k->mutex);
        pthread_join(k->thread, NULL);
        pthread_cond_destroy(&k->end);
        pthread_mutex_destroy(&k->mutex);
        free(k);
}
