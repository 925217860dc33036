/* SPDX-License-Identifier: Apache-2.0
 *
 * admin_key.h: makes admin keys; no HTTP route does.
 */
#ifndef WARREN_STATUS_STORE_ADMIN_KEY_H
#define WARREN_STATUS_STORE_ADMIN_KEY_H

#include "status-store/registry.h"

/* Makes an admin key and writes it to the file (mode 0600; an existing file is replaced). */
int admin_key_create(struct registry *r, const char *path, struct err *e) MUST_CHECK;
/* The same if the registry has no admin key. */
int admin_key_bootstrap(struct registry *r, const char *path, struct err *e) MUST_CHECK;

#endif
