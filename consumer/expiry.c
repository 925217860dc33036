/* SPDX-License-Identifier: Apache-2.0
 *
 * expiry.c: looks through the waiting attempts, while one of them can expire.
 */
#include "consumer/expiry.h"

#include "consumer/finish.h"

struct look {
        struct consumer *consumer;
        msec now; /* wall */
};

static void check(void *owner, struct attempt *a)
{
        const struct look *look = owner;

        if (!job_has_expired(&a->job, look->now))
                return;
        ready_remove(&look->consumer->ready, a);
        finish_expire(look->consumer, a, look->now);
}

void expiry_check(struct consumer *c)
{
        struct look look = {.consumer = c, .now = clock_wall()};

        if (c->ready.expiring > 0)
                ready_each(&c->ready, check, &look);
}
