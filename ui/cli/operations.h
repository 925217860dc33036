/* SPDX-License-Identifier: Apache-2.0
 *
 * operations.h: operations on many jobs, which the primary status-store makes page by page.
 */
#pragma once

#include "ui/cli/api.h"

/* Follows the operation until it has ended, with its progress on standard error, and prints its
 * outcome. Ctrl-C ends this command; the operation goes on, which it says.
 * EXIT_JOB_FAILED: some jobs failed, or it did not get to its end.
 * Before the first call of the gateway: operations_will_follow. */
enum exit_code operation_follow(struct cli *c, const char *id) MUST_CHECK;
/* Calls of the gateway end at Ctrl-C, once cli_catch_interrupts was called. */
void operations_will_follow(struct cli *c);
/* Tells the user the operation's state, "it may have begun", and which command shows it. */
void operation_note_unsure(const struct cli *c, const char *id, const char *state);
/* Tells the user that Ctrl-C came and the operation's state, "the operation goes on", and ends the
 * process by the signal. Returns EXIT_INTERRUPTED when none came. */
enum exit_code operation_interrupted(const struct cli *c, const char *id, const char *state);
