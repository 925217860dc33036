/* SPDX-License-Identifier: Apache-2.0
 *
 * ceiling.h: what the parts of the ceiling share: the measurement, and the forms of the work.
 */
#ifndef WARREN_BENCH_CEILING_H
#define WARREN_BENCH_CEILING_H

#include <stdint.h>

#include "tests/bench/raw_link.h"

enum {
        PUBLISH_BATCH = 64,
        IN_FLIGHT_MAX = 1024,
};

struct form;

struct bench {
        struct raw_login login;
        const struct form *form;
        int64_t jobs;
        int64_t in_flight; /* most jobs that are submitted and not yet kept */
        char *payload;
        int64_t started_ns;
        int64_t packs; /* sent */
        double published_s, consumed_s, read_s;
};

struct form_binding {
        const char *type; /* of the exchange */
        struct raw_target of;
        const char *queue;
};

/* A way to submit jobs. Each submitter returns when every job is kept. */
struct form {
        const char *name;
        struct raw_target jobs, events;  /* no events: jobs are only published, and not run */
        struct form_binding bindings[3]; /* unused ones are zero */
        const char *finish_end;          /* what a finish event ends with */
        void (*submit)(struct bench *b);
};

/* A job's message, as the gateway's. The strings lie in `job`, which must stay where it is. */
struct job_text {
        char id[37];
        amqp_table_entry_t headers[4];
        amqp_basic_properties_t properties;
        amqp_bytes_t body;
};

void job_text(const struct bench *b, int64_t number, struct job_text *job);

/* Publishes each job once: to all that the form binds. */
void submit_single(struct bench *b);
/* Publishes each job to its queue; the stream is told of those that the queue has, in packs, over a
 * connection of its own. A pack leaves at once when none is on its way, else when that one is
 * confirmed or the open one is full. */
void submit_packs(struct bench *b);

/* Jobs in a pack. */
int64_t pack_jobs(amqp_bytes_t pack);

#define PACK_CONTENT_TYPE "application/vnd.warren.pack"

#endif
