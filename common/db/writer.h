/* SPDX-License-Identifier: Apache-2.0
 *
 * writer.h: a thread that owns a connection and commits in groups: the writes that have come while
 * one group was committed are the next. So many callers share one fsync, and none waits for a
 * timer.
 */
#pragma once

#include "common/db/database.h"

struct writer;

/* A write: runs once, on the writer's thread, within the group's transaction and a savepoint of its
 * own. It sees the writes before it, also those of its group. Below 0, with e filled: it is undone
 * and the others are not. It must not begin or end a transaction, nor call the writer, and every
 * other write waits while it runs. */
typedef int write_fn(struct database *db, void *owner, struct err *e);

/* Takes *db, which can write. */
struct writer *writer_create(sqlite3 **db, struct err *e) MUST_CHECK;
/* Stops it; no caller may be left. */
void writer_destroy(struct writer **w);
/* Commits and answers the writes that wait, then ends the thread. Later writes fail with
 * ERR_UNAVAILABLE. */
void writer_stop(struct writer *w);

/* Blocks until the group is committed, so what was written is on the disk, or has failed; returns
 * what the write returned. -1 when the transaction failed, which is so for its whole group:
 * ERR_UNAVAILABLE when the disk is full or another process has the file locked. What the write has
 * stored in *owner counts for nothing then. Any thread. */
int writer_run(struct writer *w, write_fn *run, void *owner, struct err *e) MUST_CHECK;

/* How many writes wait for the next group. */
size_t writer_waiting(struct writer *w);
/* -1: the last transaction failed, and why. */
int writer_check(struct writer *w, struct err *e) MUST_CHECK;
