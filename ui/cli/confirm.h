/* SPDX-License-Identifier: Apache-2.0
 *
 * confirm.h: asks a person before many jobs are changed.
 */
#pragma once

#include "ui/cli/cli.h"

/* Asks "<question>? [y/N]" on standard error; about more than 100 jobs it asks for their number.
 * EXIT_DONE: yes, or --yes was given. EXIT_REFUSED: no. EXIT_USAGE: there is nobody to ask, because
 * standard input or standard error is no terminal. Ctrl-C ends the process. Told to the user when
 * it is not EXIT_DONE. */
enum exit_code confirm(const struct cli *c, const char *question, int64_t count) MUST_CHECK;
