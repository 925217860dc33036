/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_rows.h: tenants and keys in and out of their columns.
 */
#ifndef WARREN_STATUS_STORE_REGISTRY_ROWS_H
#define WARREN_STATUS_STORE_REGISTRY_ROWS_H

#include "common/db/db.h"
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

/* Allocate *list. */
int tenants_read(sqlite3 *db, enum which which, struct tenant **list, size_t *count,
                 struct err *e) MUST_CHECK;
int keys_read(sqlite3 *db, enum which which, const char *tenant, struct key **list, size_t *count,
              struct err *e) MUST_CHECK;

#endif
