/* SPDX-License-Identifier: Apache-2.0
 *
 * queue_list.h: the vhost's queues at one moment. A list of thousands costs the broker, so the
 * checks of one pass share it.
 */
#pragma once

#include <uthash.h>

#include "common/doctor/broker_api.h"
#include "common/doctor/facts.h"

struct listed_queue {
        char *name;
        int64_t messages;
        bool consumed; /* for queue_checks.c */
        UT_hash_handle hh;
};

struct queue_list {
        struct listed_queue *queues;
};

/* What the checks look at. */
struct doctor_look {
        const struct doctor_facts *facts;
        struct queue_list *queues;
        msec at; /* of clock_mono */
};

/* Blocks for a call of the management API. list: {0}. */
int queue_list_read(struct queue_list *list, const struct doctor_broker *b,
                    struct err *e) MUST_CHECK;
/* NULL: there is no such queue. */
struct listed_queue *queue_list_find(const struct queue_list *list, const char *name);
void queue_list_fini(struct queue_list *list);
#define AUTO_QUEUES __attribute__((cleanup(queue_list_fini))) struct queue_list
