/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_wire.h: what a consumer and a warren-plugin-host say to each other, on two pipes between
 * processes of one machine (native byte order) and one shared page. Pipes, because a job's way
 * there and back costs 5 us of CPU less than on a socket pair (measured), whose blocking read also
 * wakes when the other side reads.
 *
 *      ┌────────────┬──────────┬──────────────────────┐
 *      │ length u32 │ kind u32 │ length bytes of body │     length counts the body alone
 *      └────────────┴──────────┴──────────────────────┘
 *
 *      consumer → host:  OPEN once, then JOB one at a time; end of file asks it to leave
 *      host → consumer:  READY or FAILED once; then PROGRESS and LOG during a job, END after it
 */
#ifndef WARREN_CONSUMER_RUNNER_PLUGIN_WIRE_H
#define WARREN_CONSUMER_RUNNER_PLUGIN_WIRE_H

#include <stdatomic.h>
#include <stdint.h>

/* Descriptors of the host process. */
enum { WIRE_IN_FD = 3, WIRE_OUT_FD = 4, WIRE_PAGE_FD = 5, WIRE_FD_COUNT = 6 };

enum wire_kind { WIRE_OPEN, WIRE_JOB, WIRE_READY, WIRE_FAILED, WIRE_PROGRESS, WIRE_LOG, WIRE_END };

enum {
        WIRE_TEXT_MAX = 4096,                /* error, progress and log texts */
        WIRE_REPLY_MAX = 64 * 1024 + 8192,   /* body of any frame from a host */
        WIRE_REQUEST_MAX = 64 * 1024 * 1024, /* body of any frame to a host */
};

struct wire_header {
        uint32_t length;
        uint32_t kind;
};

/* Then: file NUL, settings NUL. */
struct wire_open {
        int64_t memory; /* bytes of address space over what it has once open; 0: no limit */
};

/* Then: handler NUL, id NUL, tenant NUL, type NUL, traceparent NUL, payload. */
struct wire_job {
        uint32_t sequence;
        uint32_t redelivered;
        int64_t run, attempt, max_retries, deadline_ms;
        uint64_t payload_length;
};

/* READY: handler names, each with its NUL. FAILED: text. */

/* Its value is in the page. */
struct wire_progress {
        uint32_t sequence;
        uint32_t reserved;
};

/* Then: text. */
struct wire_log {
        uint32_t sequence;
        uint32_t level; /* enum warren_log_level */
};

/* Then: error, result. */
struct wire_end {
        uint32_t sequence;
        int32_t outcome;        /* as `run` returned it */
        uint32_t error_length;  /* 0: none */
        uint32_t result_length; /* 0: none */
        int64_t retry_after;    /* ms; 0: not said */
};

/* The latest progress, so that however much is reported nothing is queued and the last is kept. */
struct wire_latest {
        _Atomic uint32_t version; /* odd: being written */
        uint32_t sequence;
        _Atomic uint32_t length; /* of text; read once, as a plugin can write here too */
        uint32_t reserved;
        double done;
        char text[WIRE_TEXT_MAX];
};

/* What both map. Sequences start at 1. */
struct wire_page {
        _Atomic uint32_t cancelled; /* the job that shall end; written by the consumer */
        /* 1: the consumer has been told, by a PROGRESS frame, and will look; 0 again by it. */
        _Atomic uint32_t told;
        struct wire_latest latest; /* by the host */
};

#endif
