/* SPDX-License-Identifier: Apache-2.0
 *
 * tenant.h: a tenant in this consumer: its queues, and its attempts that wait here. A plain struct.
 * subscriptions.c owns it and its queues; ready.c the lists and the ring; slots.c its slots;
 * scheduler.c the rest.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#include "common/amqp/link.h"
#include "common/model/job.h"
#include "consumer/window.h"

struct attempt;
struct slot_pool;
struct subscriptions;
struct tenant;

/* One queue of a tenant. */
struct tenant_queue {
        struct tenant *tenant;
        enum lane lane;
        struct subscription *subscription; /* NULL while not subscribed */
        struct window window;
        unsigned held;    /* deliveries not yet settled */
        unsigned limited; /* of those, waiting for their type's concurrency; counted each 250 ms */
        unsigned due;     /* of those, held until they are due */
        unsigned waiting; /* of those, waiting for a worker; counted by share.c each 250 ms */
        unsigned kept;    /* of those, kept by it */
        bool suspended;   /* not subscribed until a worker is free */
};

struct tenant {
        char name[TENANT_SIZE];
        struct subscriptions *home;
        bool wanted;  /* exists and is not paused */
        bool deleted; /* freed after its last attempt */
        unsigned attempts;
        struct tenant_queue queues[LANE_COUNT];
        UT_hash_handle hh;

        struct attempt *waiting[PRIORITY_COUNT]; /* oldest first */
        unsigned waiting_count;

        struct slot_pool *slots; /* NULL: any number may run */
        bool without_slot;       /* its number is limited, and no free slot is here */
        bool passed_over;        /* its turn came while it was without a slot */

        int64_t weight;
        int64_t deficit;
        uint64_t picks;
        int64_t pass;               /* grows with each pick by about 2^20 ÷ weight */
        struct tenant *prev, *next; /* the ring of tenants with waiting attempts */
};
