/* SPDX-License-Identifier: Apache-2.0
 *
 * handlers_read.c: values of handlers.json into fields, or a refusal that says where and why.
 */
#include "consumer/runner/handlers_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/config.h"
#include "common/base/memory.h"
#include "common/base/own.h"

static const char *const kind_names[] = {
        [SCAN_NULL] = "null",        [SCAN_FALSE] = "a boolean", [SCAN_TRUE] = "a boolean",
        [SCAN_NUMBER] = "a number",  [SCAN_STRING] = "a string", [SCAN_ARRAY] = "an array",
        [SCAN_OBJECT] = "an object",
};

/* RFC 6901, from the root down. */
static void add_pointer(const struct place *p, struct buffer *out)
{
        if (p->up == NULL)
                return;
        add_pointer(p->up, out);
        buffer_add_char(out, '/');
        if (p->key.data == NULL) {
                buffer_printf(out, "%zu", p->index);
                return;
        }
        for (size_t i = 0; i < p->key.length; i++) {
                if (p->key.data[i] == '~')
                        buffer_add_text(out, "~0");
                else if (p->key.data[i] == '/')
                        buffer_add_text(out, "~1");
                else
                        buffer_add_char(out, p->key.data[i]);
        }
}

int read_refuse(const struct reading *r, const struct place *p, const char *at, const char *format,
                ...)
{
        AUTO_BUFFER pointer = {0};
        char what[256];
        unsigned line, column;
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(what, sizeof(what), format, arguments);
        va_end(arguments);
        add_pointer(p, &pointer);
        scan_locate(r->text, at != NULL ? at : p->value.raw.data, &line, &column);
        return err_set(r->e, ERR_INVALID, "%s:%u:%u: %.200s: %s", r->path, line, column,
                       pointer.length > 0 ? pointer.data : "/", what);
}

int read_is(const struct reading *r, const struct place *p, enum scan_kind kind)
{
        if (p->value.kind == kind)
                return 0;
        return read_refuse(r, p, NULL, "must be %s, is %s", kind_names[kind],
                           kind_names[p->value.kind]);
}

char *read_key(struct bytes raw)
{
        /* A key has the form of a string without its quotes. */
        AUTO_BUFFER quoted = {0};
        AUTO_BUFFER text = {0};

        buffer_add_char(&quoted, '"');
        buffer_add(&quoted, raw.data, raw.length);
        buffer_add_char(&quoted, '"');
        scan_string((struct scan_value){.raw = buffer_bytes(&quoted), .kind = SCAN_STRING}, &text);
        if (text.length > 0 && memchr(text.data, '\0', text.length) != NULL)
                return NULL;
        return buffer_take(&text);
}

static const struct member *find_member(const struct member *table, struct bytes key)
{
        for (const struct member *m = table; m->name != NULL; m++) {
                if (scan_key_is(key, m->name))
                        return m;
        }
        return NULL;
}

static int refuse_unknown(const struct reading *r, const struct place *p,
                          const struct member *table)
{
        struct scan_cursor cursor = scan_items(p->value);
        struct scan_item item;

        while (scan_next(&cursor, &item)) {
                struct place here = {.up = p, .key = item.key, .value = item.value};
                if (find_member(table, item.key) == NULL)
                        return read_refuse(r, &here, item.key.data - 1, "unknown member");
        }
        return 0;
}

/* The item itself, for its key's bytes. */
static bool find_item(struct scan_value object, const char *name, struct scan_item *out)
{
        struct scan_cursor cursor = scan_items(object);

        while (scan_next(&cursor, out)) {
                if (scan_key_is(out->key, name))
                        return true;
        }
        return false;
}

int read_object(const struct reading *r, const struct place *p, const struct member *table,
                void *out)
{
        struct scan_item item;

        if (read_is(r, p, SCAN_OBJECT) != 0 || refuse_unknown(r, p, table) != 0)
                return -1;
        for (const struct member *m = table; m->name != NULL; m++) {
                if (!find_item(p->value, m->name, &item)) {
                        if (m->required)
                                return read_refuse(r, p, NULL, "member \"%s\" is missing", m->name);
                        continue;
                }
                struct place here = {.up = p, .key = item.key, .value = item.value};
                if (m->read(r, &here, m, (char *)out + m->offset) != 0)
                        return -1;
        }
        return 0;
}

int read_each(const struct reading *r, const struct place *p,
              int (*each)(const struct reading *r, const struct place *p))
{
        struct scan_cursor cursor;
        struct scan_item item;

        if (read_is(r, p, SCAN_OBJECT) != 0)
                return -1;
        cursor = scan_items(p->value);
        while (scan_next(&cursor, &item)) {
                struct place here = {.up = p, .key = item.key, .value = item.value};
                if (each(r, &here) != 0)
                        return -1;
        }
        return 0;
}

static char *take_string(const struct reading *r, const struct place *p)
{
        AUTO_BUFFER text = {0};

        if (read_is(r, p, SCAN_STRING) != 0)
                return NULL;
        scan_string(p->value, &text);
        if (text.length > 0 && memchr(text.data, '\0', text.length) != NULL) {
                read_refuse(r, p, NULL, "must not hold a NUL");
                return NULL;
        }
        return buffer_take(&text);
}

int read_text(const struct reading *r, const struct place *p, const struct member *m, void *out)
{
        char **field = out;
        AUTO_FREE char *text = take_string(r, p);

        (void)m;
        if (text == NULL)
                return -1;
        if (text[0] == '\0')
                return read_refuse(r, p, NULL, "must not be empty");
        *field = TAKE(text);
        return 0;
}

int read_integer(const struct reading *r, const struct place *p, const struct member *m, void *out)
{
        int64_t number;

        if (read_is(r, p, SCAN_NUMBER) != 0)
                return -1;
        if (!scan_int(p->value, &number) || (double)number < m->min || (double)number > m->max)
                return read_refuse(r, p, NULL, "must be an integer from %.0f to %.0f", m->min,
                                   m->max);
        *(int64_t *)out = number;
        return 0;
}

int read_real(const struct reading *r, const struct place *p, const struct member *m, void *out)
{
        if (read_is(r, p, SCAN_NUMBER) != 0)
                return -1;

        double number = scan_real(p->value);
        if (!(number >= m->min && number <= m->max))
                return read_refuse(r, p, NULL, "must be from %g to %g", m->min, m->max);
        *(double *)out = number;
        return 0;
}

/* A number stands for itself as text: bytes, or seconds. */
static char *take_quantity(const struct reading *r, const struct place *p)
{
        if (p->value.kind == SCAN_NUMBER)
                return xmemdup0(p->value.raw.data, p->value.raw.length);
        return take_string(r, p);
}

int read_size(const struct reading *r, const struct place *p, const struct member *m, void *out)
{
        AUTO_FREE char *text = take_quantity(r, p);
        struct err wrong = {0};
        int64_t size;

        if (text == NULL)
                return -1;
        if (size_parse(text, &size, &wrong) != 0)
                return read_refuse(r, p, NULL, "%s", wrong.text);
        if ((double)size < m->min || (double)size > m->max)
                return read_refuse(r, p, NULL, "must be from %.0f to %.0f bytes", m->min, m->max);
        *(int64_t *)out = size;
        return 0;
}

int read_duration(const struct reading *r, const struct place *p, const struct member *m, void *out)
{
        AUTO_FREE char *text = take_quantity(r, p);
        struct err wrong = {0};
        char least[TIME_TEXT_SIZE], most[TIME_TEXT_SIZE];
        msec duration;

        if (text == NULL)
                return -1;
        if (duration_parse(text, &duration, &wrong) != 0)
                return read_refuse(r, p, NULL, "%s", wrong.text);
        if ((double)duration < m->min || (double)duration > m->max)
                return read_refuse(r, p, NULL, "must be from %s to %s",
                                   duration_format((msec)m->min, least),
                                   duration_format((msec)m->max, most));
        *(msec *)out = duration;
        return 0;
}

int read_raw_object(const struct reading *r, const struct place *p, const struct member *m,
                    void *out)
{
        (void)m;
        if (read_is(r, p, SCAN_OBJECT) != 0)
                return -1;
        *(char **)out = xmemdup0(p->value.raw.data, p->value.raw.length);
        return 0;
}

int read_texts(const struct reading *r, const struct place *p, const struct member *m, void *out)
{
        char ***field = out;
        struct scan_cursor cursor;
        struct scan_item item;
        size_t count = 0;

        (void)m;
        if (read_is(r, p, SCAN_ARRAY) != 0)
                return -1;
        cursor = scan_items(p->value);
        *field = xcalloc(1, sizeof(char *));
        while (scan_next(&cursor, &item)) {
                struct place here = {.up = p, .index = count, .value = item.value};
                char *text = take_string(r, &here);
                if (text == NULL)
                        return -1;
                *field = xrealloc(*field, (count + 2) * sizeof(char *));
                (*field)[count++] = text;
                (*field)[count] = NULL;
        }
        if (count == 0 || (*field)[0][0] == '\0')
                return read_refuse(r, p, NULL, "must begin with a program");
        return 0;
}
