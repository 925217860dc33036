/* SPDX-License-Identifier: Apache-2.0
 *
 * handled.c: reads the types that worker records name.
 */
#include "status-store/why/handled.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json_scan.h"
#include "common/base/json_write.h"
#include "common/base/memory.h"
#include "status-store/jobs/lookup.h"

struct handled_type *handled_add(struct handled_type **set, const char *type)
{
        struct handled_type *t;

        HASH_FIND_STR(*set, type, t);
        if (t != NULL)
                return t;
        t = xcalloc(1, sizeof(*t));
        snprintf(t->type, sizeof(t->type), "%s", type);
        HASH_ADD_STR(*set, type, t);
        return t;
}

void handled_forget(struct handled_type **set)
{
        struct handled_type *t, *after;

        HASH_ITER (hh, *set, t, after) {
                HASH_DEL(*set, t);
                free(t);
        }
}

static bool names_all(struct scan_value record)
{
        struct scan_value all;

        return !scan_find(record, "all_types", &all) || all.kind != SCAN_FALSE;
}

static void count_record(struct scan_value record, struct handled_type *set)
{
        struct scan_value types;
        struct scan_item item;
        struct handled_type *t;

        if (!names_all(record)) {
                for (t = set; t != NULL; t = t->hh.next)
                        t->workers++;
                return;
        }
        if (!scan_find(record, "types", &types) || types.kind != SCAN_ARRAY)
                return;
        for (struct scan_cursor at = scan_items(types); scan_next(&at, &item);) {
                if (item.value.kind != SCAN_STRING)
                        continue;
                /* Without the quotes; a type contains nothing that is escaped. */
                HASH_FIND(hh, set, item.value.raw.data + 1, item.value.raw.length - 2, t);
                if (t != NULL)
                        t->workers++;
        }
}

int handled_count(struct reader *r, msec as_of, struct handled_type *set, struct err *e)
{
        AUTO_RESET *all = reader_query(r, workers_sql, NULL, e);
        int more = 0;

        while ((more = db_step(all, e)) == 1) {
                struct bytes raw = db_bytes(all, 3);
                bool up = bytes_equal_text(db_bytes(all, 2), "up");
                if (up && sqlite3_column_int64(all, 1) > as_of - WORKER_ALIVE && raw.length > 0)
                        count_record(scan_root(raw), set);
        }
        return more;
}

int handled_read_waiting(struct reader *r, const char *tenant, struct handled_type **set,
                         struct err *e)
{
        AUTO_RESET *counts = reader_query(r, counts_sql, DB_VALUES(value_text(tenant)), e);
        int more = 0;

        while ((more = db_step(counts, e)) == 1) {
                char type[JOB_TYPE_SIZE];
                bool waits = sqlite3_column_int(counts, 3) == STATUS_PENDING &&
                             sqlite3_column_int64(counts, 4) > 0;
                db_text(counts, 2, type, sizeof(type));
                if (waits && type[0] != '\0')
                        handled_add(set, type)->jobs += sqlite3_column_int64(counts, 4);
        }
        return more;
}

int unhandled_write(struct reader *r, const char *tenant, msec as_of, struct buffer *out,
                    struct err *e)
{
        struct handled_type *set = NULL;
        int written = 0;
        int failed = handled_read_waiting(r, tenant, &set, e);

        if (failed == 0 && set != NULL)
                failed = handled_count(r, as_of, set, e);
        json_begin_array(out, "unhandled_types");
        for (const struct handled_type *t = set; t != NULL && written < UNHANDLED_MAX;
             t = t->hh.next) {
                if (t->workers > 0)
                        continue;
                json_put_string(out, NULL, t->type);
                written++;
        }
        json_end_array(out);
        handled_forget(&set);
        return failed;
}
