/* SPDX-License-Identifier: Apache-2.0
 *
 * runner.h: runs one attempt of a job by its handler, whatever its kind: a plugin in a host
 * process, or a program. Enforces time, memory and output limits by killing. Loop thread only;
 * SIGPIPE must be ignored.
 */
#ifndef WARREN_CONSUMER_RUNNER_RUNNER_H
#define WARREN_CONSUMER_RUNNER_RUNNER_H

#include <stdbool.h>
#include <uv.h>

#include "common/base/err.h"
#include "common/base/process.h"
#include "common/metrics/metrics.h"
#include "common/model/job.h"
#include "common/model/retry.h"
#include "consumer/runner/handlers.h"

struct runner;
struct run;

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

struct runner_config {
        const char *host_program;   /* path of warren-plugin-host */
        const char *launch_program; /* path of warren-launch */
        unsigned workers;           /* hosts of a plugin that does not say `processes`; from 1 */
        uv_loop_t *loop;
        const struct process_start *as_started; /* what handlers are started with */
        struct metrics *metrics;                /* NULL: none are kept */
};

struct runner *runner_create(const struct runner_config *c, struct err *e) MUST_CHECK;
/* Kills whatever runs (no callbacks) and reaps every child before it returns. Not from inside a
 * callback of its own. Its handles are closed by the loop's next turns: run it until they are. */
void runner_destroy(struct runner **r);

/* Puts a set of handlers in force: starts plugin hosts that are new, retires those that are gone;
 * runs under the old set end under it. Keeps a reference of its own. Blocks until each new plugin
 * is open in one host (10 s at most each). 0, or -1 and the old set stays: a plugin cannot be
 * loaded or has no handler of the name a type asks for. Calls nobody back. */
int runner_use(struct runner *r, struct handlers *h, struct err *e) MUST_CHECK;
/* True when a run of this handler could start now: its concurrency and, for a plugin, a host. It
 * can change in any turn of the loop. */
bool runner_has_room(const struct runner *r, const struct handler *h);

/* NULL with ERR_FULL when there is no room, here or in the system; other codes when it could not be
 * started. */
struct run *runner_start(struct runner *r, const struct run_request *q, const struct run_events *on,
                         void *owner, struct err *e) MUST_CHECK;
/* Asks it to stop: plugins see cancelled(), programs get SIGTERM; SIGKILL after `grace`. Ends by
 * `ended` with OUTCOME_STOPPED (or whatever came first). */
void run_stop(struct run *run, msec grace);
/* Tells by `progress`, at once, what a run has reported since that was last called: after a call a
 * plugin's further reports wait to be looked for, so that a flood of them costs nothing. */
void run_look(struct run *run);
unsigned runner_running(const struct runner *r);

#endif
