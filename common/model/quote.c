/* SPDX-License-Identifier: Apache-2.0
 *
 * quote.c: values as short printable text.
 */
#include "common/model/quote.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/utf8.h"

enum { SHOWN_MAX = 60 /* bytes of a text; about the size of a whole value */, DEPTH_MAX = 8 };

static void add_escape(struct buffer *out, unsigned char c)
{
        if (c == '"' || c == '\\')
                buffer_printf(out, "\\%c", c);
        else if (c == '\n')
                buffer_add_text(out, "\\n");
        else
                buffer_printf(out, "\\x%02x", c);
}

static void add_text(struct buffer *out, struct bytes text)
{
        size_t at = 0;

        buffer_add_char(out, '"');
        while (at < text.length && at < SHOWN_MAX) {
                unsigned char c = (unsigned char)text.data[at];
                unsigned length = utf8_length(text.data + at, text.length - at);
                bool plain = length > 1 ||
                             (length == 1 && c >= ' ' && c != 0x7f && c != '"' && c != '\\');
                if (plain)
                        buffer_add(out, text.data + at, length);
                else
                        add_escape(out, c);
                at += plain ? length : 1;
        }
        buffer_add_char(out, '"');
        if (at < text.length)
                buffer_printf(out, "… (%zu bytes)", text.length);
}

/* The unread rest of a field table in wire form. */
struct field {
        const unsigned char *at, *end;
};

static bool take_number(struct field *f, size_t size, uint64_t *value)
{
        *value = 0;
        if ((size_t)(f->end - f->at) < size)
                return false;
        for (size_t i = 0; i < size; i++)
                *value = *value << 8 | *f->at++;
        return true;
}

/* Takes a length, and the string, table or array of that length. */
static bool take_part(struct field *f, size_t length_size, struct field *part)
{
        uint64_t length;

        if (!take_number(f, length_size, &length) || length > (size_t)(f->end - f->at))
                return false;
        *part = (struct field){f->at, f->at + length};
        f->at += length;
        return true;
}

static struct bytes part_bytes(const struct field *part)
{
        return bytes_of(part->at, (size_t)(part->end - part->at));
}

static double real_of(uint64_t bits, size_t size)
{
        uint32_t half = (uint32_t)bits;
        float narrow;
        double real;

        memcpy(&narrow, &half, sizeof(narrow));
        memcpy(&real, &bits, sizeof(real));
        return size == sizeof(narrow) ? (double)narrow : real;
}

/* A value of a fixed size. False: it is cut off, or the kind is unknown. */
static bool add_scalar(struct buffer *out, struct field *f, char kind)
{
        static const char kinds[] = "tbBsuIifDlLdTV";
        static const unsigned char sizes[] = {1, 1, 1, 2, 2, 4, 4, 4, 5, 8, 8, 8, 8, 0};
        const char *at = kind == '\0' ? NULL : strchr(kinds, kind);
        uint64_t value;

        if (at == NULL || !take_number(f, sizes[at - kinds], &value))
                return false;
        size_t size = sizes[at - kinds];
        switch (kind) {
        case 't':
                buffer_add_text(out, value != 0 ? "true" : "false");
                break;
        case 'f':
        case 'd':
                buffer_printf(out, "%g", real_of(value, size));
                break;
        case 'D': /* a byte of decimal places, then the digits */
                buffer_printf(out, "%" PRIu64 "e-%" PRIu64, value & UINT32_MAX, value >> 32);
                break;
        case 'T':
                buffer_printf(out, "timestamp %" PRIu64, value);
                break;
        case 'V':
                buffer_add_text(out, "void");
                break;
        case 'b':
        case 's':
        case 'I':
        case 'l': /* signed: the top bit is extended */
                buffer_printf(out, "%" PRId64,
                              (int64_t)(value << (64 - 8 * size)) >> (64 - 8 * size));
                break;
        default:
                buffer_printf(out, "%" PRIu64, value);
                break;
        }
        return true;
}

static bool add_value(struct buffer *out, struct field *f, int depth);

/* False: malformed, or enough is shown. */
static bool add_members(struct buffer *out, struct field inside, bool is_table, int depth)
{
        const char *open = is_table ? "{" : "[", *before = open;
        struct field name;

        for (; inside.at < inside.end; before = ", ") {
                buffer_add_text(out, before);
                if (out->length > SHOWN_MAX || depth == DEPTH_MAX) {
                        buffer_add_text(out, "…");
                        return false;
                }
                if (is_table) {
                        if (!take_part(&inside, 1, &name))
                                return false;
                        add_text(out, part_bytes(&name));
                        buffer_add_text(out, ": ");
                }
                if (!add_value(out, &inside, depth + 1))
                        return false;
        }
        buffer_printf(out, "%s%s", before == open ? open : "", is_table ? "}" : "]");
        return true;
}

/* Takes a type and its value. False: the rest is not shown. */
static bool add_value(struct buffer *out, struct field *f, int depth)
{
        uint64_t kind;
        struct field part;

        if (!take_number(f, 1, &kind))
                return false;
        switch (kind) {
        case 'S':
        case 'x':
                if (!take_part(f, 4, &part))
                        return false;
                add_text(out, part_bytes(&part));
                return true;
        case 'F':
        case 'A':
                return take_part(f, 4, &part) && add_members(out, part, kind == 'F', depth);
        default:
                return add_scalar(out, f, (char)kind);
        }
}

static const char *finish(const struct buffer *b, char out[QUOTE_SIZE])
{
        size_t length = b->length < QUOTE_SIZE ? b->length : QUOTE_SIZE - 1;

        while (length < b->length && length > 0 && utf8_continues_((unsigned char)b->data[length]))
                length--;
        if (length > 0)
                memcpy(out, b->data, length);
        out[length] = '\0';
        return out;
}

const char *quote_text(struct bytes text, char out[QUOTE_SIZE])
{
        AUTO_BUFFER b = {0};

        add_text(&b, text);
        return finish(&b, out);
}

const char *quote_header(const struct message *m, const struct header *h, char out[QUOTE_SIZE])
{
        const char *value = h->name.data + h->name.length;
        size_t at = (size_t)((uintptr_t)value - (uintptr_t)m->properties.data);
        AUTO_BUFFER b = {0};

        if (h->kind == HEADER_INT) {
                buffer_printf(&b, "%" PRId64, h->number);
        } else if (h->kind == HEADER_STRING) {
                add_text(&b, h->text);
        } else if (m->properties.data != NULL && at < m->properties.length) {
                /* A delivered header's name lies in the property list, before its value. */
                struct field f = {(const unsigned char *)value,
                                  (const unsigned char *)m->properties.data + m->properties.length};
                (void)!add_value(&b, &f, 0);
        }
        return finish(&b, out);
}
