/* SPDX-License-Identifier: Apache-2.0
 *
 * bytes.c: compares, checks, hashes and collects bytes.
 */
#include "common/base/bytes.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "common/base/memory.h"
#include "common/base/utf8.h"

struct bytes bytes_of_text(const char *text)
{
        return bytes_of(text, text == NULL ? 0 : strlen(text));
}

bool bytes_equal(struct bytes a, struct bytes b)
{
        return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

bool bytes_equal_text(struct bytes a, const char *text)
{
        return bytes_equal(a, bytes_of_text(text));
}

bool bytes_begin_with(struct bytes b, const char *text)
{
        size_t length = strlen(text);

        return b.length >= length && memcmp(b.data, text, length) == 0;
}

bool bytes_find(struct bytes word, const char *const *words, unsigned count, unsigned *at)
{
        for (unsigned i = 0; i < count && word.length > 0; i++) {
                if (bytes_equal_text(word, words[i])) {
                        *at = i;
                        return true;
                }
        }
        return false;
}

int bytes_compare(struct bytes a, struct bytes b)
{
        size_t common = a.length < b.length ? a.length : b.length;
        int order = common == 0 ? 0 : memcmp(a.data, b.data, common);

        if (order != 0)
                return order;
        return (a.length > b.length) - (a.length < b.length);
}

bool bytes_are_utf8(struct bytes b)
{
        const char *at = b.data;
        const char *end = b.data + b.length;

        while (at < end) {
                unsigned length = utf8_length(at, (size_t)(end - at));
                if (length == 0)
                        return false;
                at += length;
        }
        return true;
}

int bytes_to_text(struct bytes b, char *out, size_t size)
{
        assert(size > 0);
        out[0] = '\0';
        if (b.length >= size || (b.length > 0 && memchr(b.data, '\0', b.length) != NULL))
                return -1;
        if (b.length > 0)
                memcpy(out, b.data, b.length);
        out[b.length] = '\0';
        return 0;
}

uint64_t bytes_hash(struct bytes b)
{
        uint64_t hash = UINT64_C(14695981039346656037);

        for (size_t i = 0; i < b.length; i++)
                hash = (hash ^ (unsigned char)b.data[i]) * UINT64_C(1099511628211);
        return hash;
}

static uint64_t mix(uint64_t digest, uint64_t word)
{
        digest = (digest ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        return digest ^ digest >> 29;
}

uint64_t bytes_digest(uint64_t digest, struct bytes b)
{
        uint64_t word;
        size_t left = b.length;

        digest = mix(digest, b.length);
        for (const char *at = b.data; left > 0; at += sizeof(word)) {
                size_t take = left < sizeof(word) ? left : sizeof(word);
                word = 0;
                memcpy(&word, at, take);
                digest = mix(digest, word);
                left -= take;
        }
        return digest;
}

void buffer_fini(struct buffer *b)
{
        free(b->data);
        *b = (struct buffer){0};
}

void buffer_clear(struct buffer *b)
{
        b->length = 0;
        if (b->data != NULL)
                b->data[0] = '\0';
}

void buffer_set(struct buffer *b, struct bytes content)
{
        buffer_clear(b);
        if (content.length > 0)
                buffer_add(b, content.data, content.length);
}

void buffer_reserve(struct buffer *b, size_t more)
{
        assert(more < SIZE_MAX / 4 && b->length < SIZE_MAX / 4);

        size_t need = b->length + more + 1;
        if (need <= b->size)
                return;

        size_t size = b->size < 64 ? 64 : b->size * 2;
        if (size < need)
                size = need;
        b->data = xrealloc(b->data, size);
        b->size = size;
        b->data[b->length] = '\0';
}

void buffer_add(struct buffer *b, const void *data, size_t length)
{
        buffer_reserve(b, length);
        if (length > 0)
                memcpy(b->data + b->length, data, length);
        b->length += length;
        b->data[b->length] = '\0';
}

void buffer_add_text(struct buffer *b, const char *text)
{
        buffer_add(b, text, strlen(text));
}

void buffer_add_char(struct buffer *b, char c)
{
        buffer_add(b, &c, 1);
}

void buffer_printf(struct buffer *b, const char *format, ...)
{
        va_list arguments;

        buffer_reserve(b, 64);
        va_start(arguments, format);
        int length = vsnprintf(b->data + b->length, b->size - b->length, format, arguments);
        va_end(arguments);
        assert(length >= 0);

        if ((size_t)length >= b->size - b->length) {
                buffer_reserve(b, (size_t)length);
                va_start(arguments, format);
                vsnprintf(b->data + b->length, b->size - b->length, format, arguments);
                va_end(arguments);
        }
        b->length += (size_t)length;
}

void buffer_drop(struct buffer *b, size_t length)
{
        assert(length <= b->length);
        if (length == 0)
                return;
        b->length -= length;
        memmove(b->data, b->data + length, b->length);
        b->data[b->length] = '\0';
}

static void add_json_escape(struct buffer *b, unsigned char c)
{
        static const char short_form[] = {
                ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n',  ['\r'] = 'r',
                ['\t'] = 't', ['"'] = '"',  ['\\'] = '\\',
        };

        if (c < sizeof(short_form) && short_form[c] != '\0')
                buffer_add(b, (const char[]){'\\', short_form[c]}, 2);
        else
                buffer_printf(b, "\\u%04x", c);
}

void buffer_add_json_string(struct buffer *b, struct bytes text)
{
        const char *at = text.data;
        const char *end = text.data + text.length;
        const char *plain = at;

        buffer_reserve(b, text.length + 2);
        b->data[b->length++] = '"';
        while (at < end) {
                if (end - at >= 8 && utf8_eight_are_plain(at)) {
                        at += 8;
                        continue;
                }
                unsigned char c = (unsigned char)*at;
                unsigned length = c < 0x80 ? 1 : utf8_length(at, (size_t)(end - at));
                if (length > 1 ||
                    (length == 1 && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)) {
                        at += length;
                        continue;
                }
                buffer_add(b, plain, (size_t)(at - plain));
                if (length == 0)
                        buffer_add_text(b, "\xEF\xBF\xBD");
                else
                        add_json_escape(b, c);
                plain = ++at;
        }
        buffer_reserve(b, (size_t)(end - plain) + 1);
        if (plain < end)
                memcpy(b->data + b->length, plain, (size_t)(end - plain));
        b->length += (size_t)(end - plain);
        b->data[b->length++] = '"';
        b->data[b->length] = '\0';
}

void buffer_add_base64(struct buffer *b, struct bytes data)
{
        assert(data.length < SIZE_MAX / 8);

        size_t groups = (data.length + 2) / 3;
        buffer_reserve(b, groups * 4);

        /* EVP_EncodeBlock takes an int length: encodes in parts, each a multiple of three bytes. */
        const size_t step = 3 * (1U << 20);
        for (size_t at = 0; at < data.length; at += step) {
                size_t part = data.length - at < step ? data.length - at : step;
                int length = EVP_EncodeBlock((unsigned char *)b->data + b->length,
                                             (const unsigned char *)data.data + at, (int)part);
                b->length += (size_t)length;
        }
}

struct bytes buffer_bytes(const struct buffer *b)
{
        return bytes_of(b->data == NULL ? "" : b->data, b->length);
}

char *buffer_take(struct buffer *b)
{
        char *data = b->data == NULL ? xstrdup("") : b->data;

        *b = (struct buffer){0};
        return data;
}
