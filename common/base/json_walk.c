/* SPDX-License-Identifier: Apache-2.0
 *
 * json_walk.c: reading values out of JSON that json_scan.c has accepted. Nothing is checked again.
 */
#include "common/base/json_scan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/own.h"

static inline bool is_space(char c)
{
        return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline const char *skip_space(const char *at, const char *end)
{
        while (at < end && is_space(*at))
                at++;
        return at;
}

/* From the opening quote to behind the closing one. */
static const char *skip_string(const char *at, const char *end)
{
        const char *open = at++;

        for (;;) {
                const char *quote = memchr(at, '"', (size_t)(end - at));
                assert(quote != NULL);
                const char *slash = quote;
                while (slash > open + 1 && slash[-1] == '\\')
                        slash--;
                if ((quote - slash) % 2 == 0)
                        return quote + 1;
                at = quote + 1;
        }
}

static const char *skip_container(const char *at, const char *end)
{
        unsigned depth = 0;

        while (at < end) {
                switch (*at) {
                case '"':
                        at = skip_string(at, end);
                        break;
                case '{':
                case '[':
                        depth++;
                        at++;
                        break;
                case '}':
                case ']':
                        at++;
                        if (--depth == 0)
                                return at;
                        break;
                default:
                        at++;
                        break;
                }
        }
        return at;
}

static const char *skip_plain(const char *at, const char *end)
{
        while (at < end && *at != ',' && *at != '}' && *at != ']' && !is_space(*at))
                at++;
        return at;
}

static enum scan_kind kind_of(char first)
{
        switch (first) {
        case '{':
                return SCAN_OBJECT;
        case '[':
                return SCAN_ARRAY;
        case '"':
                return SCAN_STRING;
        case 't':
                return SCAN_TRUE;
        case 'f':
                return SCAN_FALSE;
        case 'n':
                return SCAN_NULL;
        default:
                return SCAN_NUMBER;
        }
}

/* The value that begins at `at`. */
static struct scan_value value_at(const char *at, const char *end)
{
        enum scan_kind kind = kind_of(*at);
        const char *behind;

        if (kind == SCAN_STRING)
                behind = skip_string(at, end);
        else if (kind == SCAN_OBJECT || kind == SCAN_ARRAY)
                behind = skip_container(at, end);
        else
                behind = skip_plain(at, end);
        return (struct scan_value){.raw = bytes_of(at, (size_t)(behind - at)), .kind = kind};
}

struct scan_value scan_root(struct bytes checked)
{
        const char *end = checked.data + checked.length;
        const char *at = skip_space(checked.data, end);

        assert(at < end);
        while (is_space(end[-1]))
                end--;
        return (struct scan_value){.raw = bytes_of(at, (size_t)(end - at)), .kind = kind_of(*at)};
}

struct scan_cursor scan_items(struct scan_value container)
{
        const char *at = container.raw.data;

        if (container.kind != SCAN_OBJECT && container.kind != SCAN_ARRAY)
                return (struct scan_cursor){.at = at, .end = at};
        return (struct scan_cursor){
                .at = at + 1,
                .end = at + container.raw.length - 1,
                .in_object = container.kind == SCAN_OBJECT,
        };
}

bool scan_next(struct scan_cursor *c, struct scan_item *item)
{
        const char *at = skip_space(c->at, c->end);

        if (at < c->end && *at == ',')
                at = skip_space(at + 1, c->end);
        if (at == c->end) {
                c->at = at;
                return false;
        }
        item->key = (struct bytes){0};
        if (c->in_object) {
                const char *behind = skip_string(at, c->end);
                item->key = bytes_of(at + 1, (size_t)(behind - at) - 2);
                at = skip_space(behind, c->end);
                at = skip_space(at + 1, c->end); /* the colon */
        }
        item->value = value_at(at, c->end);
        c->at = item->value.raw.data + item->value.raw.length;
        return true;
}

bool scan_key_is(struct bytes raw_key, const char *text)
{
        struct json_text key = json_text_of(raw_key);
        struct json_text want = {.data = text, .length = strlen(text)};

        return json_text_equal(&key, &want);
}

bool scan_find(struct scan_value object, const char *key, struct scan_value *out)
{
        struct scan_item item;

        if (object.kind != SCAN_OBJECT)
                return false;
        for (struct scan_cursor c = scan_items(object); scan_next(&c, &item);) {
                if (scan_key_is(item.key, key)) {
                        *out = item.value;
                        return true;
                }
        }
        return false;
}

struct json_text scan_inside(struct scan_value string)
{
        assert(string.kind == SCAN_STRING);
        return json_text_of(bytes_of(string.raw.data + 1, string.raw.length - 2));
}

void scan_string(struct scan_value string, struct buffer *out)
{
        json_text_resolve(scan_inside(string), out);
}

bool scan_int(struct scan_value number, int64_t *out)
{
        const char *at = number.raw.data, *end = at + number.raw.length;
        bool negative = number.kind == SCAN_NUMBER && *at == '-';
        int64_t value = 0;

        if (number.kind != SCAN_NUMBER)
                return false;
        for (at += negative; at < end; at++) {
                if (*at < '0' || *at > '9')
                        return false;
                int digit = *at - '0';
                if (__builtin_mul_overflow(value, 10, &value) ||
                    __builtin_add_overflow(value, negative ? -digit : digit, &value))
                        return false;
        }
        *out = value;
        return true;
}

double scan_real(struct scan_value number)
{
        char small[64];

        assert(number.kind == SCAN_NUMBER);
        if (bytes_to_text(number.raw, small, sizeof(small)) == 0)
                return strtod(small, NULL);
        AUTO_FREE char *copy = xmemdup0(number.raw.data, number.raw.length);
        return strtod(copy, NULL);
}

void scan_locate(struct bytes text, const char *at, unsigned *line, unsigned *column)
{
        *line = 1;
        *column = 1;
        for (const char *p = text.data; p < at; p++) {
                if (*p == '\n') {
                        (*line)++;
                        *column = 1;
                } else if (((unsigned char)*p & 0xC0) != 0x80) {
                        (*column)++;
                }
        }
}
