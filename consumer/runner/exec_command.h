/* SPDX-License-Identifier: Apache-2.0
 *
 * exec_command.h: arguments and environment of a program and its launcher (docs/handlers.md).
 */
#ifndef WARREN_CONSUMER_RUNNER_EXEC_COMMAND_H
#define WARREN_CONSUMER_RUNNER_EXEC_COMMAND_H

#include "consumer/runner/handlers.h"
#include "consumer/runner/run_request.h"

struct exec_command;

/* as_started: from as_started_write. deadline: wall clock. */
struct exec_command *exec_command_create(const struct run_request *q, const char *launch_program,
                                         const char *as_started, msec deadline);
void exec_command_destroy(struct exec_command **c);
char *const *exec_command_argv(const struct exec_command *c);
char *const *exec_command_env(const struct exec_command *c);

#endif
