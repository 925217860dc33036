/* SPDX-License-Identifier: Apache-2.0
 *
 * why_holders.c: reads running jobs by the indexes of those that run.
 */
#include "status-store/why/why_holders.h"

#include "common/base/json_write.h"

#define HOLDER_COLUMNS \
        "SELECT id, (SELECT name FROM names WHERE ref = tenant)," \
        " (SELECT name FROM names WHERE ref = type), worker, started_at, timeout FROM jobs"
/* 10000 is WAITING_MAX, 100 WHY_HOLDERS_MAX. */
#define HOLDERS_OF_TENANT \
        HOLDER_COLUMNS " INDEXED BY jobs_state WHERE tenant = ?1 AND state = 2" \
                       " ORDER BY started_at LIMIT 100"
#define HOLDERS_OF_TYPE \
        HOLDER_COLUMNS " INDEXED BY jobs_running WHERE type = ?1 AND state = 2" \
                       " AND (?2 = 0 OR tenant = ?2) ORDER BY started_at LIMIT 100"

static void write_holder(sqlite3_stmt *row, struct buffer *out)
{
        struct bytes packed = db_bytes(row, 0);
        char id[UUID_SIZE] = "";
        msec timeout = sqlite3_column_int64(row, 5);

        if (packed.length == ID_SIZE)
                uuid_unpack((const unsigned char *)packed.data, id);
        json_begin_object(out, NULL);
        json_put_string(out, "id", id);
        json_put_text(out, "tenant", db_bytes(row, 1));
        json_put_text(out, "type", db_bytes(row, 2));
        json_put_text_or_null(out, "worker", db_bytes(row, 3));
        json_put_time(out, "started_at", sqlite3_column_int64(row, 4));
        if (timeout > 0)
                json_put_int(out, "timeout_ms", timeout);
        else
                json_put_null(out, "timeout_ms");
        json_end(out);
}

/* How many it wrote; -1 on failure. */
static int64_t write_holders(struct reader *r, const char *sql, const struct db_value *values,
                             struct buffer *out, struct err *e)
{
        AUTO_RESET *rows = reader_query(r, sql, values, e);
        int64_t written = 0;
        int more = 0;

        json_begin_array(out, "holders");
        while ((more = db_step(rows, e)) == 1) {
                write_holder(rows, out);
                written++;
        }
        json_end_array(out);
        return more < 0 ? -1 : written;
}

static void write_left_out(int64_t count, struct buffer *out)
{
        json_put_int(out, "holders_left_out", count > 0 ? count : 0);
}

int why_holders_of_tenant(struct reader *r, const struct why_case *c, struct buffer *out,
                          struct err *e)
{
        int64_t written =
                write_holders(r, HOLDERS_OF_TENANT, DB_VALUES(value_int(c->tenant_ref)), out, e);

        if (written < 0)
                return -1;
        write_left_out(c->facts.slots.running - written, out);
        return 0;
}

static int64_t running_of_both(struct reader *r, const struct why_case *c, struct err *e)
{
        AUTO_RESET *s =
                reader_query(r,
                             "SELECT count(*) FROM jobs INDEXED BY jobs_running WHERE"
                             " type = ?1 AND tenant = ?2 AND state = 2",
                             DB_VALUES(value_int(c->type_ref), value_int(c->tenant_ref)), e);

        return db_step(s, e) == 1 ? sqlite3_column_int64(s, 0) : -1;
}

int why_holders_of_type(struct reader *r, const struct why_case *c, bool all, struct buffer *out,
                        struct err *e)
{
        int64_t seen = all ? c->facts.type_slots.running : running_of_both(r, c, e);
        if (seen < 0)
                return -1;
        int64_t written = write_holders(
                r, HOLDERS_OF_TYPE,
                DB_VALUES(value_int(c->type_ref), value_int(all ? 0 : c->tenant_ref)), out, e);
        if (written < 0)
                return -1;
        write_left_out(seen - written, out);
        int64_t others = c->facts.type_slots.running - seen;
        if (!all)
                json_put_int(out, "others_jobs", others > 0 ? others : 0);
        return 0;
}
