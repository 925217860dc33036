/* SPDX-License-Identifier: Apache-2.0
 *
 * minutes_kept.h: a copy of the tables `minutes` and `counters`, by names of tenants, in a file
 * beside the projection's database: "<database>.minutes". A new database takes them from there,
 * because the stream may no longer hold what was counted.
 *
 * The copy has the stream's clock as of the last save. What a new database folds up to that clock
 * is counted already (`counted` of table position). Loop thread only.
 */
#pragma once

#include "status-store/projection/store.h"

struct minutes_kept;

/* Opens or makes the file beside the database at `path`, and fills the store from it when the store
 * is new. A damaged file is renamed, and a new one made. Borrows the store. */
struct minutes_kept *minutes_kept_create(const char *path, struct store *store,
                                         struct err *e) MUST_CHECK;
void minutes_kept_destroy(struct minutes_kept **k);
/* Copies what was committed, in one transaction: the minutes from `oldest` on, and all totals.
 * After an end without a save it takes those of the last hour before that, too. */
int minutes_kept_save(struct minutes_kept *k, int64_t oldest, struct err *e) MUST_CHECK;
