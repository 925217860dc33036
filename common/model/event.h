/* SPDX-License-Identifier: Apache-2.0
 *
 * event.h: what happened to a job, as the stream `events` tells it (docs/amqp.md). A job message
 * in the stream is an event too: a submission, a retry, a job come due, a burial.
 */
#ifndef WARREN_MODEL_EVENT_H
#define WARREN_MODEL_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/model/job.h"
#include "common/model/message.h"

enum event_kind {
        EVENT_SUBMITTED,
        EVENT_REJECTED,
        EVENT_DUE,
        EVENT_CANCEL_REQUESTED,
        EVENT_STARTED,
        EVENT_PROGRESS,
        EVENT_RESUMED,  /* an attempt still runs, whose worker could tell nothing for a while */
        EVENT_RELEASED, /* an attempt was given back, or its worker was lost: it comes again */
        EVENT_FAILED,
        EVENT_DEAD, /* a burial, by its message or by `buried` */
        EVENT_CANCELLED,
        EVENT_COMPLETED,
        EVENT_FORGOTTEN,
        EVENT_WORKER, /* about a consumer, not a job */
};

enum {
        EVENT_RESULT_MAX = 64 * 1024,
        WORKER_NAME_SIZE = 128, /* "host/pid" */
};

struct event {
        enum event_kind kind;
        char id[UUID_SIZE];
        char tenant[TENANT_SIZE];
        int64_t run, attempt, copy;
        msec at;    /* as a service told it; 0: none did (from outside, or buried by the broker) */
        msec after; /* RELEASED: `at` of the last event that the worker told of this attempt */
        uint64_t digest;  /* of the event's bytes: the last tie-breaker of the fold */
        uint64_t content; /* of the job: it has one, or STARTED, COMPLETED: it ran one; 0: not told
                           */
        /* A job message's own: kinds SUBMITTED, DUE, FAILED, DEAD when `has_job`. `scheduled`: it
         * came through delay.*, so the job waits for job.run_at and a `due` follows. `soon`: a
         * service put it on jobs.* with a time to come, which a consumer waits for. */
        bool has_job, scheduled, soon;
        struct job job;
        /* Borrowed from what was decoded; absent when not given. */
        struct bytes worker;  /* STARTED, RESUMED, RELEASED, WORKER */
        struct bytes result;  /* COMPLETED: raw JSON */
        struct bytes message; /* PROGRESS: text */
        struct bytes by;      /* CANCEL_REQUESTED, CANCELLED, FORGOTTEN */
        struct bytes why;     /* REJECTED */
        struct bytes burial;  /* DEAD by `buried` */
        enum reason reason;   /* DEAD */
        bool redelivered;     /* STARTED */
        bool running;         /* CANCELLED: it was */
        bool lost;            /* RELEASED: not by the worker itself, which died */
        double progress;      /* PROGRESS, 0..1 */
        int64_t ms;           /* COMPLETED: how long the attempt took */
        struct bytes raw;     /* WORKER: the whole line, checked JSON */
        unsigned unknown;     /* members of the line that this version does not know */
};

enum event_verdict {
        EVENT_IS,   /* filled */
        EVENT_SKIP, /* known and without meaning here: a hop, a lane move that says nothing new */
        EVENT_UNKNOWN,  /* an event or shape this version does not know: count it */
        EVENT_MALFORMED /* breaks the contract: count it */
};

/* Calls on(owner, event) for each event in a message of the stream, in order; a message of
 * exchange `events` holds several lines. *skipped counts EVENT_UNKNOWN and EVENT_MALFORMED. What
 * an event borrows lives until on returns. Members of a line that are not known are counted too,
 * and the event counts all the same. */
typedef void event_fn(void *owner, const struct event *event);
void events_of_message(const struct message *m, const struct job_limits *limits, event_fn *on,
                       void *owner, uint64_t *skipped);

/* The worker's name, the rest of `out` zero; empty when there is none. */
void event_worker(const struct event *event, char out[WORKER_NAME_SIZE]);

/* One line of exchange `events`. `scratch` is cleared, and keeps unescaped text that the event
 * borrows. A result over EVENT_RESULT_MAX is left out. */
enum event_verdict event_parse(struct bytes line, struct buffer *scratch, struct event *out);
/* Writes the line with its newline. Only kinds that have a line form: not SUBMITTED, DUE, FAILED;
 * DEAD as `buried`; WORKER as its `raw`. Members without a value (absent text, attempt 0) are left
 * out. */
void event_write(const struct event *event, struct buffer *out);

/* What tells a job from another with its id: a digest of type, priority, timeout and payload. The
 * same for each message that carries the job on its way. Never 0. */
uint64_t event_content(const struct job *job);

#define EVENTS_CONTENT_TYPE "application/x-ndjson"

#endif
