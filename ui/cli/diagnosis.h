/* SPDX-License-Identifier: Apache-2.0
 *
 * diagnosis.h: the doctor's findings: the state of each check, the problem, and what to do.
 */
#pragma once

#include "ui/cli/cli.h"

enum health {
        HEALTH_OK,
        HEALTH_WRONG,
        HEALTH_UNKNOWN,
        HEALTH_FIXED, /* was wrong, until this command mended it */
};

struct diagnosis;
struct diagnosis *diagnosis_create(void);
void diagnosis_destroy(struct diagnosis **d);
/* problem may be NULL with HEALTH_OK. remedy: NULL when there is nothing to do. */
void diagnosis_add(struct diagnosis *d, const char *check, enum health health, const char *problem,
                   const char *remedy);
unsigned diagnosis_wrong(const struct diagnosis *d);
/* Prints it. EXIT_DONE when nothing is wrong, and with --fix nothing unknown; else exit code 1. */
enum exit_code diagnosis_print(const struct diagnosis *d, const struct cli *c);
