/* SPDX-License-Identifier: Apache-2.0
 *
 * event.h: the events of stream `events` (docs/amqp.md): what happened to a job. A job message in
 * the stream is an event too: a submission, a retry, a due job, a burial.
 */
#pragma once

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
        EVENT_RESUMED,  /* an attempt still runs; its worker could not publish events for a while */
        EVENT_RELEASED, /* an attempt was released, or its worker died: it starts again */
        EVENT_FAILED,
        EVENT_DEAD, /* a burial: its job message, or the event `buried` */
        EVENT_CANCELLED,
        EVENT_COMPLETED,
        EVENT_FORGOTTEN,
        EVENT_MOVED, /* somebody moved or retried it: what is below this copy is over */
        /* Not about a job, see event_is_of_job: */
        EVENT_WORKER, /* a consumer's record */
        EVENT_SEEN,   /* a consumer has read stream `marks` up to a message */
        EVENT_ACT,    /* an administrative act begins */
        EVENT_ACTED,  /* and how it ended */
};
enum { EVENT_KIND_COUNT = EVENT_ACTED + 1 };

enum {
        EVENT_RESULT_MAX = 64 * 1024,
        WORKER_NAME_SIZE = 128, /* "host/pid" */
        ACT_BY_SIZE = 65,       /* "key k1x2y3z4", "operation <id>" */
};

/* What a start, an expiry or a completion says of its job: all that is known while no job message
 * is. A move says priority and run_at. */
struct job_hint {
        char type[JOB_TYPE_SIZE];               /* "": the event says nothing of the job */
        char traceparent[JOB_TRACEPARENT_SIZE]; /* "": none, or unknown */
        int64_t priority;                       /* enum priority; -1: unknown */
        int64_t max_retries;                    /* -1: unknown */
        msec submitted_at, run_at, expires_at;  /* 0: unknown */
};

struct event {
        enum event_kind kind;
        char id[UUID_SIZE]; /* of the job; ACT, ACTED: of the act */
        char tenant[TENANT_SIZE];
        int64_t run, attempt, copy; /* MOVED: the first that is not over */
        int64_t mark;               /* SEEN: x-mark of the last message that was read */
        msec at; /* set by a service; 0: none (published from outside, or buried by the broker) */
        msec after;       /* RELEASED: `at` of the worker's last event about this attempt */
        uint64_t digest;  /* of the event's bytes: the last tie-breaker of the fold */
        uint64_t content; /* event_content() of the job, or of the one that ran; 0: unknown */
        /* has_job: a job message, of kind SUBMITTED, DUE, FAILED or DEAD. `scheduled`: it came
         * through delay.* or hold.*: the job waits until job.run_at, and a `due` follows. `soon`: a
         * service put it on jobs.* or `work` with a run_at in the future, for which a consumer
         * waits. */
        bool has_job, scheduled, soon;
        struct job job;
        /* Borrowed from what was decoded; absent when not given. */
        struct bytes worker;  /* STARTED, RESUMED, RELEASED, CANCELLED (running), WORKER, SEEN */
        struct bytes result;  /* COMPLETED: raw JSON */
        struct bytes message; /* PROGRESS: text */
        struct bytes by;      /* CANCEL_REQUESTED, CANCELLED, FORGOTTEN, MOVED */
        struct bytes why;     /* REJECTED; MOVED: a word of mark_why_word */
        struct bytes burial;  /* DEAD by `buried` */
        enum reason reason;   /* DEAD; CANCELLED: EXPIRED, or NONE when `by` somebody */
        bool redelivered;     /* STARTED */
        bool running;         /* CANCELLED: while it ran */
        bool lost;            /* RELEASED: because its worker died */
        double progress;      /* PROGRESS, 0 to 1 */
        int64_t ms;           /* COMPLETED: duration of the attempt */
        struct job_hint hint; /* STARTED, CANCELLED; COMPLETED: the type alone; MOVED */
        struct bytes raw;     /* WORKER, ACT, ACTED: the whole line, checked JSON */
        unsigned unknown;     /* count of members in the line that this version does not know */
};

enum event_verdict {
        EVENT_IS,       /* filled */
        EVENT_SKIP,     /* known, and no change of the job: a hop, a move to another lane */
        EVENT_UNKNOWN,  /* an event or form that this version does not know: count it */
        EVENT_MALFORMED /* breaks the contract: count it */
};

/* Calls on(owner, event) for each event in a message of the stream, in order; a message of
 * exchange `events` holds several lines. *skipped grows by one for each EVENT_UNKNOWN and
 * EVENT_MALFORMED, and each unknown member of a line that is an event. What an event borrows lives
 * until `on` returns. */
typedef void event_fn(void *owner, const struct event *event);
void events_of_message(const struct message *m, const struct job_limits *limits, event_fn *on,
                       void *owner, uint64_t *skipped);

/* False: it is about a consumer, or an administrative act. */
bool event_is_of_job(const struct event *event);

/* The worker's name, padded with zeros; empty: none, or one that does not fit. */
void event_worker(const struct event *event, char out[WORKER_NAME_SIZE]);
/* Likewise who acted. */
void event_by(const struct event *event, char out[ACT_BY_SIZE]);

/* Parses one line of exchange `events`. The event borrows from line and from `scratch`, which is
 * cleared first. A result over EVENT_RESULT_MAX is left out. */
enum event_verdict event_parse(struct bytes line, struct buffer *scratch, struct event *out);
/* Appends the line with its newline. Not for SUBMITTED, DUE and FAILED, which have no line form;
 * DEAD is written as `buried`, WORKER, ACT and ACTED as their `raw`. Members without a value
 * (absent text, attempt 0) are left out. */
void event_write(const struct event *event, struct buffer *out);

/* Distinguishes jobs that were published with the same id: a digest of type, priority, timeout and
 * payload. The same for every message of one job. Never 0. */
uint64_t event_content(const struct job *job);

#define EVENTS_CONTENT_TYPE "application/x-ndjson"
