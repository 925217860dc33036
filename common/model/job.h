/* SPDX-License-Identifier: Apache-2.0
 *
 * job.h: a job, and its form as an AMQP message (docs/amqp.md). Only job_decode decides whether a
 * job message is valid, for the consumer and for the status store.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/uuid.h"
#include "common/model/lane.h"
#include "common/model/message.h"
#include "common/model/reason.h"

enum {
        TENANT_SIZE = 33,   /* [a-z0-9][a-z0-9-]{0,31}, not beginning with "warren", and a NUL */
        JOB_TYPE_SIZE = 65, /* [a-z0-9][a-z0-9._-]{0,63} and a NUL */
        JOB_ERROR_MAX = 4096,
        JOB_MAX_RETRIES_MAX = 100,
        JOB_MAX_RETRIES_DEFAULT = 3,
        JOB_PAYLOAD_MAX_DEFAULT = 256 * 1024,
        JOB_TRACEPARENT_SIZE = 56, /* W3C version 00, and a NUL */
        JOB_KEY_SIZE = 256,
        JOB_ORIGINAL_MAX = 112 * 1024, /* leaves room for other headers in a frame of 128 KiB */
};

/* The range of integers that every JSON reader holds exactly. */
#define JOB_COUNTER_MAX ((int64_t)1 << 53)
/* 9999-12-31T23:59:59.999Z: the last time that can be written as text. */
#define JOB_TIME_MAX ((msec)253402300799999)
#define JOB_TIMEOUT_MIN ((msec)100)
#define JOB_TIMEOUT_MAX ((msec)86400000)
#define JOB_TIMEOUT_DEFAULT ((msec)300000)
#define JOB_TIMEOUT_LONG ((msec)600000) /* over this: lane long */
#define JOB_DELAY_MAX ((msec)365 * MSEC_DAY)

bool tenant_name_is_valid(struct bytes name);
bool job_type_is_valid(struct bytes type);
bool traceparent_is_valid(struct bytes text);

/* Which pause holds a job's type back (parked.h). */
enum pause {
        PAUSE_NONE,
        PAUSE_TYPE,        /* of the type, for all tenants */
        PAUSE_TENANT_TYPE, /* of the type, for the job's tenant */
};

/* How a copy of a job came to be: x-moved. */
enum {
        MOVED_NOT,        /* submitted, retried or replayed */
        MOVED_BY_ACT,     /* somebody moved the job: another time or priority */
        MOVED_GIVEN_BACK, /* likewise, after this attempt had been started and released */
};

struct job {
        char id[UUID_SIZE];
        char tenant[TENANT_SIZE];
        char type[JOB_TYPE_SIZE];
        enum priority priority;
        enum lane lane;  /* of its message; job_lane() says where it belongs */
        int64_t run;     /* from 1 */
        int64_t attempt; /* attempts made in this run; on a retry or burial: the failed one */
        int64_t copy;    /* 0: as submitted, retried or replayed; see copy_number (mark.h) */
        int64_t moved;   /* MOVED_…; of this attempt */
        int64_t max_retries;
        msec timeout;      /* 0: the type's */
        msec run_at;       /* 0: at once */
        msec expires_at;   /* no attempt starts at or after it; 0: never */
        msec submitted_at; /* 0: unknown */
        msec queued_at;    /* 0: unknown */
        msec due_at;       /* 0: not from a delay queue */
        msec unhandled_at; /* when its type was first found to have no handler; 0: never */
        bool hop, again;
        bool doubt;        /* a submission whose outcome is unknown */
        bool from_outside; /* not published by a service: only public headers are read */
        bool outside; /* its first message was not: submitted_at is what its publisher claims */
        char traceparent[JOB_TRACEPARENT_SIZE]; /* "" none */
        char key[JOB_KEY_SIZE], key_hash[JOB_KEY_SIZE];
        enum reason reason;            /* of a burial, else REASON_NONE */
        enum pause pause;              /* for STATION_PARK: whose queue; not read */
        char burial[UUID_SIZE];        /* "" none */
        char claimed_id[JOB_KEY_SIZE]; /* "" none; printable text only */
        enum error_kind error_kind;
        /* Borrowed from the message, or from whoever filled the struct. */
        struct bytes error;
        struct bytes app_id;
        struct bytes payload; /* one JSON value, bytes as submitted */
        /* Burial of a malformed message: its property list as delivered, in wire form. */
        struct bytes original;
};

/* user_id, which the broker verifies, is a `warren-` login: all its headers are trusted. */
bool job_message_is_from_service(const struct message *m);

/* The tenant of a job message: from exchange `jobs.<tenant>`, else from routing key
 * `<tenant>.<lane>`. False when neither names one. *lane is set only when the key names one. */
bool job_message_origin(const struct message *m, char tenant[TENANT_SIZE], enum lane *lane);

struct job_limits {
        size_t payload_max;
};

/* 0: job is filled and borrows from m. -1: m breaks the contract; e (ERR_INVALID) says how, for
 * x-error, and job holds what could be read (tenant, claimed_id when there was a message_id, type
 * when valid). x-delay counts from the submission, at the latest from `now` (0: unknown). A job
 * that is due after it expires is due when it expires: that ends its wait. A burial by a service
 * (exchange `dead`, with x-reason) needs only tenant and id: its body, type and content type are
 * not checked. The body is not checked when a service published the message that had checked it
 * before: the gateway, the consumer, the dlx-monitor, the operator login. */
int job_decode(const struct message *m, const struct job_limits *limits, msec now, struct job *job,
               struct err *e) MUST_CHECK;
/* Whether this error of job_decode quotes a body that is not JSON. Nothing can be masked in such a
 * body: whoever does not see secrets must not see the error either. */
bool job_error_quotes_body(struct bytes error);

/* No attempt of it may start any more. */
bool job_has_expired(const struct job *job, msec now);

/* The lane for its timeout and priority. type_timeout: used when job->timeout is 0. */
enum lane job_lane(const struct job *job, msec type_timeout);

/* message borrows the two names. */
struct job_message {
        struct message message;
        char exchange[128];
        char routing_key[64];
};

/* The purpose of a job message: decides its headers and its address. */
enum job_station {
        /* To its queue alone: `work`; hold.<bucket> when run_at is later. Mandatory. */
        STATION_SUBMISSION = 1 << 0,
        STATION_FIRST_HOP = 1 << 1, /* delay.<bucket>: first wait of a job from outside */
        /* hold.<bucket>, its queue alone: further wait, no change of status. Mandatory. */
        STATION_HOP = 1 << 2,
        /* delay.<bucket>: job->attempt names the attempt that failed, run_at when to run again. */
        STATION_RETRY = 1 << 3,
        /* `dead`, with job->reason, error, burial and claimed_id; a malformed one as octet-stream,
         * with job->original. */
        STATION_BURIAL = 1 << 4,
        STATION_LANE_MOVE = 1 << 5, /* `due`, key <tenant>.long */
        /* To its queue and the stream: jobs.<tenant>; delay.<bucket> when run_at is later. */
        STATION_REPLAY = 1 << 6,
        STATION_MOVE = 1 << 7, /* a copy in place of what waits; goes where a replay goes */
        /* To the parked queue of job->pause, alone. Mandatory. */
        STATION_PARK = 1 << 8,
        /* `work`: out of a parked queue. x-queued-at stays job->queued_at, that of the parking: its
         * age tells whether a start may have been forgotten. Mandatory. */
        STATION_UNPARK = 1 << 9,
};

/* Fills a message that borrows from job and from `out`: do not move `out`. The bucket is chosen by
 * the time left until run_at. `now` becomes x-queued-at, or the millisecond after job->queued_at
 * when that is not yet over (but see STATION_UNPARK). Only headers of the contract are written. The
 * link adds user_id. */
void job_encode(const struct job *job, enum job_station station, msec now, struct job_message *out);
