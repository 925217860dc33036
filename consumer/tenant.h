/* SPDX-License-Identifier: Apache-2.0
 *
 * tenant.h: a tenant as this consumer sees it: its five queues, and its jobs that wait here. A
 * plain struct: subscriptions.c owns it and its queues, ready.c its lists, scheduler.c its turn.
 */
#ifndef WARREN_CONSUMER_TENANT_H
#define WARREN_CONSUMER_TENANT_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#include "common/amqp/link.h"
#include "common/model/job.h"
#include "consumer/window.h"

struct attempt;
struct subscriptions;
struct tenant;

/* One queue of a tenant. */
struct tenant_queue {
        struct tenant *tenant;
        enum lane lane;
        struct subscription *subscription; /* NULL while not subscribed */
        struct window window;
        unsigned held; /* deliveries of it not yet settled */
        unsigned
                limited; /* of those, waiting for their type's limit; counted by type_limits_look */
        bool left;       /* not subscribed until a worker is free */
};

struct tenant {
        char name[TENANT_SIZE];
        struct subscriptions *home;
        bool wanted;  /* exists and is not paused */
        bool deleted; /* goes when its last attempt has gone */
        unsigned attempts;
        struct tenant_queue queues[LANE_COUNT];
        UT_hash_handle hh;

        struct attempt *waiting[PRIORITY_COUNT]; /* oldest first */
        unsigned waiting_count;

        int64_t weight;
        int64_t deficit;
        uint64_t picks;
        int64_t pass;               /* grows with each pick, the slower the higher the weight */
        struct tenant *prev, *next; /* the ring of tenants with something waiting */
};

#endif
