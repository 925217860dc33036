/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_rows.h: how the registry's own files read and write registry.db and its rows.
 */
#pragma once

#include "common/base/uuid.h"
#include "common/db/readers.h"
#include "common/db/writer.h"

/* A row whose limit has no tokens yet. */
#define TENANT_NEEDS "(max_running > 0 AND slots_version = 0 AND NOT deleted)"
#define TYPE_NEEDS "(max_running > 0 AND slots_version = 0 OR rate_count > 0 AND rate_version = 0)"

struct registry;
struct tenant;

/* As writer_run: runs `run` in a transaction shared with writes of other threads, and returns its
 * result after the commit. Blocks. Any thread, but not within a write. */
int registry_write(struct registry *r, write_fn *run, void *owner, struct err *e) MUST_CHECK;
/* As readers_take: a snapshot with everything committed before. Does not wait for writes. */
struct reader *registry_read(struct registry *r, struct err *e) MUST_CHECK;
/* rows_change as a write, and rows_exist on a snapshot. */
int registry_rows_change(struct registry *r, const char *sql, const struct db_value *values,
                         struct err *e) MUST_CHECK;
int registry_rows_exist(struct registry *r, const char *sql, const struct db_value *values,
                        struct err *e) MUST_CHECK;

/* 1: found; 0: unknown; -1. */
int tenant_find(struct database *db, const char *name, struct tenant *out,
                struct err *e) MUST_CHECK;
/* An id as a value of a row. Of a text that is no id: one that no row has. */
struct uuid {
        unsigned char raw[UUID_BYTES];
};
static inline struct uuid uuid_of(const char *id)
{
        struct uuid u = {{0}};
        (void)uuid_pack(bytes_of_text(id), u.raw);
        return u;
}
static inline struct db_value value_id(const struct uuid *u)
{
        return value_blob(bytes_of(u->raw, sizeof(u->raw)));
}

/* Of `most` that there may be, one tenant has `share`, and all of them together nine tenths: the
 * rest is left for what is about all tenants. */
static inline int64_t share_of_tenants(int64_t most)
{
        return most - most / 10;
}

/* 1: the statement gave a row, or changed one; 0; -1. */
int rows_exist(struct database *db, const char *sql, const struct db_value *values,
               struct err *e) MUST_CHECK;
int rows_change(struct database *db, const char *sql, const struct db_value *values,
                struct err *e) MUST_CHECK;

/* If the pause in that row is on, it ends, which the caller writes. What it held comes to consumers
 * now: the list of last acts keeps all of it for as long again as the pause lasted, or for what was
 * left of such a time when it began; 30 days at most. */
#define PAUSE_ENDS(table, name, since) \
        "UPDATE " table " SET held_until = ?2 + min(max(?2, held_until) - ifnull(" since ", 0)," \
        " ?3) WHERE " name " = ?1 AND paused"
int rows_end_pause(struct database *db, const char *pause_ends, const char *name,
                   struct err *e) MUST_CHECK;
