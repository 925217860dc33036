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
        bool own;   /* path is the input's own, <input>.refused */
        bool again; /* a file that is there is added to, else replaced by the first refused job */
        FILE *file; /* opened by the first refused job */
};

/* path: --refused, or NULL for <input>.refused; NULL with an input that is no file. */
void batch_refusals_init(struct batch_refusals *r, const char *path, const char *input);
void batch_refusals_fini(struct batch_refusals *r);
/* Whether the file can be written, and is not the state of the input. It stays as it is; one that
 * is not there is not made. */
int batch_refusals_check(const struct batch_refusals *r, const char *input,
                         struct err *e) MUST_CHECK;
/* After a run without refused jobs: deletes the input's own file, which is of an older run. */
void batch_refusals_delete(const struct batch_refusals *r);
/* Writes lines; those in a file are on the disk then. */
int batch_refusals_write(struct batch_refusals *r, struct bytes lines, struct err *e) MUST_CHECK;

/* What a run says at its end, or when it stops before. */
struct batch_end {
        enum exit_code code;
        bool dry;            /* nothing was submitted */
        const char *why;     /* it stopped; NULL: that was said */
        const char *next;    /* what the command does: "to go on"; NULL: there is none */
        const char *command; /* "warren submit …" */
        const char *key;     /* of the run */
};

/* Prints how many jobs were accepted and refused, and the next command. EXIT_REFUSED when some were
 * refused. */
enum exit_code batch_summary(const struct cli *c, const struct batch_counts *counts,
                             const struct batch_refusals *r, const struct batch_end *end);
/* Prints on standard error why it stopped, how far it came, and the next command. Returns end's
 * code. */
enum exit_code batch_stopped(const struct cli *c, const struct batch_counts *counts,
                             const struct batch_refusals *r, const struct batch_end *end);
/* How a later run takes its input. */
enum batch_rerun {
        BATCH_AGAIN_AS_GIVEN,
        BATCH_RESTART,             /* from the begin of the file */
        BATCH_FROM_STANDARD_INPUT, /* the same file, without its state */
};

/* Adds "warren submit" with the words that it was given, as far as a later run needs them. A login
 * in the URL becomes LOGIN:PASSWORD. key: or NULL. */
void batch_add_command(const struct cli *c, enum batch_rerun rerun, const char *key,
                       struct buffer *out);
/* Adds the URL, in which a login becomes LOGIN:PASSWORD. */
void batch_add_url(const char *url, struct buffer *out);
