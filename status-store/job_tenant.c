/* SPDX-License-Identifier: Apache-2.0
 *
 * job_tenant.c: looks an id up.
 */
#include "status-store/job_tenant.h"

#include "common/base/uuid.h"

int job_tenant(struct database *db, const char *id, char out[TENANT_SIZE], struct err *e)
{
        unsigned char raw[UUID_BYTES];

        out[0] = '\0';
        if (!uuid_pack(bytes_of_text(id), raw))
                return 0;
        AUTO_RESET *find = database_query(
                db,
                "SELECT min(n.name), count(*) FROM jobs AS j JOIN names AS n ON n.ref = j.tenant"
                " WHERE j.id = ?1",
                DB_VALUES(value_blob(bytes_of(raw, sizeof(raw)))), e);
        if (db_step(find, e) != 1)
                return -1;
        if (sqlite3_column_int64(find, 1) == 1)
                db_text(find, 0, out, TENANT_SIZE);
        return 0;
}
