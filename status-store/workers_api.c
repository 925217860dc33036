/* SPDX-License-Identifier: Apache-2.0
 *
 * workers_api.c: GET /workers of the internal API: the consumers, without the jobs of other
 * tenants.
 */
#include <string.h>

#include "common/base/json_read.h"
#include "common/base/json_write.h"
#include "status-store/api.h"
#include "status-store/lookup.h"

/* Adds the running jobs of this tenant. */
static void add_running(struct buffer *out, struct scan_value record, const char *tenant)
{
        struct scan_value running;
        struct scan_value of;
        struct scan_item item;
        if (!scan_find(record, "running", &running) || running.kind != SCAN_ARRAY)
                return;
        json_begin_array(out, "running");
        for (struct scan_cursor at = scan_items(running); scan_next(&at, &item);) {
                char name[TENANT_SIZE];
                bool mine = scan_find(item.value, "tenant", &of) &&
                            json_copy_text(of, name, sizeof(name)) && strcmp(name, tenant) == 0;
                if (mine || strcmp(tenant, "*") == 0)
                        json_put_raw(out, NULL, item.value.raw);
        }
        json_end_array(out);
}

static void write_worker(sqlite3_stmt *row, const char *tenant, msec as_of, struct buffer *out)
{
        static const char *const members[] = {"state", "version", "started", "concurrency",
                                              "types"};
        msec at = sqlite3_column_int64(row, 1);
        struct bytes raw = db_bytes(row, 3);
        bool gone = bytes_equal_text(db_bytes(row, 2), "gone");
        json_begin_object(out, NULL);
        json_put_text(out, "worker", db_bytes(row, 0));
        json_put_flag(out, "alive", !gone && at > as_of - WORKER_ALIVE);
        json_put_time(out, "last_seen", at);
        if (raw.length > 0) {
                struct scan_value record = scan_root(raw);
                struct scan_value value;
                for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
                        if (scan_find(record, members[i], &value))
                                json_put_raw(out, members[i], value.raw);
                add_running(out, record, tenant);
        }
        json_end(out);
}

static int write_workers(struct reader *r, const char *tenant, msec as_of, struct buffer *out,
                         struct err *e)
{
        AUTO_RESET *all = reader_query(r, workers_sql, NULL, e);
        json_begin_array(out, "workers");
        int more = 0;
        while ((more = db_step(all, e)) == 1)
                write_worker(all, tenant, as_of, out);
        json_end_array(out);
        return more;
}

void workers_list(void *owner, struct http_request *r)
{
        api_answer_tenant(owner, r, write_workers);
}
