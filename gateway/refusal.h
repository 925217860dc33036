/* SPDX-License-Identifier: Apache-2.0
 *
 * refusal.h: why a submission is not accepted, as a value: the answer to one request, or an entry
 * of a batch's answer.
 */
#pragma once

#include "common/base/err.h"
#include "common/base/json_scan.h"
#include "common/base/uuid.h"
#include "common/http/handler.h"
#include "gateway/meters.h"

/* The label `reason` of warren_submissions_refused_total. */
enum refusal_reason {
        REFUSED_INVALID,
        REFUSED_RATE,
        REFUSED_BACKLOG,
        REFUSED_WINDOW, /* too many submissions are not confirmed */
        REFUSED_BROKER,
        REFUSED_UNKNOWN, /* the job may have been accepted */
        REFUSED_KEY_REUSED,
        REFUSED_KEY_IN_FLIGHT,
        REFUSED_KEYS, /* no claim can be had: the primary is away, or too many are kept */
};

struct refusal {
        enum refusal_reason reason;
        int status;       /* of HTTP */
        const char *type; /* of the problem, a literal; NULL: the status says all */
        char detail[ERR_TEXT_SIZE];
        struct scan_fault fault;
        bool has_fault;
        int64_t retry;      /* Retry-After, s; 0: the status's own */
        char id[UUID_SIZE]; /* REFUSED_UNKNOWN: of the job */
        bool may_replay;    /* of judge_read: the job is filled, and its key may have made it */
};

/* Each fills *why, which was {0}, and returns false, so: return refusal_set(why, ...). */
bool refusal_set(struct refusal *why, enum refusal_reason reason, int status, const char *format,
                 ...) PRINTF_LIKE(4, 5);
/* The status is that of the error's code; ERR_FULL is REFUSED_WINDOW, all else REFUSED_BROKER. */
bool refusal_set_err(struct refusal *why, const struct err *e);
/* REFUSED_INVALID. */
bool refusal_set_fault(struct refusal *why, int status, const struct scan_fault *fault);
/* A member of a submission whose body was read. */
struct refused_member {
        struct bytes body;
        const char *name, *detail;
};
/* REFUSED_INVALID, 422. The fault is at its value, or at the body's begin if it is not given. */
bool refusal_set_member(struct refusal *why, const struct refused_member *m);

/* tenant: of the job; used for REFUSED_RATE only. */
void refusal_count(const struct refusal *why, const struct meters *m, const char *tenant);
void refusal_answer(const struct refusal *why, struct http_request *r);
/* Adds {"problem": {...}}, as refusal_answer, with Retry-After as member retry_after, and without
 * what is the same for all entries of a batch: instance and trace_id. */
void refusal_write(const struct refusal *why, struct buffer *out);
