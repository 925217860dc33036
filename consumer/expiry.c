/* SPDX-License-Identifier: Apache-2.0
 *
 * expiry.c: looks through the waiting attempts, while one of them can expire.
 */
#include "consumer/expiry.h"

#include "consumer/finish.h"

static void check(void *owner, struct attempt *a)
{
        struct consumer *c = owner;
        msec now = clock_wall();

        if (!job_has_expired(&a->job, now))
                return;
        ready_remove(&c->ready, a);
        finish_expire(c, a, now);
}

void expiry_check(struct consumer *c)
{
        if (c->ready.expiring > 0)
                ready_each(&c->ready, check, c);
}
