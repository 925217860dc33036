/* SPDX-License-Identifier: Apache-2.0
 *
 * exec.h: handler kind `exec`: a program for each attempt. Loop thread only.
 */
#pragma once

#include "consumer/runner/run.h"

struct execs;

struct execs *execs_create(const struct runner_config *c, struct runs *runs);
/* Kills and reaps the programs that run, without callbacks. */
void execs_destroy(struct execs **all);
struct run *exec_start(struct execs *all, const struct run_request *q, const struct run_events *on,
                       void *owner, struct err *e) MUST_CHECK;
/* SIGTERM, and SIGKILL after `grace`. Does nothing when it is being ended already. */
void exec_stop(struct run *run, msec grace);
