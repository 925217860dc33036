/* SPDX-License-Identifier: Apache-2.0
 *
 * worker.h: the event `worker`: that this consumer lives, and what it runs.
 */
#ifndef WARREN_CONSUMER_WORKER_H
#define WARREN_CONSUMER_WORKER_H

#include "consumer/attempt.h"

enum worker_state { WORKER_UP, WORKER_DRAINING, WORKER_GONE };

enum {
        WORKER_PERIOD = 5000,     /* ms between records */
        WORKER_RUNNING_MAX = 256, /* attempts a record names */
        WORKER_TYPES_MAX = 1024,  /* types it names */
};

struct worker_view {
        const char *worker; /* "host/pid" */
        enum worker_state state;
        msec at, started;
        unsigned concurrency;
        const struct attempt *attempts; /* a table; those that run are told */
        const struct handlers *handlers;
};

/* One line of JSON without its end. */
void worker_write(const struct worker_view *v, struct buffer *out);
/* host/pid; a host's name that is too long is cut. */
void worker_name(char out[WORKER_NAME_SIZE]);

#endif
