/* SPDX-License-Identifier: Apache-2.0
 *
 * tenant_places.h: how many requests do something at once, so that others find threads, and how
 * many of them are one tenant's, so that those of others find places. Any thread.
 */
#pragma once

#include "common/base/err.h"

struct tenant_places;

/* most: of all tenants; each: of one. Both 1 at least. what: they are, in messages ("batches");
 * borrowed. */
struct tenant_places *tenant_places_create(unsigned most, unsigned each, const char *what);
void tenant_places_destroy(struct tenant_places **p);

/* tenant: "" is one, too. -1: ERR_FULL. */
int tenant_places_take(struct tenant_places *p, const char *tenant, struct err *e) MUST_CHECK;
void tenant_places_return(struct tenant_places *p, const char *tenant);
unsigned tenant_places_taken(struct tenant_places *p);
