/* SPDX-License-Identifier: Apache-2.0
 *
 * runner.h: runs attempts by handlers of any kind: a plugin in a host process, or a program.
 * Enforces limits of time, memory and output by killing. Loop thread only. SIGPIPE must be ignored.
 */
#pragma once

#include <stdbool.h>

#include "common/base/err.h"
#include "consumer/runner/handlers.h"
#include "consumer/runner/run_request.h"

struct runner;
struct run;

struct runner *runner_create(const struct runner_config *c, struct err *e) MUST_CHECK;
/* Kills all runs, without callbacks, and reaps every child before it returns. Not from inside one
 * of its callbacks. Run the loop afterwards: it closes the handles. */
void runner_destroy(struct runner **r);

/* Puts a set of handlers in force: starts hosts of new plugins, ends those of removed ones; runs
 * that began under the old set end under it. Takes a reference. Blocks until each new plugin is
 * open in one host, up to 10 s each. -1: a plugin cannot be loaded, or lacks a handler that a type
 * names; the old set stays. Makes no callbacks. */
int runner_use(struct runner *r, struct handlers *h, struct err *e) MUST_CHECK;
/* True when a run of this handler could start now: its type is below its concurrency, and the
 * system has room or, for a plugin, a host is idle. It can change in any turn of the loop. */
bool runner_has_room(const struct runner *r, const struct handler *h);
/* How many could start now. Only when there is room. */
unsigned runner_room(const struct runner *r, const struct handler *h);

/* NULL: ERR_FULL when there is no room, here or in the system; other codes when it cannot start. */
struct run *runner_start(struct runner *r, const struct run_request *q, const struct run_events *on,
                         void *owner, struct err *e) MUST_CHECK;
/* Asks it to stop: for plugins cancelled() is 1, programs get SIGTERM; SIGKILL after `grace`.
 * `ended` follows, with OUTCOME_STOPPED unless the run had ended otherwise before. */
void run_stop(struct run *run, msec grace);
/* Calls `progress` if a run has reported something new since `progress` was last called. A plugin's
 * further reports wait for this call, so that a flood of reports costs nothing. */
void run_poll(struct run *run);
unsigned runner_running(const struct runner *r);
