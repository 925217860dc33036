/* SPDX-License-Identifier: Apache-2.0
 *
 * gateway.h: the gateway as a whole, and its life.
 */
#ifndef WARREN_GATEWAY_GATEWAY_H
#define WARREN_GATEWAY_GATEWAY_H

#include "common/base/err.h"
#include "gateway/settings.h"

struct gateway;

/* Settings are borrowed. NULL: it cannot start. */
struct gateway *gateway_create(const struct gateway_settings *settings, struct err *e) MUST_CHECK;
void gateway_destroy(struct gateway **g);
/* Until it was told to stop and has drained. The exit status. */
int gateway_run(struct gateway *g);

#endif
