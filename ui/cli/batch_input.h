/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_input.h: the input of a batch, locked, and the file that says how far it was submitted.
 */
#pragma once

#include "ui/cli/batch_source.h"
#include "ui/cli/batch_state.h"
#include "ui/cli/cli.h"

struct batch_input {      /* starts as {0} */
        const char *path; /* --batch; borrowed */
        struct batch_source *source;
        char *state_path; /* NULL: a dry run, or the input cannot be read again */
        struct batch_state state;
        msec earlier; /* since when an earlier run may have sent jobs of the first chunk; else 0 */
};

/* Opens what --batch names. The state is that of a run that began before, or of a new one.
 * ERR_CONFLICT with a key in the state: the run that began before cannot go on. */
int batch_input_open(struct batch_input *in, const struct cli *c, struct err *e) MUST_CHECK;
void batch_input_fini(struct batch_input *in);
/* Writes the state, where it has a file. */
int batch_input_save(const struct batch_input *in, struct err *e) MUST_CHECK;
