/* SPDX-License-Identifier: Apache-2.0
 *
 * routes.h: the public paths.
 */
#pragma once

#include "gateway/core.h"

/* Fills g->routes, with body limits from the settings. */
void routes_init(struct gateway *g);
/* True when the gateway can serve; for health_config.ready. Any thread. */
bool routes_ready(void *owner, struct err *why);
