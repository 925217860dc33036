/* SPDX-License-Identifier: Apache-2.0
 *
 * workers_api.c: GET /workers of the internal API: the consumers, and of what they run the jobs
 * that the caller may see.
 */
#include <string.h>

#include "common/base/json_path.h"
#include "common/base/json_read.h"
#include "common/base/json_write.h"
#include "status-store/api.h"
#include "status-store/why/handled.h"
#include "status-store/why/worker_view.h"

enum { WORKERS_MAX = 500 };
/* How long a consumer is shown after its last record. */
#define SHOWN_FOR ((msec)10 * MSEC_MINUTE)

struct listing {
        struct reader *reader;
        const char *tenant; /* or "*" */
        msec as_of;
        int limit;
        struct buffer *out;
};

static bool is_visible(const struct listing *l, struct scan_value attempt)
{
        return strcmp(l->tenant, "*") == 0 || json_path_is(attempt, "tenant", l->tenant);
}

/* Whether the projection has an end of the attempt that its worker did not live to tell, or another
 * worker runs it now. -1 on failure. */
static int has_ended(const struct listing *l, const char *worker, struct scan_value attempt,
                     struct err *e)
{
        char id[UUID_SIZE] = "";
        unsigned char packed[ID_SIZE];
        struct scan_value given;

        if (!scan_find(attempt, "id", &given) || !json_copy_text(given, id, sizeof(id)) ||
            !uuid_pack(bytes_of_text(id), packed))
                return 0;
        AUTO_RESET *runs = reader_query(
                l->reader, "SELECT 1 FROM jobs WHERE id = ?1 AND state = 2 AND worker = ?2",
                DB_VALUES(value_blob(bytes_of(packed, ID_SIZE)), value_text(worker)), e);
        int found = db_step(runs, e);
        return found < 0 ? -1 : found == 0;
}

static int write_attempt(const struct listing *l, const struct worker_view *w,
                         struct scan_value attempt, struct err *e)
{
        static const char *const texts[] = {"id", "tenant", "type"};
        int64_t since = json_path_int(attempt, "since");
        int64_t number = json_path_int(attempt, "attempt");
        int64_t timeout = json_path_int(attempt, "timeout");
        int64_t priority = json_path_int(attempt, "priority");
        int ended = w->status == WORKER_IS_LOST ? has_ended(l, w->name, attempt, e) : 0;
        struct scan_value value;

        if (ended < 0)
                return -1;
        json_begin_object(l->out, NULL);
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                if (scan_find(attempt, texts[i], &value))
                        json_put_raw(l->out, texts[i], value.raw);
        if (number > 0)
                json_put_int(l->out, "attempt", number);
        if (priority >= 0 && priority < PRIORITY_COUNT)
                json_put_string(l->out, "priority", priority_name((enum priority)priority));
        json_put_time(l->out, "since", since);
        if (timeout > 0)
                json_put_int(l->out, "timeout_ms", timeout);
        else
                json_put_null(l->out, "timeout_ms");
        json_put_int(l->out, "elapsed_ms", l->as_of > since ? l->as_of - since : 0);
        if (ended)
                json_put_flag(l->out, "ended", true);
        json_end(l->out);
        return 0;
}

static int write_running(const struct listing *l, const struct worker_view *w, struct err *e)
{
        struct scan_item item;
        int64_t hidden = 0;

        json_begin_array(l->out, "running");
        if (w->running.raw.data != NULL) {
                for (struct scan_cursor at = scan_items(w->running); scan_next(&at, &item);) {
                        if (!is_visible(l, item.value))
                                hidden++;
                        else if (write_attempt(l, w, item.value, e) != 0)
                                return -1;
                }
        }
        json_end_array(l->out);
        json_put_int(l->out, "others_running", hidden);
        return 0;
}

static void write_members(const struct listing *l, const struct worker_view *w)
{
        struct scan_value version;
        struct scan_value record;

        if (w->raw.length == 0)
                return;
        record = scan_root(w->raw);
        if (scan_find(record, "version", &version))
                json_put_raw(l->out, "version", version.raw);
        json_put_time(l->out, "started_at", json_path_int(record, "started"));
        json_put_int(l->out, "concurrency", w->concurrency);
        json_put_int(l->out, "busy", w->busy);
        json_put_int(l->out, "waiting", w->waiting);
        if (w->types.raw.data != NULL)
                json_put_raw(l->out, "types", w->types.raw);
        json_put_flag(l->out, "all_types", w->all_types);
        if (w->limits.raw.data != NULL)
                json_put_raw(l->out, "limits", w->limits.raw);
}

static int write_worker(const struct listing *l, const struct worker_view *w, struct err *e)
{
        json_begin_object(l->out, NULL);
        json_put_string(l->out, "worker", w->name);
        json_put_string(l->out, "status", worker_status_name(w->status));
        json_put_flag(l->out, "alive",
                      w->status == WORKER_IS_UP || w->status == WORKER_IS_DRAINING);
        json_put_time(l->out, "last_seen", w->at);
        write_members(l, w);
        if (write_running(l, w, e) != 0)
                return -1;
        json_end(l->out);
        return 0;
}

/* Those after `cursor`, by name. */
static int write_workers(const struct listing *l, const char *cursor, struct err *e)
{
        char last[WORKER_NAME_SIZE] = "";
        int written = 0;
        int more = 0;
        AUTO_RESET *rows = reader_query(
                l->reader,
                "SELECT worker, at, state, raw FROM workers WHERE worker > ?1 AND at > ?2"
                " ORDER BY worker LIMIT ?3",
                DB_VALUES(value_string(bytes_of_text(cursor)), value_int(l->as_of - SHOWN_FOR),
                          value_int(l->limit + 1)),
                e);

        json_begin_array(l->out, "workers");
        while (written < l->limit && (more = db_step(rows, e)) == 1) {
                struct worker_view w;
                worker_view_read(rows, l->as_of, &w);
                if (write_worker(l, &w, e) != 0)
                        return -1;
                memcpy(last, w.name, sizeof(last));
                written++;
        }
        json_end_array(l->out);
        if (more == 1)
                more = db_step(rows, e);
        json_put_string(l->out, "next_cursor", more == 1 ? last : NULL);
        return more < 0 ? -1 : 0;
}

static int write_answer(const struct listing *l, const char *cursor, struct err *e)
{
        /* First, so that a screen can have it on top. */
        if (unhandled_write(l->reader, l->tenant, l->as_of, l->out, e) != 0)
                return -1;
        return write_workers(l, cursor, e);
}

void workers_list(void *owner, struct http_request *r)
{
        static const char *const allowed[] = {"tenant", "limit", "cursor", NULL};
        struct api *a = owner;
        AUTO_BUFFER members = {0};
        struct listing l = {.limit = WORKERS_MAX, .out = &members, .as_of = api_as_of(a)};
        const char *cursor = http_query(r, "cursor");
        struct err why = {0};

        if (!http_query_only(r, allowed))
                return;
        l.tenant = api_tenant(r);
        if (l.tenant == NULL || !api_limit(r, WORKERS_MAX, &l.limit))
                return;
        AUTO_READER *reader = readers_take(a->readers, &why);
        l.reader = reader;
        if (reader == NULL || write_answer(&l, cursor != NULL ? cursor : "", &why) != 0)
                http_problem_err(r, &why);
        else
                api_answer(a, r, &members);
}
