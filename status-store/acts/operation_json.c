/* SPDX-License-Identifier: Apache-2.0
 *
 * operation_json.c: reads and writes the bodies about operations.
 */
#include "status-store/acts/operation_json.h"

#include <string.h>

#include "common/base/json_read.h"
#include "common/base/json_write.h"

enum { BODY_DEPTH = 4 };

static void write_filter(const struct operation *o, bool hides, struct buffer *out)
{
        struct job_filter f = {.tenant = o->tenant};
        AUTO_BUFFER text = {0};
        struct err why = {0};
        if (operation_filter_read(o->filter, &f, &text, &why) == 0)
                operation_filter_json(&f, hides, out);
        else
                json_put_null(out, "filter");
}

static void write_head(const struct operation *o, bool hides, struct buffer *out)
{
        json_put_string(out, "kind", operation_kind_name(o->kind));
        json_put_string(out, "tenant", strcmp(o->tenant, "*") != 0 ? o->tenant : NULL);
        write_filter(o, hides, out);
        json_put_flag(out, "one_mark", o->bulk != BULK_NONE);
}

static bool has_text(const struct operation *o)
{
        return strncmp(o->filter, "q=", 2) == 0 || strstr(o->filter, "&q=") != NULL;
}

/* How far a search for a text has come. */
static void write_search(const struct operation *o, struct buffer *out)
{
        struct cursor at = {.created = 0};
        if (!has_text(o))
                return;
        if (!cursor_read(o->cursor, &at))
                at.created = 0;
        json_begin_object(out, "search");
        json_put_int(out, "jobs", o->looked);
        json_put_time(out, "until", at.created);
        json_put_flag(out, "complete", o->state == OPERATION_DONE);
        json_end(out);
}

void operation_json(const struct operation *o, const char *name, const char *waiting, bool hides,
                    struct buffer *out)
{
        json_begin_object(out, name);
        json_put_string(out, "id", o->id);
        json_put_string(out, "state", operation_state_name(o->state));
        write_head(o, hides, out);
        json_put_text_or_null(out, "by", bytes_of_text(o->by));
        json_put_int(out, "total", o->expected);
        json_put_flag(out, "more", o->more);
        json_put_int(out, "done", o->done);
        json_put_int(out, "skipped", o->skipped);
        json_put_int(out, "failed", o->failed);
        write_search(o, out);
        json_put_time(out, "created_at", o->at);
        json_put_time(out, "started_at", o->started);
        json_put_time(out, "ended_at", o->ended);
        json_put_text_or_null(out, "error", bytes_of_text(o->error));
        json_put_text_or_null(out, "waiting", bytes_of_text(waiting));
        json_end(out);
}

static void write_counts(const struct operation_preview *p, struct buffer *out)
{
        json_begin_object(out, "by_status");
        for (int i = 0; i < STATUS_COUNT; i++)
                if (p->by_status[i] > 0)
                        json_put_int(out, status_name((enum status)i), p->by_status[i]);
        json_end(out);
        json_begin_object(out, "by_tenant");
        for (size_t i = 0; i < p->tenant_count; i++)
                json_put_int(out, p->tenants[i].name, p->tenants[i].count);
        json_end(out);
        json_put_int(out, "other_tenants", p->of_other_tenants);
        json_begin_array(out, "sample");
        for (size_t i = 0; i < p->sampled; i++)
                json_put_string(out, NULL, p->sample[i]);
        json_end_array(out);
}

void operation_preview_json(const struct operation *o, const struct operation_preview *p,
                            struct buffer *out)
{
        json_begin(out);
        json_begin_object(out, "preview");
        json_put_string(out, "token", o->id);
        write_head(o, false, out);
        json_put_int(out, "count", p->count);
        json_put_flag(out, "more", o->more);
        write_counts(p, out);
        if (has_text(o)) {
                json_begin_object(out, "search");
                json_put_int(out, "jobs", p->reach.rows);
                json_put_int(out, "bytes", (int64_t)p->reach.bytes);
                json_put_time(out, "until", p->reach.at.created);
                json_put_flag(out, "complete", p->reach.complete);
                json_end(out);
        }
        json_put_time(out, "excluded_after", o->before);
        json_put_time(out, "expires_at", o->at + PREVIEW_KEEP);
        json_end(out);
        json_end(out);
}

void operation_behind_json(const struct acts_behind *behind, struct buffer *out)
{
        if (behind->unknown) {
                json_put_null(out, "workers_behind");
                return;
        }
        json_begin_array(out, "workers_behind");
        for (size_t i = 0; i < behind->count; i++)
                json_put_string(out, NULL, behind->workers[i]);
        json_end_array(out);
}

struct body {
        char token[UUID_SIZE];
};

int operation_body_read(struct bytes body, char token[UUID_SIZE], struct scan_fault *fault)
{
        static const struct json_member members[] = {
                {"token", json_read_uuid, JSON_AT(struct body, token),
                 .form = "must be the token "
                         "of a preview"},
                {0},
        };
        struct json_reader r = {.fault = fault};
        struct json_place root;
        struct body read = {.token = ""};
        token[0] = '\0';
        if (body.length == 0)
                return 0;
        if (json_read_open(&r, body, BODY_DEPTH, &root) != 0)
                return 400;
        if (json_read_members(&r, &root, members, &read) != 0)
                return 422;
        memcpy(token, read.token, sizeof(read.token));
        return 0;
}
