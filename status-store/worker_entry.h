/* SPDX-License-Identifier: Apache-2.0
 *
 * worker_entry.h: the worker records in a batch; of each worker the newest.
 */
#ifndef WARREN_STATUS_STORE_WORKER_ENTRY_H
#define WARREN_STATUS_STORE_WORKER_ENTRY_H

#include "status-store/store.h"

struct worker_entry; /* `all`: a hash table of them; NULL: empty */

void worker_entries_fold(struct worker_entry **all, const struct event *e);
int worker_entries_write(const struct worker_entry *all, struct store *store,
                         struct err *e) MUST_CHECK;
void worker_entries_clear(struct worker_entry **all);

#endif
