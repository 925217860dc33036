/* SPDX-License-Identifier: Apache-2.0
 *
 * readiness.c: what the gateway needs for a submission.
 */
#include "gateway/readiness.h"

#include "gateway/core.h"

bool readiness_check(void *owner, struct err *why)
{
        struct gateway *g = owner;

        if (atomic_load(&g->draining))
                err_set(why, ERR_UNAVAILABLE, "stopping");
        else if (!control_is_ready(g->control))
                err_set(why, ERR_UNAVAILABLE,
                        "keys and tenants have not been read from the broker yet");
        else if (link_is_ready(g->queues.link, why) && packer_is_ready(g->packer, why))
                (void)admits_is_ready(g->admits, why);
        return !err_is_set(why);
}
