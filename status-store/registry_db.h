/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_db.h: how the registry's own files read and write registry.db.
 */
#ifndef WARREN_STATUS_STORE_REGISTRY_DB_H
#define WARREN_STATUS_STORE_REGISTRY_DB_H

#include "common/db/readers.h"
#include "common/db/writer.h"

struct registry;

/* As writer_run: runs `run` in a transaction shared with writes of other threads, and returns its
 * result after the commit. Blocks. Any thread, but not within a write. */
int registry_write(struct registry *r, write_fn *run, void *owner, struct err *e) MUST_CHECK;
/* As readers_take: a snapshot with everything committed before. Does not wait for writes. */
struct reader *registry_read(struct registry *r, struct err *e) MUST_CHECK;

#endif
