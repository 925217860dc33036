/* SPDX-License-Identifier: Apache-2.0
 *
 * audit_api.c: GET /audit: who did what to what, when and from where. Only the primary serves it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/json_write.h"
#include "status-store/api.h"
#include "status-store/registry/registry_audit.h"

/* For one page, so that a rare act is looked for in several. */
#define LOOK_TIME ((msec)2 * MSEC_SECOND)

static void put(struct buffer *out, const char *name, const char *text)
{
        json_put_text_or_null(out, name, bytes_of_text(text));
}

static void write_act(void *owner, const struct audit_row *row)
{
        struct buffer *out = owner;

        json_begin_object(out, NULL);
        json_put_string(out, "id", row->id);
        json_put_time(out, "at", row->at);
        put(out, "by", row->by);
        put(out, "key_name", row->key_name);
        put(out, "key_tenant", row->key_tenant);
        put(out, "what", row->what);
        put(out, "target", row->target);
        put(out, "tenant", row->tenant);
        put(out, "origin", row->origin);
        put(out, "gateway", row->gateway);
        put(out, "trace_id", row->trace);
        json_put_raw(out, "detail", row->detail);
        if (row->status > 0)
                json_put_int(out, "status", row->status);
        else
                json_put_null(out, "status");
        json_put_time(out, "ended_at", row->ended_at);
        put(out, "made", row->made);
        json_end(out);
}

static bool refuse(struct http_request *r, const char *name, const char *must)
{
        http_problem(r, 400, "%s: must be %s", name, must);
        return false;
}

static bool read_time(struct http_request *r, const char *name, msec *out)
{
        const char *text = http_query(r, name);
        struct err why = {0};

        return text == NULL || time_parse_bound(text, out, &why) == 0 ||
               refuse(r, name, "a time (RFC 3339)");
}

static bool read_text(struct http_request *r, const char *name, const char *prefix,
                      char out[AUDIT_TEXT_SIZE])
{
        const char *text = http_query(r, name);

        if (text == NULL)
                return true;
        int length = snprintf(out, AUDIT_TEXT_SIZE, "%s%s", prefix, text);
        if (text[0] == '\0' || length >= AUDIT_TEXT_SIZE)
                return refuse(r, name, "shorter, and not empty");
        return true;
}

/* The id of a key alone is enough. */
static bool read_by(struct http_request *r, struct audit_filter *f)
{
        const char *by = http_query(r, "by");
        bool is_id = by != NULL && strlen(by) == KEY_ID_SIZE - 1 && strchr(by, ' ') == NULL &&
                     strcmp(by, "operator") != 0;

        return read_text(r, "by", is_id ? "key " : "", f->by);
}

/* An id in upper case is that of the act too. */
static bool read_target(struct http_request *r, struct audit_filter *f)
{
        static const char *const kinds[] = {"job/", "letter/", "operation/"};
        char id[UUID_SIZE];

        if (!read_text(r, "target", "", f->target))
                return false;
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
                size_t length = strlen(kinds[i]);
                if (strncmp(f->target, kinds[i], length) == 0 &&
                    uuid_parse(bytes_of_text(f->target + length), id))
                        snprintf(f->target, sizeof(f->target), "%s%s", kinds[i], id);
        }
        return true;
}

/* view=tenant: a gateway asks for a key of that tenant. */
static bool read_view(struct http_request *r, struct audit_filter *f)
{
        const char *view = http_query(r, "view");

        if (view == NULL)
                return true;
        if (strcmp(view, "tenant") != 0 || f->tenant[0] == '\0')
                return refuse(r, "view", "tenant, of one tenant");
        f->is_tenants = true;
        return true;
}

/* False: answered. */
static bool read_filter(struct http_request *r, struct audit_filter *f)
{
        static const char *const allowed[] = {"tenant", "by",     "what",  "target", "after",
                                              "before", "cursor", "limit", "view",   NULL};

        *f = (struct audit_filter){.limit = AUDIT_LIMIT_DEFAULT};
        if (!http_query_only(r, allowed))
                return false;
        const char *tenant = api_tenant(r);
        if (tenant == NULL)
                return false;
        if (strcmp(tenant, "*") != 0)
                snprintf(f->tenant, sizeof(f->tenant), "%s", tenant);
        return read_view(r, f) && read_by(r, f) && read_text(r, "what", "", f->what) &&
               read_target(r, f) && read_time(r, "after", &f->after) &&
               read_time(r, "before", &f->before) &&
               api_number(r, "limit", AUDIT_LIMIT_MAX, &f->limit) &&
               api_number(r, "cursor", INT64_MAX, &f->cursor);
}

void audit_list(void *owner, struct http_request *r)
{
        struct api *a = owner;
        struct audit_filter filter;
        AUTO_BUFFER members = {0};
        struct err why = {0};
        char cursor[24] = "";
        int64_t next;

        if (!api_is_primary(a, r) || !read_filter(r, &filter))
                return;
        AUTO_PLACE place = {.of = NULL};
        if (!api_take_place(a->audits, filter.tenant, r, &place))
                return;
        filter.deadline = clock_mono() + LOOK_TIME;
        json_begin_array(&members, "acts");
        int done = registry_audit_each(a->registry, &filter, write_act, &members, &next, &why);
        api_give_place(&place);
        if (done != 0) {
                http_problem_err(r, &why);
                return;
        }
        json_end_array(&members);
        if (next > 0)
                snprintf(cursor, sizeof(cursor), "%" PRId64, next);
        put(&members, "next_cursor", cursor);
        api_answer(a, r, &members);
}
