/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_rows.h: reads and writes the rows of tenants and keys.
 */
#ifndef WARREN_STATUS_STORE_REGISTRY_ROWS_H
#define WARREN_STATUS_STORE_REGISTRY_ROWS_H

#include "common/db/database.h"
#include "status-store/tenant.h"

#define TENANT_COLUMNS \
        "name, v, rate_count, rate_per, burst, max_running, slots_version, max_pending, weight," \
        " paused, deleted, amqp_login, created_at, deleted_at"
#define KEY_COLUMNS "id, v, tenant, sha256, scopes, expires, revoked, created_at"

void tenant_read(sqlite3_stmt *s, struct tenant *t);
/* Bind from parameter 1 on, in the order of the columns. Borrow. */
void tenant_bind(sqlite3_stmt *s, const struct tenant *t);
void key_read(sqlite3_stmt *s, struct key *k);
void key_bind(sqlite3_stmt *s, const struct key *k);

/* 1: found; 0: unknown; -1. */
int tenant_find(struct database *db, const char *name, struct tenant *out,
                struct err *e) MUST_CHECK;
/* Append to *list, which the caller frees. */
int tenants_read(struct database *db, enum which which, struct tenant **list, size_t *count,
                 struct err *e) MUST_CHECK;
int keys_read(struct database *db, enum which which, const char *tenant, struct key **list,
              size_t *count, struct err *e) MUST_CHECK;

/* Run a statement with ?1, a tenant's name or a key's id, and perhaps ?2, a number. 1: it gave a
 * row, or changed one; 0; -1. */
int rows_exist(struct database *db, const char *sql, const char *name, int64_t number,
               struct err *e) MUST_CHECK;
int rows_change(struct database *db, const char *sql, const char *name, int64_t number,
                struct err *e) MUST_CHECK;

/* rows_change as a write_fn. */
struct row_change {
        const char *sql, *name;
        int64_t number;
};
int row_change_write(struct database *db, void *owner, struct err *e) MUST_CHECK;

#endif
