/* SPDX-License-Identifier: Apache-2.0
 *
 * freshness.c: up to which time the projection is current.
 */
#include "status-store/projection/freshness.h"

/* How long a report of the follower counts. It repeats the report; after it has stopped, the
 * projection is not current. */
#define DRAINED_HOLDS ((msec)5 * MSEC_SECOND)

static void raise_until(struct freshness *f, msec at)
{
        if (at > atomic_load(&f->until))
                atomic_store(&f->until, at);
}

void freshness_reached(struct freshness *f, msec at, msec now)
{
        raise_until(f, at < now ? at : now);
}

void freshness_drained(struct freshness *f, msec now)
{
        raise_until(f, now);
        atomic_store(&f->drained, true);
}

void freshness_behind(struct freshness *f)
{
        atomic_store(&f->drained, false);
}

struct lag freshness_lag(const struct freshness *f, msec now)
{
        msec until = atomic_load(&f->until);
        if (atomic_load(&f->drained) && now - until < DRAINED_HOLDS)
                return (struct lag){.as_of = now, .lag = 0};
        if (until > now)
                until = now;
        return (struct lag){.as_of = until, .lag = now - until};
}
