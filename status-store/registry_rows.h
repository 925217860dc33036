/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_rows.h: tenants and keys in and out of their columns.
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
/* From parameter 1 on, in the order of the columns; borrows. */
void tenant_bind(sqlite3_stmt *s, const struct tenant *t);
void key_read(sqlite3_stmt *s, struct key *k);
void key_bind(sqlite3_stmt *s, const struct key *k);

/* 1, 0, -1. */
int tenant_find(struct database *db, const char *name, struct tenant *out,
                struct err *e) MUST_CHECK;
/* Allocate *list. */
int tenants_read(struct database *db, enum which which, struct tenant **list, size_t *count,
                 struct err *e) MUST_CHECK;
int keys_read(struct database *db, enum which which, const char *tenant, struct key **list,
              size_t *count, struct err *e) MUST_CHECK;

/* A statement of ?1, the name of a tenant or the id of a key, and perhaps ?2, a number. 1: it gives
 * a row, or changed some; 0; -1. */
int rows_exist(struct database *db, const char *sql, const char *name, int64_t number,
               struct err *e) MUST_CHECK;
int rows_change(struct database *db, const char *sql, const char *name, int64_t number,
                struct err *e) MUST_CHECK;

/* rows_change as a write of its own (write_fn). */
struct row_change {
        const char *sql, *name;
        int64_t number;
};
int row_change_write(struct database *db, void *owner, struct err *e) MUST_CHECK;

#endif
