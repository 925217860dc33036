/* SPDX-License-Identifier: Apache-2.0
 *
 * diagnosis.h: prints the doctor's findings.
 */
#pragma once

#include "common/doctor/findings.h"
#include "ui/cli/cli.h"

/* EXIT_DONE when nothing is wrong, and with --fix nothing unknown; else exit code 1. */
enum exit_code diagnosis_print(const struct findings *f, const struct cli *c);
