/* SPDX-License-Identifier: Apache-2.0
 *
 * lane_counts.h: how many jobs wait in each lane of each tenant.
 *
 * The queues are counted by passive declare: a pass over all at most every 15 s, and only while
 * somebody wants the counts of all; those of some tenants as soon as somebody wants them. Reading
 * gives the last counts and never waits for the broker. The counts have a link of their own: a link
 * answers declarations in order, and changes of tenants must not wait.
 */
#pragma once

#include "common/amqp/link.h"
#include "common/clients/control.h"
#include "common/model/lane.h"

struct lane_counts;

/* control is borrowed; it knows the tenants. Loop thread, like lane_counts_destroy. */
struct lane_counts *lane_counts_create(const struct link_config *link, struct control *control,
                                       uv_loop_t *loop, struct err *e) MUST_CHECK;
/* When nobody reads any more. */
void lane_counts_destroy(struct lane_counts **l);

/* Keeps counting for the next 150 s: the slowest scraper reads every two minutes. Any thread. */
void lane_counts_want_all(struct lane_counts *l);
/* Counts the lanes of n tenants whose counts are older than max_age, and waits for the answers
 * until `deadline`, by clock_mono. Any thread. */
void lane_counts_want(struct lane_counts *l, const char *const *tenants, size_t n, msec max_age,
                      msec deadline);
struct lanes_counted {
        int64_t ready[LANE_COUNT]; /* -1: not counted within max_age */
        msec at;                   /* of the oldest of these counts, wall clock; 0: none */
};
void lane_counts_of(struct lane_counts *l, const char *tenant, msec max_age,
                    struct lanes_counted *out);
typedef void lane_counted_fn(void *owner, const char *tenant, enum lane lane, uint32_t jobs);
/* Calls each for every lane that was counted within the last two minutes, with the mutex locked: it
 * must be short. Any thread. */
void lane_counts_each(struct lane_counts *l, lane_counted_fn *each, void *owner);
