/* SPDX-License-Identifier: Apache-2.0
 *
 * worker_view.c: reads a consumer's record.
 */
#include "status-store/why/worker_view.h"

#include <string.h>

#include "common/base/json_path.h"
#include "common/model/record.h"
#include "status-store/jobs/lookup.h"

const char *worker_status_name(enum worker_status s)
{
        switch (s) {
        case WORKER_IS_UP:
                return "up";
        case WORKER_IS_DRAINING:
                return "draining";
        case WORKER_IS_LOST:
                return "lost";
        case WORKER_IS_GONE:
                return "gone";
        }
        return NULL;
}

static enum worker_status status_of(struct bytes state, msec at, msec as_of)
{
        if (bytes_equal_text(state, "gone"))
                return WORKER_IS_GONE;
        if (at <= as_of - WORKER_ALIVE)
                return WORKER_IS_LOST;
        return bytes_equal_text(state, "draining") ? WORKER_IS_DRAINING : WORKER_IS_UP;
}

static int64_t count_of(struct scan_value record, const char *member)
{
        int64_t count = json_path_int(record, member);

        return count > 0 ? count : 0;
}

static struct scan_value member_of(struct scan_value record, const char *name, enum scan_kind kind)
{
        struct scan_value value;

        if (scan_find(record, name, &value) && value.kind == kind)
                return value;
        return (struct scan_value){.kind = SCAN_NULL};
}

static int64_t elements(struct scan_value array)
{
        struct scan_item item;
        int64_t count = 0;

        if (array.raw.data == NULL)
                return 0;
        for (struct scan_cursor at = scan_items(array); scan_next(&at, &item);)
                count++;
        return count;
}

static void read_record(struct scan_value record, struct worker_view *out)
{
        struct scan_value all;

        out->concurrency = count_of(record, "concurrency");
        out->waiting = count_of(record, "waiting");
        out->no_handler_wait = count_of(record, "no_handler_wait");
        out->all_types = !scan_find(record, "all_types", &all) || all.kind != SCAN_FALSE;
        out->types = member_of(record, "types", SCAN_ARRAY);
        out->limits = member_of(record, "limits", SCAN_OBJECT);
        out->running = member_of(record, "running", SCAN_ARRAY);
        out->busy = json_path_int(record, "busy");
        if (out->busy < 0)
                out->busy = elements(out->running);
}

void worker_view_read(sqlite3_stmt *row, msec as_of, struct worker_view *out)
{
        struct bytes raw = db_bytes(row, 3);

        *out = (struct worker_view){.at = sqlite3_column_int64(row, 1)};
        db_text(row, 0, out->name, sizeof(out->name));
        out->status = status_of(db_bytes(row, 2), out->at, as_of);
        if (raw.length == 0)
                return;
        out->raw = raw;
        read_record(scan_root(raw), out);
}

/* Of a string without escapes: the name of a type has nothing to escape. */
static bool is_string(struct scan_value value, const char *text)
{
        size_t length = strlen(text);

        return value.kind == SCAN_STRING && value.raw.length == length + 2 &&
               memcmp(value.raw.data + 1, text, length) == 0;
}

bool worker_view_handles(const struct worker_view *w, const char *type)
{
        struct scan_item item;

        if (!w->all_types && w->raw.length > 0)
                return true;
        if (w->types.raw.data == NULL)
                return false;
        for (struct scan_cursor at = scan_items(w->types); scan_next(&at, &item);)
                if (is_string(item.value, type))
                        return true;
        return false;
}

int64_t worker_view_running(const struct worker_view *w, const char *type)
{
        struct scan_item item;
        struct scan_value of;
        int64_t count = 0;

        if (w->running.raw.data == NULL)
                return 0;
        for (struct scan_cursor at = scan_items(w->running); scan_next(&at, &item);)
                if (scan_find(item.value, "type", &of) && is_string(of, type))
                        count++;
        return count;
}

int64_t worker_view_limit(const struct worker_view *w, const char *type)
{
        struct scan_value limit;
        int64_t most = 0;

        if (w->limits.raw.data == NULL || !scan_find(w->limits, type, &limit) ||
            limit.kind != SCAN_NUMBER || !scan_int(limit, &most))
                return RECORD_UNLIMITED;
        return most;
}
