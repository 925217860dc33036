/* SPDX-License-Identifier: Apache-2.0
 *
 * runner.h: runs one attempt of a job by its handler, whatever its kind: a plugin in a host
 * process, or a program. Enforces time, memory and output limits by killing. Loop thread only;
 * SIGPIPE must be ignored.
 */
#ifndef WARREN_CONSUMER_RUNNER_RUNNER_H
#define WARREN_CONSUMER_RUNNER_RUNNER_H

#include <stdbool.h>

#include "common/base/err.h"
#include "consumer/runner/handlers.h"
#include "consumer/runner/run_request.h"
#include "consumer/runner/runner_config.h"

struct runner;
struct run;

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
