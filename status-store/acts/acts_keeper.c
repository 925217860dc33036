/* SPDX-License-Identifier: Apache-2.0
 *
 * acts_keeper.c: the thread that looks for interrupted acts.
 */
#include "status-store/acts/acts_keeper.h"

#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/base/rounds.h"

#define RESUME_FIRST ((msec)500)
#define RESUME_EVERY ((msec)5 * MSEC_SECOND)
#define FORGET_EVERY ((msec)MSEC_MINUTE)
#define CROWDING_EVERY ((msec)MSEC_MINUTE)

struct acts_keeper {
        struct acts *acts;
        struct rounds *rounds;
        msec forget_at, crowding_at; /* the thread's, like warned */
        bool warned;
};

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

static msec round_of(void *owner)
{
        struct acts_keeper *k = owner;
        bool resumed = resume(k);
        if (clock_mono() >= k->forget_at)
                forget_old(k);
        if (clock_mono() >= k->crowding_at)
                note_crowding(k);
        return resumed ? RESUME_EVERY : RESUME_FIRST;
}

struct acts_keeper *acts_keeper_create(struct acts *acts, struct err *e)
{
        AUTO(acts_keeper) k = xcalloc(1, sizeof(*k));
        k->acts = acts;
        k->forget_at = clock_mono() + FORGET_EVERY;
        k->crowding_at = clock_mono() + CROWDING_EVERY;
        k->rounds = rounds_start("interrupted acts", RESUME_FIRST, round_of, k, e);
        return k->rounds == NULL ? NULL : TAKE(k);
}

void acts_keeper_destroy(struct acts_keeper **keeper)
{
        struct acts_keeper *k = TAKE(*keeper);
        if (k == NULL)
                return;
        rounds_end(&k->rounds);
        free(k);
}
