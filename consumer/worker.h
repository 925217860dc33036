/* SPDX-License-Identifier: Apache-2.0
 *
 * worker.h: writes the event `worker`, this consumer's record: its state, what it runs and handles.
 */
#ifndef WARREN_CONSUMER_WORKER_H
#define WARREN_CONSUMER_WORKER_H

#include "consumer/attempt.h"

enum worker_state { WORKER_UP, WORKER_DRAINING, WORKER_GONE };

enum {
        WORKER_PERIOD = 5000,     /* ms between records */
        WORKER_RUNNING_MAX = 256, /* attempts named in a record */
        WORKER_TYPES_MAX = 1024,  /* types named in a record */
};

struct worker_view {
        const char *worker; /* "host/pid" */
        enum worker_state state;
        msec at, started;
        unsigned concurrency;
        const struct attempt *attempts; /* a hash table; the running ones are named */
        const struct handlers *handlers;
};

/* One line of JSON, without the newline. */
void worker_write(const struct worker_view *v, struct buffer *out);
/* host/pid; a host name that is too long is cut. */
void worker_name(char out[WORKER_NAME_SIZE]);

#endif
