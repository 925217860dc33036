/* SPDX-License-Identifier: Apache-2.0
 *
 * gateway.h: creates, runs and destroys the gateway. Main thread only.
 */
#ifndef WARREN_GATEWAY_GATEWAY_H
#define WARREN_GATEWAY_GATEWAY_H

#include "common/base/err.h"
#include "gateway/settings.h"

struct gateway;

/* Borrows settings. NULL: it cannot start. */
struct gateway *gateway_create(const struct gateway_settings *settings, struct err *e) MUST_CHECK;
void gateway_destroy(struct gateway **g);
/* Returns the exit status, once it was told to stop and has drained. */
int gateway_run(struct gateway *g);

#endif
