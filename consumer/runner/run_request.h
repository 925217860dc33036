/* SPDX-License-Identifier: Apache-2.0
 *
 * run_request.h: what a run is asked for with, and what is told of it.
 */
#ifndef WARREN_CONSUMER_RUNNER_RUN_REQUEST_H
#define WARREN_CONSUMER_RUNNER_RUN_REQUEST_H

#include <stdbool.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/model/job.h"
#include "common/model/retry.h"

struct handler;

struct run_end {
        enum outcome outcome;
        enum error_kind error_kind; /* unless DONE */
        struct bytes error;         /* UTF-8, at most JOB_ERROR_MAX; absent when DONE */
        struct bytes result;        /* one JSON value, at most EVENT_RESULT_MAX; absent: none */
        msec retry_after;           /* 0: by the policy */
};

/* On the loop's thread, and but for `began` never inside runner_start or run_stop. What `end`
 * borrows lives until ended returns; after ended and put_off the run is gone. */
struct run_events {
        void (*progress)(void *owner, double done, struct bytes text);
        void (*ended)(void *owner, const struct run_end *end);
        /* Code of the handler begins; before anything else is told but put_off. */
        void (*began)(void *owner);
        /* The system had no room after all, and nothing of the handler has run: as if runner_start
         * had said ERR_FULL. */
        void (*put_off)(void *owner);
};

struct run_request {
        const struct job *job; /* borrowed for the call; payload is copied or written at once */
        const struct handler *handler; /* kept by reference (handler_ref) until the run ended */
        bool redelivered;
        msec timeout; /* of this attempt: already chosen */
};

#endif
