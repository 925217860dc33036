/* SPDX-License-Identifier: Apache-2.0
 *
 * freshness.h: up to which time the projection is current. The follower writes; any thread reads.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "common/base/clock.h"

/* {0}: not current yet. */
struct freshness {
        _Atomic(msec) until; /* all events before this time are in the tables */
        atomic_bool drained; /* the stream has been read to its end: current now */
};

/* Events up to `at` are in the tables. */
void freshness_reached(struct freshness *f, msec at, msec now);
/* No message has come for a while, and the link is up. */
void freshness_drained(struct freshness *f, msec now);
/* A message came, or the link went down. */
void freshness_behind(struct freshness *f);

struct lag {
        msec as_of, lag;
};
struct lag freshness_lag(const struct freshness *f, msec now);
