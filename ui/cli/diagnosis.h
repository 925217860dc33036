/* SPDX-License-Identifier: Apache-2.0
 *
 * diagnosis.h: the doctor's findings: the state of each check, the problem, and what to do.
 */
#pragma once

#include "ui/cli/cli.h"

enum health { HEALTH_OK, HEALTH_WRONG, HEALTH_UNKNOWN };

struct diagnosis;
struct diagnosis *diagnosis_create(void);
void diagnosis_destroy(struct diagnosis **d);
/* problem and remedy may be NULL with HEALTH_OK. */
void diagnosis_add(struct diagnosis *d, const char *check, enum health health, const char *problem,
                   const char *remedy);
unsigned diagnosis_wrong(const struct diagnosis *d);
/* Prints it. EXIT_DONE when nothing is wrong, else exit code 1. */
enum exit_code diagnosis_print(const struct diagnosis *d, const struct cli *c);
