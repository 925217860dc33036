/* SPDX-License-Identifier: Apache-2.0
 *
 * audit_line.c: an administrative act as JSON.
 */
#include "gateway/audit_line.h"

#include <stdio.h>
#include <string.h>

#include "common/base/json_read.h"
#include "common/base/json_write.h"

static const char prefix[] = "/api/v1/";

/* The rest of a character that is cut becomes U+FFFD. */
static void put_field(struct buffer *out, const char *name, const char *text)
{
        struct bytes value = bytes_of_text(text != NULL ? text : "");

        if (value.length > AUDIT_FIELD_MAX)
                value.length = AUDIT_FIELD_MAX;
        if (value.length > 0)
                json_put_text(out, name, value);
}

static void put_names(struct buffer *out, struct scan_value body)
{
        struct scan_cursor c = scan_items(body);
        struct scan_item item;

        json_begin_array(out, "members");
        while (scan_next(&c, &item)) {
                AUTO_BUFFER name = {0};
                json_text_resolve(json_text_of(item.key), &name);
                json_put_text(out, NULL, buffer_bytes(&name));
        }
        json_end_array(out);
}

/* False: it is no object. */
static bool put_body(struct buffer *out, const struct audit_act *a)
{
        struct scan_fault fault;

        if (scan_check(a->body, SCAN_DEPTH_MAX, &fault) != 0)
                return false;
        struct scan_value body = scan_root(a->body);
        if (body.kind != SCAN_OBJECT)
                return false;
        if (a->names_only)
                put_names(out, body);
        else if (a->query.length > 0)
                json_put_raw(out, "body", body.raw);
        else
                buffer_add(out, body.raw.data + 1, body.raw.length - 2);
        return true;
}

static void put_left_out(struct buffer *out, size_t length)
{
        json_begin_object(out, "detail");
        json_put_int(out, "left_out", (int64_t)length);
        json_end(out);
}

/* Line ends in JSON are white space, so they can become spaces. */
static void put_on_one_line(struct buffer *out, const struct buffer *detail)
{
        size_t from;

        json_put_raw(out, "detail", buffer_bytes(detail));
        from = out->length - detail->length;
        for (size_t i = from; i < out->length; i++) {
                if (out->data[i] == '\n' || out->data[i] == '\r')
                        out->data[i] = ' ';
        }
}

static void put_detail(struct buffer *out, const struct audit_act *a,
                       const struct mask_words *words)
{
        AUTO_BUFFER plain = {0}, masked = {0};
        size_t given = a->query.length + a->body.length;
        bool readable = true;

        if (given == 0)
                return;
        if (given > 64 * (size_t)AUDIT_DETAIL_MAX) {
                put_left_out(out, given);
                return;
        }
        json_begin(&plain);
        if (a->query.length > 0)
                json_put_text(&plain, "query", a->query);
        if (a->body.length > 0)
                readable = put_body(&plain, a);
        json_end(&plain);
        (void)json_mask(buffer_bytes(&plain), words, &masked);
        if (readable && masked.length <= AUDIT_DETAIL_MAX)
                put_on_one_line(out, &masked);
        else
                put_left_out(out, given);
}

void audit_line_begin(const struct audit_act *a, const struct mask_words *words, struct buffer *out)
{
        char trace[33] = "";

        if (a->traceparent != NULL && strlen(a->traceparent) > 35)
                snprintf(trace, sizeof(trace), "%s", a->traceparent + 3);
        json_begin(out);
        json_put_string(out, "event", "act");
        json_put_string(out, "act", a->id);
        json_put_int(out, "at", a->at);
        put_field(out, "by", a->by);
        put_field(out, "key_tenant", a->key_tenant);
        put_field(out, "what", a->what);
        put_field(out, "target", a->target);
        put_field(out, "tenant", a->tenant);
        put_field(out, "origin", a->origin);
        put_field(out, "gateway", a->gateway);
        put_field(out, "trace", trace);
        put_detail(out, a, words);
        json_end(out);
        buffer_add_char(out, '\n');
}

/* Which acts make something that has an id of its own, and where their answer has it. */
static const struct {
        const char *act;    /* as it begins */
        const char *member; /* "": the answer itself */
        const char *id;     /* its member */
        const char *kind;
} makers[] = {
        {"key.", "", "id", "key"},
        {"jobs.", "preview", "token", "operation"}, /* the operation's id, once it is started */
};

static void read_made(const char *what, struct scan_value answer, char out[AUDIT_TARGET_SIZE])
{
        char id[UUID_SIZE];

        for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
                struct scan_value of = answer, value;
                if (strncmp(what, makers[i].act, strlen(makers[i].act)) != 0 ||
                    (makers[i].member[0] != '\0' && !scan_find(answer, makers[i].member, &of)))
                        continue;
                if (of.kind == SCAN_OBJECT && scan_find(of, makers[i].id, &value) &&
                    json_copy_text(value, id, sizeof(id)))
                        snprintf(out, AUDIT_TARGET_SIZE, "%s/%s", makers[i].kind, id);
        }
}

void audit_outcome_read(const char *what, struct bytes answer, struct audit_outcome *out)
{
        struct scan_fault fault;
        struct scan_value value;

        *out = (struct audit_outcome){.made = ""};
        if (scan_check(answer, SCAN_DEPTH_WRAPPED, &fault) != 0)
                return;
        struct scan_value root = scan_root(answer);
        if (root.kind != SCAN_OBJECT)
                return;
        read_made(what, root, out->made);
        if (!scan_find(root, "tenant", &value) ||
            !json_copy_text(value, out->tenant, sizeof(out->tenant)) ||
            !tenant_name_is_valid(bytes_of_text(out->tenant)))
                out->tenant[0] = '\0';
}

void audit_line_end(const struct audit_act *a, msec at, int status, const struct audit_outcome *o,
                    struct buffer *out)
{
        const bool has_tenant = a->tenant != NULL && a->tenant[0] != '\0';

        json_begin(out);
        json_put_string(out, "event", "acted");
        json_put_string(out, "act", a->id);
        json_put_int(out, "at", at);
        json_put_int(out, "status", status);
        if (o != NULL) {
                put_field(out, "made", o->made);
                put_field(out, "tenant", has_tenant ? "" : o->tenant);
        }
        json_end(out);
        buffer_add_char(out, '\n');
}

/* The word for one of what a segment of a path names. */
static void put_kind(const char *segment, size_t length, char *out, size_t size)
{
        if (length == 3 && memcmp(segment, "dlq", 3) == 0)
                snprintf(out, size, "letter");
        else
                snprintf(out, size, "%.*s", (int)length - 1, segment);
}

void audit_target(const char *pattern, const char *value, char out[AUDIT_TARGET_SIZE])
{
        const char *name = strncmp(pattern, prefix, sizeof(prefix) - 1) == 0
                                   ? pattern + sizeof(prefix) - 1
                                   : pattern;
        const char *brace = strrchr(name, '{');
        char kind[32], id[UUID_SIZE];

        out[0] = '\0';
        if (brace == NULL) {
                snprintf(out, AUDIT_TARGET_SIZE, "%.*s", (int)strcspn(name, "/"), name);
                return;
        }
        const char *end = brace - 1, *begin = end; /* the slash before the parameter */
        while (begin > name && begin[-1] != '/')
                begin--;
        put_kind(begin, (size_t)(end - begin), kind, sizeof(kind));
        if (value != NULL && strncmp(brace, "{id}", 4) == 0 && uuid_parse(bytes_of_text(value), id))
                value = id;
        if (value != NULL)
                snprintf(out, AUDIT_TARGET_SIZE, "%s/%s", kind, value);
}
