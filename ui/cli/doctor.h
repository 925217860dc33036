/* SPDX-License-Identifier: Apache-2.0
 *
 * doctor.h: the parts of `warren doctor`.
 */
#ifndef WARREN_CLI_DOCTOR_H
#define WARREN_CLI_DOCTOR_H

#include "ui/cli/diagnosis.h"

/* Nodes and alarms, topology, consumers, by the management API. */
void doctor_check_broker(struct cli *c, struct diagnosis *d);

#endif
