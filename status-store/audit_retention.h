/* SPDX-License-Identifier: Apache-2.0
 *
 * audit_retention.h: deletes administrative acts that are older than they must be kept, once an
 * hour, a few at a time. Loop thread only; it waits for the disk, some ms.
 */
#pragma once

#include <uv.h>

#include "status-store/registry/registry.h"

struct audit_retention;

/* Borrows the registry. */
struct audit_retention *audit_retention_create(struct registry *r, uv_loop_t *loop);
void audit_retention_destroy(struct audit_retention **a);
