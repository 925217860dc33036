/* SPDX-License-Identifier: Apache-2.0
 *
 * start_rig.h: a consumer that starts attempts, without a broker. Its links, token queues,
 * duplicate check and runner are replaced.
 */
#pragma once

#include "consumer/accept.h"
#include "consumer/finish.h"
#include "consumer/start.h"
#include "consumer/stop.h"
#include "tests/unit/fake_tokens.h"
#include "tests/unit/unit.h"

#define TENANT_QUEUE "slots.acme.1"
#define TYPE_QUEUE "slots-type.mail.1"
#define RATE_QUEUE "rates-type.mail.1"

/* What a process that was stopped for longer than its links live still reads is void. */
enum { STOP = 30 * MSEC_SECOND };

extern const struct handler old_handler;
extern const struct tenant_record acme;

extern struct start_rig {
        uv_loop_t loop;
        struct consumer *c;
        struct tenant *tenant;
        struct attempt *job; /* PICKED */
        const struct link_events *consume, *slots;
        const struct handler *handler; /* in force */
        const struct handler *ran;     /* of the run that was started last */
        bool paused, no_room, link_is_down, blind;
        enum duplicate_state last; /* answer of a store */
        unsigned room;             /* of the runner; 0: any */
        unsigned requeued, acked, published, stopped, asked, withdrawn, stood_still;
} f;

/* A job that has a worker and its tenant's only slot, and waits for its type's. */
int prepare(void **state);
int clean(void **state);
/* Another job, which waits for a worker. */
struct attempt *add_waiting(void);
void lift_the_tenants_limit(void);
void wait_in_vain(void);
/* No run began, and at the end of the turn no token is held here or asked for. */
void assert_nothing_is_left(void);
