/* SPDX-License-Identifier: Apache-2.0
 *
 * exec_command.h: arguments and environment of a program and its launcher (docs/handlers.md).
 */
#ifndef WARREN_CONSUMER_RUNNER_EXEC_COMMAND_H
#define WARREN_CONSUMER_RUNNER_EXEC_COMMAND_H

#include "consumer/runner/handlers.h"
#include "consumer/runner/handlers_read.h"
#include "consumer/runner/run_request.h"

/* Owned texts, NULL-terminated (handlers_read.h). as_started: from as_started_write. */
char **exec_argv(const struct handler *h, const char *launch_program, const char *as_started);
/* deadline: wall clock. */
char **exec_env(const struct run_request *q, msec deadline);

#endif
