/* SPDX-License-Identifier: Apache-2.0
 *
 * jobs.h: what the commands about jobs share.
 */
#pragma once

#include "ui/cli/api.h"
#include "ui/cli/view.h"

/* EXIT_DONE when it completed or has not ended, EXIT_JOB_FAILED when dead or cancelled. */
enum exit_code job_verdict(struct scan_value job);
/* Adds the job's members, and what to run next. */
api_show_fn job_show;

/* EXIT_NOT_FOUND, told to the user, for a text that can be no job's id. */
enum exit_code job_check_id(const struct cli *c, const char *id) MUST_CHECK;
/* Waits until the job has ended: reply is the job. A failure is told to the user. Ctrl-C ends the
 * process, with a word, when c->stop was set to cli_interrupt() before the first call. */
enum exit_code job_wait(struct cli *c, const char *id, struct http_reply *reply) MUST_CHECK;
/* Prints the job and its attempts. */
enum exit_code job_get(struct cli *c, const char *id);

extern const struct view_column job_columns[];
