/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_output.h: what a batch leaves behind: the refused jobs in a file, a summary, and the
 * command that goes on.
 */
#pragma once

#include <stdio.h>

#include "ui/cli/batch_progress.h"
#include "ui/cli/cli.h"

/* The refused jobs. */
struct batch_refusals {
        char *path; /* owned; NULL: standard error */
        bool again; /* a file that is there is added to, else replaced by the first refused job */
        FILE *file; /* opened by the first refused job */
};

/* path: --refused, or NULL for <input>.refused; NULL with an input that is no file. */
void batch_refusals_init(struct batch_refusals *r, const char *path, const char *input);
void batch_refusals_fini(struct batch_refusals *r);
/* Writes lines; those in a file are on the disk then. */
int batch_refusals_write(struct batch_refusals *r, struct bytes lines, struct err *e) MUST_CHECK;

/* Prints how many jobs were accepted and refused. EXIT_REFUSED when some were refused. */
enum exit_code batch_summary(const struct cli *c, const struct batch_counts *counts,
                             const struct batch_refusals *r, const char *key);
/* Adds the command that goes on with a batch. key: NULL when the input's file of the state has it.
 */
void batch_resume_command(const struct cli *c, const char *key, struct buffer *out);
