/* SPDX-License-Identifier: Apache-2.0
 *
 * parked_counts.h: how many jobs are parked by type, as RabbitMQ counts the queues of pauses.
 */
#pragma once

#include "common/clients/control.h"
#include "status-store/token_counts.h"

struct parked_counts {
        struct control *control;
        struct token_counts *tokens; /* NULL: not counted here */
        const char *tenant;          /* "": all; else those that its own pauses parked */
        /* Filled by parked_counts_read. */
        struct parked_queue *queues;
        struct token_count *counts; /* of each */
        size_t count, room;
};

/* Waits at most 300 ms for the counts. */
void parked_counts_read(struct parked_counts *p);
/* -1: not known. To a tenant it is not known while the type is paused for all. */
int64_t parked_counts_of(const struct parked_counts *p, const char *type);
void parked_counts_fini(struct parked_counts *p);
#define AUTO_PARKED __attribute__((cleanup(parked_counts_fini))) struct parked_counts
