/* SPDX-License-Identifier: Apache-2.0
 *
 * queue_counter.c: a passive declare for each lane, and one callback for all.
 */
#include "common/clients/queue_counter.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/memory.h"

struct counting;

struct lane_counting {
        struct counting *of;
        enum lane lane;
};

/* A running count of one tenant. */
struct counting {
        char tenant[TENANT_SIZE];
        tenant_counted_fn *done;
        void *owner;
        int outstanding;
        struct tenant_count count;
        struct lane_counting lanes[LANE_COUNT];
};

static void on_count(void *owner, const struct err *why, uint32_t messages, uint32_t consumers)
{
        const struct lane_counting *lane = owner;
        struct counting *c = lane->of;
        bool failed = why != NULL && err_is_set(why);

        (void)consumers;
        c->count.lanes[lane->lane].jobs = messages;
        if (failed)
                c->count.lanes[lane->lane].state =
                        why->code == ERR_NOT_FOUND ? LANE_ABSENT : LANE_UNCOUNTED;
        if (--c->outstanding > 0)
                return;
        c->done(c->owner, c->tenant, &c->count);
        free(c);
}

void queue_counter_count(struct link *l, const char *tenant, tenant_counted_fn *done, void *owner)
{
        struct counting *c = xcalloc(1, sizeof(*c));
        char name[TENANT_SIZE + 16];

        snprintf(c->tenant, sizeof(c->tenant), "%s", tenant);
        c->done = done;
        c->owner = owner;
        c->outstanding = LANE_COUNT;
        for (int i = 0; i < LANE_COUNT; i++) {
                c->lanes[i] = (struct lane_counting){.of = c, .lane = (enum lane)i};
                snprintf(name, sizeof(name), "jobs.%s.%s", tenant, lane_name((enum lane)i));
                link_declare(l, &(struct declaration){.what = COUNT_QUEUE, .name = name}, on_count,
                             &c->lanes[i]);
        }
}
