/* SPDX-License-Identifier: Apache-2.0
 *
 * links.h: the consumer's links: `consume` brings jobs, `slots` tokens; `publish` feeds the event
 * stream, `queues` delay queues alone.
 */
#pragma once

#include "consumer/core.h"

/* Creates the links, and what sits on them alone. config: its name is not used. */
int links_create(struct consumer *c, const struct link_config *config, struct err *e) MUST_CHECK;
bool links_are_ready(struct consumer *c, struct err *why);
