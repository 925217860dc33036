/* SPDX-License-Identifier: Apache-2.0
 *
 * broker_checks.h: checks of the broker itself. They block.
 */
#pragma once

#include "common/doctor/broker_api.h"
#include "common/doctor/facts.h"
#include "common/doctor/findings.h"

/* Whether its nodes run, and their alarms. False: the management API cannot be asked, for which
 * there is `remedy`; then nothing else can be checked. */
bool broker_checks_nodes(const struct doctor_broker *b, const char *remedy, struct findings *f);
/* What is known of its version. */
void broker_checks_version(const struct doctor_broker *b, struct findings *f);
/* Whether the vhost has what Warren needs, for these tenants and pauses too. */
void broker_checks_topology(const struct doctor_broker *b, const struct doctor_facts *facts,
                            struct findings *f);
