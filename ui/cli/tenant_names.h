/* SPDX-License-Identifier: Apache-2.0
 *
 * tenant_names.h: the names of all tenants, from the gateway, with an admin key.
 */
#pragma once

#include "ui/cli/cli.h"

struct tenant_names;
/* NULL: the gateway is unreachable, or refuses; e says why. */
struct tenant_names *tenant_names_ask(struct cli *c, struct err *e) MUST_CHECK;
void tenant_names_destroy(struct tenant_names **t);
/* NULL-terminated. */
const char *const *tenant_names_list(const struct tenant_names *t);
/* Whether the n-th of them is paused: its queues have no consumer on purpose. */
bool tenant_names_is_paused(const struct tenant_names *t, size_t n);
