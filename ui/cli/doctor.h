/* SPDX-License-Identifier: Apache-2.0
 *
 * doctor.h: the parts of `warren doctor`.
 */
#pragma once

#include "common/doctor/facts.h"
#include "common/doctor/findings.h"
#include "ui/cli/cli.h"

/* Makes the checks of the broker through the management API, and with --fix replaces lost tokens.
 * Takes 30 s when tokens seem to be lost, and 60 s at most before it replaces any. */
void doctor_check_broker(struct cli *c, struct findings *f);
/* With --fix nobody may believe that lost tokens were replaced: says why they were not looked for.
 */
void doctor_report_unfixed(const struct cli *c, const char *why, struct findings *f);

/* What the gateway says of tenants with their limits, of types' limits, and of pauses. An older one
 * knows no limits of types, and no pauses. */
int doctor_read_tenants(struct cli *c, struct doctor_facts *facts, struct err *e) MUST_CHECK;
int doctor_read_types(struct cli *c, struct doctor_facts *facts, struct err *e) MUST_CHECK;
void doctor_read_pauses(struct cli *c, struct doctor_facts *facts);
