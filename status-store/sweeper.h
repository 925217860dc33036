/* SPDX-License-Identifier: Apache-2.0
 *
 * sweeper.h: publishes the events that follow from the time alone. The fold reads no clock, because
 * a rebuild must give the same rows. So the primary looks for the rows that need such an event, and
 * publishes it.
 *
 * Has a thread of its own.
 */
#pragma once

#include "common/db/readers.h"
#include "status-store/projection/markers.h"
#include "status-store/projection/schema.h"
#include "status-store/provisioning/provisioning.h"

enum { SWEEP_AT_ONCE = 200 }; /* events in one message */

/* The events to publish. */
struct sweep_found {
        struct buffer lines;
        int count;
        char worker[WORKER_NAME_SIZE]; /* of the last one's row, for the log */
};

struct sweep {
        msec every;
        const char *failure; /* the warning when it cannot be done */
        /* Adds an event for each row that needs one as of that time, SWEEP_AT_ONCE at most. */
        int (*find)(struct reader *r, msec as_of, struct sweep_found *f, struct err *e);
        void (*log)(const struct sweep_found *f); /* they are about to be published */
};

/* Adds an event of the row's run to those found. The caller has set what depends on its kind. */
void sweep_add(struct sweep_found *f, const struct job_row *row, struct event *event);

struct sweeper;

/* Borrows all. */
struct sweeper *sweeper_create(const struct sweep *sweep, struct readers *readers,
                               struct markers *markers, struct provisioning *provisioning,
                               struct err *e) MUST_CHECK;
/* Waits for its thread: close the markers first. */
void sweeper_destroy(struct sweeper **s);
