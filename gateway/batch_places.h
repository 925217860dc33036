/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_places.h: how many batches are read at once, so that single requests find threads, and how
 * many of them are one tenant's, so that others find places. Any thread.
 */
#pragma once

#include "common/base/err.h"

struct batch_places;

/* threads: of the server; an eighth of them are places, one at least. */
struct batch_places *batch_places_create(unsigned threads);
void batch_places_destroy(struct batch_places **p);

/* Takes a place for a batch of that tenant, which has half of them at most, rounded up. tenant: ""
 * for an admin key; all admin keys count as one tenant. -1: ERR_FULL. */
int batch_places_take(struct batch_places *p, const char *tenant, struct err *e) MUST_CHECK;
void batch_places_return(struct batch_places *p, const char *tenant);
