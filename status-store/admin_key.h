/* SPDX-License-Identifier: Apache-2.0
 *
 * admin_key.h: the first admin key, which nobody can ask for over HTTP.
 */
#ifndef WARREN_STATUS_STORE_ADMIN_KEY_H
#define WARREN_STATUS_STORE_ADMIN_KEY_H

#include "status-store/registry.h"

/* Makes an admin key and writes it to the file (0600, replaced when it is there). */
int admin_key_create(struct registry *r, const char *path, struct err *e) MUST_CHECK;
/* The same while the registry has none. */
int admin_key_bootstrap(struct registry *r, const char *path, struct err *e) MUST_CHECK;

#endif
