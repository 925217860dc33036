/* SPDX-License-Identifier: Apache-2.0
 *
 * json_text.c: resolving the escapes of checked JSON strings.
 */
#include "common/base/json_text.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "common/base/hex.h"
#include "common/base/utf8.h"

/* Gives a text byte by byte, resolved. */
struct reader {
        const char *at, *end;
        bool escaped;
        char pending[4]; /* of the escape just read */
        unsigned pending_at, pending_length;
};

static struct reader reader_of(const struct json_text *t)
{
        return (struct reader){.at = t->data, .end = t->data + t->length, .escaped = t->escaped};
}

static uint32_t hex4(const char *at)
{
        uint32_t value = 0;

        for (int i = 0; i < 4; i++)
                value = value << 4 | (uint32_t)hex_value(at[i]);
        return value;
}

/* After \u: moves over the digits, and over the second half of a pair. */
static uint32_t read_unicode(struct reader *r)
{
        uint32_t code = hex4(r->at);

        r->at += 4;
        if (code < 0xD800 || code > 0xDBFF)
                return code;
        uint32_t low = hex4(r->at + 2);
        r->at += 6;
        return 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
}

static char short_escape(char c)
{
        static const char letters[] = "bfnrt";
        const char *at = strchr(letters, c);

        return at == NULL ? c : "\b\f\n\r\t"[at - letters];
}

/* -1 at the end. */
static int next_byte(struct reader *r)
{
        if (r->pending_at < r->pending_length)
                return (unsigned char)r->pending[r->pending_at++];
        if (r->at == r->end)
                return -1;
        char c = *r->at++;
        if (c != '\\' || !r->escaped)
                return (unsigned char)c;
        c = *r->at++;
        if (c != 'u')
                return (unsigned char)short_escape(c);
        r->pending_length = utf8_write(read_unicode(r), r->pending);
        r->pending_at = 1;
        return (unsigned char)r->pending[0];
}

struct json_text json_text_of(struct bytes raw)
{
        bool escaped = raw.length > 0 && memchr(raw.data, '\\', raw.length) != NULL;

        return (struct json_text){.data = raw.data, .length = raw.length, .escaped = escaped};
}

int json_text_compare(const struct json_text *a, const struct json_text *b)
{
        if (!a->escaped && !b->escaped)
                return bytes_compare(bytes_of(a->data, a->length), bytes_of(b->data, b->length));

        struct reader left = reader_of(a), right = reader_of(b);
        for (;;) {
                int x = next_byte(&left), y = next_byte(&right);
                if (x != y)
                        return x - y;
                if (x < 0)
                        return 0;
        }
}

bool json_text_equal(const struct json_text *a, const struct json_text *b)
{
        if (!a->escaped && !b->escaped)
                return a->length == b->length && memcmp(a->data, b->data, a->length) == 0;
        return json_text_compare(a, b) == 0;
}

void json_text_resolve(struct json_text t, struct buffer *out)
{
        buffer_reserve(out, t.length);
        if (!t.escaped) {
                buffer_add(out, t.data, t.length);
                return;
        }
        struct reader r = reader_of(&t);
        for (int c = next_byte(&r); c >= 0; c = next_byte(&r))
                out->data[out->length++] = (char)c; /* escapes are longer than what they mean */
        out->data[out->length] = '\0';
}

bool media_type_is(struct bytes type, const char *name)
{
        const size_t length = strlen(name);

        if (type.length < length || strncasecmp(type.data, name, length) != 0)
                return false;
        if (type.length == length)
                return true;
        char next = type.data[length];
        return next == ';' || next == ' ' || next == '\t';
}

bool json_is_media_type(struct bytes type)
{
        return media_type_is(type, "application/json");
}
