/* SPDX-License-Identifier: Apache-2.0
 *
 * json_read.c: one walk over an object finds the rows of its members; then the rows are read in
 * order.
 */
#include "common/base/json_read.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/uuid.h"

/* Adds the steps from the whole text down to p. */
static void add_pointer(const struct json_place *p, struct buffer *out)
{
        if (p->up == NULL)
                return;
        add_pointer(p->up, out);
        if (p->member != NULL)
                scan_pointer_step(bytes_of_text(p->member->name), out);
        else if (p->key.data != NULL)
                scan_pointer_step(p->key, out);
        else
                buffer_printf(out, "/%zu", p->index);
}

int json_refuse(const struct json_reader *r, const struct json_place *p, const char *format, ...)
{
        struct scan_fault *f = r->fault;
        AUTO_BUFFER pointer = {0};
        va_list arguments;

        if (f == NULL)
                return -1;
        add_pointer(p, &pointer);
        scan_pointer_cut(buffer_bytes(&pointer), f->pointer);
        f->offset = (size_t)(p->value.raw.data - r->text.data);
        scan_locate(r->text, p->value.raw.data, &f->line, &f->column);
        va_start(arguments, format);
        vsnprintf(f->detail, sizeof(f->detail), format, arguments);
        va_end(arguments);
        return -1;
}

int json_refuse_form(const struct json_reader *r, const struct json_place *p)
{
        return json_refuse(r, p, "%s", p->member->form);
}

int json_refuse_name(const struct json_reader *r, const struct json_place *p, const char *detail)
{
        struct json_place name = *p;

        name.value.raw = bytes_of(p->key.data - 1, p->key.length + 2);
        return json_refuse(r, &name, "%s", detail);
}

int json_read_is(const struct json_reader *r, const struct json_place *p, enum scan_kind kind)
{
        static const char *const names[] = {
                [SCAN_NULL] = "null",        [SCAN_FALSE] = "a boolean", [SCAN_TRUE] = "a boolean",
                [SCAN_NUMBER] = "a number",  [SCAN_STRING] = "a string", [SCAN_ARRAY] = "an array",
                [SCAN_OBJECT] = "an object",
        };

        if (p->value.kind == kind)
                return 0;
        if (p->member != NULL && p->member->form != NULL)
                return json_refuse_form(r, p);
        return json_refuse(r, p, "must be %s, is %s", names[kind], names[p->value.kind]);
}

int json_read_open(struct json_reader *r, struct bytes text, unsigned depth,
                   struct json_place *root)
{
        struct scan_fault unseen;

        r->text = text;
        r->unknown = 0;
        if (scan_check(text, depth, r->fault != NULL ? r->fault : &unseen) != 0)
                return -1;
        *root = (struct json_place){.value = scan_root(text)};
        return 0;
}

static inline bool is_name(struct bytes key, const char *name)
{
        return key.length > 0 && key.data[0] == name[0] &&
               strncmp(key.data, name, key.length) == 0 && name[key.length] == '\0';
}

/* The number of key's row, or of the table's end when no row has it. Members are mostly in the
 * table's order, so the search begins at `next`, the row after the last one found. */
static size_t find_row(const struct json_member *table, size_t next, struct bytes key)
{
        size_t i;

        for (i = next; table[i].name != NULL; i++) {
                if (is_name(key, table[i].name))
                        return i;
        }
        size_t end = i;
        for (i = 0; i < next; i++) {
                if (is_name(key, table[i].name))
                        return i;
        }
        if (key.length == 0 || memchr(key.data, '\\', key.length) == NULL)
                return end;
        for (i = 0; i < end && !scan_key_is(key, table[i].name); i++)
                ;
        return i;
}

static int take_unknown(struct json_reader *r, const struct json_place *p,
                        const struct scan_item *item, const struct json_member *table)
{
        const struct json_place here = {.up = p, .key = item->key, .value = item->value};
        AUTO_BUFFER detail = {0};

        r->unknown++;
        if (r->lenient)
                return 0;
        buffer_add_text(&detail, "unknown member; known:");
        for (const struct json_member *m = table; m->name != NULL; m++)
                buffer_printf(&detail, "%s %s", m == table ? "" : ",", m->name);
        return json_refuse_name(r, &here, detail.data);
}

/* value NULL: the member is not given. */
static int read_row(struct json_reader *r, const struct json_place *up, const struct json_member *m,
                    const struct scan_value *value, void *out)
{
        if (value == NULL || (value->kind == SCAN_NULL && (m->flags & JSON_NULLABLE) != 0)) {
                if ((m->flags & JSON_REQUIRED) == 0)
                        return 0;
                return json_refuse(r, up, "member \"%s\" is missing", m->name);
        }
        const struct json_place here = {.up = up, .member = m, .value = *value};
        return m->read(r, &here, (char *)out + m->offset);
}

int json_read_members(struct json_reader *r, const struct json_place *p,
                      const struct json_member *table, void *out)
{
        struct scan_value found[JSON_MEMBERS_MAX];
        uint32_t given = 0;
        struct scan_item item;
        size_t next = 0;

        if (json_read_is(r, p, SCAN_OBJECT) != 0)
                return -1;
        for (struct scan_cursor c = scan_items(p->value); scan_next(&c, &item);) {
                size_t at = find_row(table, next, item.key);
                if (table[at].name == NULL) {
                        if (take_unknown(r, p, &item, table) != 0)
                                return -1;
                        continue;
                }
                assert(at < JSON_MEMBERS_MAX);
                found[at] = item.value;
                given |= UINT32_C(1) << at;
                next = at + 1;
        }
        for (size_t i = 0; table[i].name != NULL; i++) {
                bool is_given = (given >> i & 1) != 0;
                if (read_row(r, p, &table[i], is_given ? &found[i] : NULL, out) != 0)
                        return -1;
        }
        return 0;
}

int json_read_each(struct json_reader *r, const struct json_place *p, json_member_fn *each,
                   void *out)
{
        struct scan_item item;
        size_t index = 0;

        for (struct scan_cursor c = scan_items(p->value); scan_next(&c, &item); index++) {
                const struct json_place here = {
                        .up = p, .key = item.key, .index = index, .value = item.value};
                if (each(r, &here, out) != 0)
                        return -1;
        }
        return 0;
}

int json_read_int(struct json_reader *r, const struct json_place *p, void *out)
{
        const struct json_member *m = p->member;
        int64_t number;

        if (scan_int(p->value, &number) && number >= m->least && number <= m->most) {
                *(int64_t *)out = number;
                return 0;
        }
        if (m->form != NULL)
                return json_refuse_form(r, p);
        return json_refuse(r, p, "must be an integer from %lld to %lld", (long long)m->least,
                           (long long)m->most);
}

int json_read_real(struct json_reader *r, const struct json_place *p, void *out)
{
        const struct json_member *m = p->member;

        if (json_read_is(r, p, SCAN_NUMBER) != 0)
                return -1;
        double number = scan_real(p->value);
        if (!(number >= (double)m->least && number <= (double)m->most))
                return json_refuse(r, p, "must be from %lld to %lld", (long long)m->least,
                                   (long long)m->most);
        *(double *)out = number;
        return 0;
}

int json_read_flag(struct json_reader *r, const struct json_place *p, void *out)
{
        if (p->value.kind != SCAN_TRUE && p->value.kind != SCAN_FALSE)
                return json_refuse(r, p, "must be true or false");
        *(bool *)out = p->value.kind == SCAN_TRUE;
        return 0;
}

bool json_copy_text(struct scan_value string, char *out, size_t size)
{
        AUTO_BUFFER text = {0};

        /* An escape takes at most six times the bytes that it stands for. */
        if (string.kind != SCAN_STRING || string.raw.length > 6 * size + 2)
                return false;
        struct json_text inside = scan_inside(string);
        if (!inside.escaped)
                return bytes_to_text(bytes_of(inside.data, inside.length), out, size) == 0;
        scan_string(string, &text);
        return bytes_to_text(buffer_bytes(&text), out, size) == 0;
}

int json_read_copy(struct json_reader *r, const struct json_place *p, void *out)
{
        const struct json_member *m = p->member;

        if (json_read_is(r, p, SCAN_STRING) != 0)
                return -1;
        if (json_copy_text(p->value, out, m->size))
                return 0;
        if (m->form != NULL)
                return json_refuse_form(r, p);
        return json_refuse(r, p, "must have at most %zu bytes, and no NUL", m->size - 1);
}

int json_read_time(struct json_reader *r, const struct json_place *p, void *out)
{
        char text[2 * TIME_TEXT_SIZE];
        char utc[2 * TIME_TEXT_SIZE + 1];
        bool is_text = json_copy_text(p->value, text, sizeof(text));
        msec at;

        if (is_text && time_parse(text, out, NULL) == 0)
                return 0;
        if (is_text && snprintf(utc, sizeof(utc), "%sZ", text) > 0 &&
            time_parse(utc, &at, NULL) == 0)
                return json_refuse(r, p, "needs a time zone, as in \"%s\"", utc);
        return json_refuse(r, p,
                           "must be a time as RFC 3339 writes it, like \"2026-01-01T00:00:30Z\"");
}

int json_read_uuid(struct json_reader *r, const struct json_place *p, void *out)
{
        char text[UUID_SIZE];

        if (json_copy_text(p->value, text, sizeof(text)) && uuid_parse(bytes_of_text(text), out))
                return 0;
        return json_refuse(r, p, "must be a UUID");
}

int json_read_bytes(struct json_reader *r, const struct json_place *p, void *out)
{
        if (json_read_is(r, p, SCAN_STRING) != 0)
                return -1;

        struct json_text inside = scan_inside(p->value);
        struct bytes text = bytes_of(inside.data, inside.length);
        if (inside.escaped) {
                /* Reserves room for all texts: those that were handed out must not move. */
                if (r->scratch->length == 0)
                        buffer_reserve(r->scratch, r->text.length);
                size_t before = r->scratch->length;
                scan_string(p->value, r->scratch);
                text = bytes_of(r->scratch->data + before, r->scratch->length - before);
        }
        *(struct bytes *)out = text;
        return 0;
}

int json_read_raw(struct json_reader *r, const struct json_place *p, void *out)
{
        (void)r;
        *(struct bytes *)out = p->value.raw;
        return 0;
}

int json_read_object(struct json_reader *r, const struct json_place *p, void *out)
{
        return json_read_members(r, p, p->member->members, out);
}

int json_read_list(struct json_reader *r, const struct json_place *p, void *out)
{
        return json_read_is(r, p, SCAN_ARRAY) != 0 ? -1
                                                   : json_read_each(r, p, p->member->each, out);
}

int json_read_map(struct json_reader *r, const struct json_place *p, void *out)
{
        return json_read_is(r, p, SCAN_OBJECT) != 0 ? -1
                                                    : json_read_each(r, p, p->member->each, out);
}
