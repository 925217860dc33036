/* SPDX-License-Identifier: Apache-2.0
 *
 * run_request.h: what a runner and a run are started with, and a run's callbacks.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/process.h"
#include "common/metrics/metrics.h"
#include "common/model/job.h"
#include "common/model/retry.h"

struct handler;

struct runner_config {
        const char *host_program;   /* path of warren-plugin-host */
        const char *launch_program; /* path of warren-launch */
        unsigned workers;           /* hosts of a plugin without `processes`; from 1 */
        uv_loop_t *loop;
        const struct process_start *as_started; /* restored in handlers' processes */
        struct metrics *metrics;
};

struct run_end {
        enum outcome outcome;
        enum error_kind error_kind; /* unless DONE */
        struct bytes error;         /* UTF-8, at most JOB_ERROR_MAX; absent when DONE */
        struct bytes result;        /* one JSON value, at most EVENT_RESULT_MAX; absent: none */
        msec retry_after;           /* 0: the type's backoff applies */
};

/* Called on the loop thread; only `began` may come inside runner_start, none inside run_stop. What
 * `end` borrows lives until `ended` returns. After `ended` or `put_off` the run is freed. */
struct run_events {
        void (*progress)(void *owner, double done, struct bytes text);
        void (*ended)(void *owner, const struct run_end *end);
        /* The handler's code begins. Always comes before `progress` and `ended`. */
        void (*began)(void *owner);
        /* There was no room after all: as if runner_start had failed with ERR_FULL. */
        void (*put_off)(void *owner);
};

struct run_request {
        const struct job *job;         /* borrowed for the call alone */
        const struct handler *handler; /* the run holds a reference to its set */
        bool redelivered;
        msec timeout; /* of this attempt */
};
