/* SPDX-License-Identifier: Apache-2.0
 *
 * job_tenant.c: looks an id up.
 */
#include "status-store/jobs/job_tenant.h"

#include "common/base/uuid.h"

int job_tenant(struct database *db, const char *id, char out[TENANT_SIZE], struct err *e)
{
        unsigned char raw[UUID_BYTES];

        out[0] = '\0';
        if (!uuid_pack(bytes_of_text(id), raw))
                return 0;
        AUTO_RESET *find = database_query(
                db,
                "SELECT n.name, j.state = 7 FROM jobs AS j JOIN names AS n ON n.ref = j.tenant"
                " WHERE j.id = ?1 ORDER BY 2 LIMIT 2",
                DB_VALUES(value_blob(bytes_of(raw, sizeof(raw)))), e);
        int found = db_step(find, e);
        if (found != 1)
                return found;
        bool hidden = sqlite3_column_int(find, 1) != 0;
        db_text(find, 0, out, TENANT_SIZE);
        found = db_step(find, e);
        if (found < 0)
                return -1;
        if (found == 0 || (!hidden && sqlite3_column_int(find, 1) != 0))
                return 1;
        out[0] = '\0';
        return TENANTS_SEVERAL;
}
