/* SPDX-License-Identifier: Apache-2.0
 *
 * job.h: a job, and its form as an AMQP message (docs/amqp.md). job_decode is the one judge of a
 * job message: the consumer and the projection both ask it.
 */
#ifndef WARREN_MODEL_JOB_H
#define WARREN_MODEL_JOB_H

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
        JOB_ORIGINAL_MAX = 112 * 1024, /* leaves room in its frame of 128 KiB for a burial's own */
};

/* Counters of a service stay in the range that every JSON reader holds exactly. */
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

struct job {
        char id[UUID_SIZE];
        char tenant[TENANT_SIZE];
        char type[JOB_TYPE_SIZE];
        enum priority priority;
        enum lane lane;  /* where it was found or belongs: job_lane() says which it should be */
        int64_t run;     /* from 1 */
        int64_t attempt; /* attempts already made in this run; on a retry or burial: the failed one
                          */
        int64_t copy;
        int64_t max_retries;
        msec timeout;      /* 0: the type's */
        msec run_at;       /* 0: at once */
        msec submitted_at; /* 0: unknown */
        msec queued_at;    /* 0: unknown */
        msec due_at;       /* 0: not from a delay exchange */
        msec unhandled_at; /* when it was first found that nobody handles its type; 0: not so */
        bool hop, again;
        bool from_outside; /* no service published it: only the first seven headers counted */
        char traceparent[JOB_TRACEPARENT_SIZE]; /* "" none */
        char key[JOB_KEY_SIZE], key_hash[JOB_KEY_SIZE];
        enum reason reason;            /* REASON_NONE but on a burial */
        char burial[UUID_SIZE];        /* "" none */
        char claimed_id[JOB_KEY_SIZE]; /* "" none; printable text only */
        enum error_kind error_kind;
        /* Borrowed from the message, or from whoever filled the struct. */
        struct bytes error;
        struct bytes app_id;
        struct bytes payload; /* one JSON value, bytes as submitted */
        /* On the burial of a malformed message: its property list as it came, in wire form. */
        struct bytes original;
};

/* user_id is a `warren-` login. The broker vouches for user_id, so all its headers count. */
bool job_message_is_from_service(const struct message *m);

/* The tenant of a job message: from exchange `jobs.<tenant>`, else from routing key
 * `<tenant>.<lane>`. False when neither names one. Writes the lane too when the key names one, else
 * leaves it. */
bool job_message_origin(const struct message *m, char tenant[TENANT_SIZE], enum lane *lane);

struct job_limits {
        size_t payload_max;
};

/* 0: job is filled and borrows from m. -1: it breaks the contract; e (ERR_INVALID) says what is
 * wrong in words fit for x-error, and job holds what could be read (tenant, claimed_id when there
 * was a message_id, type when valid). x-delay counts from the submission, at the latest from `now`.
 * The id of a job from a broker-made burial (exchange `dead`, no x-reason) is valid as always.
 * A burial by a service (x-reason) keeps whatever body, type and content type it has: only tenant
 * and id must be there; with reason malformed the payload need not be JSON. A body published by the
 * gateway, the consumer or the dlx-monitor was checked by them: neither its size nor its form is
 * judged again. */
int job_decode(const struct message *m, const struct job_limits *limits, msec now, struct job *job,
               struct err *e) MUST_CHECK;

/* The lane its timeout and priority put it in; type_timeout serves when job->timeout is 0. */
enum lane job_lane(const struct job *job, msec type_timeout);

/* Names live as long as `text`. */
struct job_message {
        struct message message;
        char exchange[64];
        char routing_key[64];
};

/* What a message brings a job to: its headers and its address go by that. */
enum job_station {
        STATION_SUBMISSION = 1 << 0, /* jobs.<tenant>, or delay.<bucket> when run_at is to come */
        STATION_FIRST_HOP = 1 << 1,  /* of a job from outside with a time: delay.<bucket> */
        STATION_HOP = 1 << 2,        /* on its way to run_at, no transition: delay.<bucket> */
        /* delay.<bucket>: job->attempt names the attempt that failed, run_at when to run again. */
        STATION_RETRY = 1 << 3,
        /* `dead`, with job->reason, error, burial and claimed_id; a malformed one as octet-stream,
         * with job->original. */
        STATION_BURIAL = 1 << 4,
        STATION_LANE_MOVE = 1 << 5, /* `due`, key <tenant>.long */
};

/* Fills a message that borrows from job and from `out`; out must stay where it is. The bucket is
 * the one that fits the time left until run_at. `now` becomes x-queued-at. Only headers of the
 * contract are written. user_id is the link's to add. */
void job_encode(const struct job *job, enum job_station station, msec now, struct job_message *out);

#endif
