/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_wire.h: the protocol between a consumer and a warren-plugin-host, on two pipes and one
 * shared page, in native byte order. Pipes, not a socket pair: a job costs 5 us of CPU less
 * (measured), since a blocking read of a socket also wakes when the other side reads.
 *
 *      ┌────────────┬──────────┬──────────────────────┐
 *      │ length u32 │ kind u32 │ length bytes of body │     length counts the body alone
 *      └────────────┴──────────┴──────────────────────┘
 *
 *      consumer → host:  OPEN once, then JOB one at a time; end of file asks it to end
 *      host → consumer:  READY or FAILED once; then PROGRESS and LOG during a job, END after it
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

/* Descriptors of the host process. */
enum { WIRE_IN_FD = 3, WIRE_OUT_FD = 4, WIRE_PAGE_FD = 5, WIRE_FD_COUNT = 6 };

enum wire_kind { WIRE_OPEN, WIRE_JOB, WIRE_READY, WIRE_FAILED, WIRE_PROGRESS, WIRE_LOG, WIRE_END };

enum {
        WIRE_TEXT_MAX = 4096,                /* bytes of an error, progress or log text */
        WIRE_REPLY_MAX = 64 * 1024 + 8192,   /* bytes of body of a frame from a host */
        WIRE_REQUEST_MAX = 64 * 1024 * 1024, /* bytes of body of a frame to a host */
};

struct wire_header {
        uint32_t length;
        uint32_t kind;
};

/* OPEN; followed by: file NUL, settings NUL. */
struct wire_open {
        int64_t memory; /* bytes of address space beyond its own once open; 0: no limit */
};

/* JOB; followed by: handler NUL, id NUL, tenant NUL, type NUL, traceparent NUL, payload. */
struct wire_job {
        uint32_t sequence;
        uint32_t redelivered;
        int64_t run, attempt, max_retries, deadline_ms;
        uint64_t payload_length;
};

/* READY: handler names, each with its NUL. FAILED: text. */

/* PROGRESS; its value is in the page. */
struct wire_progress {
        uint32_t sequence;
        uint32_t reserved;
};

/* LOG; followed by: text. */
struct wire_log {
        uint32_t sequence;
        uint32_t level; /* enum warren_log_level */
};

/* END; followed by: error, result. */
struct wire_end {
        uint32_t sequence;
        int32_t outcome;        /* as `run` returned it */
        uint32_t error_length;  /* 0: none */
        uint32_t result_length; /* 0: none */
        int64_t retry_after;    /* ms; 0: none */
};

/* Only the latest progress is stored, so no number of reports can fill a queue. */
struct wire_latest {
        _Atomic uint32_t version; /* odd: being written */
        uint32_t sequence;
        _Atomic uint32_t length; /* of text; read it once only, as a plugin may overwrite it */
        uint32_t reserved;
        double done;
        char text[WIRE_TEXT_MAX];
};

/* The shared page. Sequences start at 1. */
struct wire_page {
        _Atomic uint32_t cancelled; /* sequence of the job to cancel; written by the consumer */
        /* The host sets it to 1 when it sends PROGRESS, and sends none while it is 1; the consumer
         * sets it to 0 when it wants the next. */
        _Atomic uint32_t notified;
        struct wire_latest latest; /* written by the host */
};
