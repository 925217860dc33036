/* SPDX-License-Identifier: Apache-2.0
 *
 * routes.h: the public paths.
 */
#ifndef WARREN_GATEWAY_ROUTES_H
#define WARREN_GATEWAY_ROUTES_H

#include "gateway/core.h"

/* Fills g->routes, with body limits from the settings. */
void routes_init(struct gateway *g);
/* True when the gateway can serve; for health_config.ready. Any thread. */
bool routes_ready(void *owner, struct err *why);

#endif
