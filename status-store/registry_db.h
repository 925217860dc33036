/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_db.h: how the registry's own files read and write registry.db.
 */
#ifndef WARREN_STATUS_STORE_REGISTRY_DB_H
#define WARREN_STATUS_STORE_REGISTRY_DB_H

#include "common/db/readers.h"
#include "common/db/writer.h"

struct registry;

/* writer_run: what `run` returns, once it is committed together with the writes of other threads.
 * Blocks; any thread, but not within a write. */
int registry_write(struct registry *r, write_fn *run, void *owner, struct err *e) MUST_CHECK;
/* readers_take: a snapshot with all that was committed before. Waits for no write. */
struct reader *registry_read(struct registry *r, struct err *e) MUST_CHECK;

#endif
