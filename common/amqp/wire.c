/* SPDX-License-Identifier: Apache-2.0
 *
 * wire.c: conversions and a parser for property lists.
 */
#include "common/amqp/wire.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/job_headers.h"

struct bytes wire_view(amqp_bytes_t b)
{
        return bytes_of(b.len == 0 && b.bytes == NULL ? "" : b.bytes, b.len);
}

amqp_bytes_t wire_bytes(struct bytes b)
{
        return (amqp_bytes_t){.len = b.length, .bytes = (void *)b.data};
}

amqp_bytes_t wire_text(const char *text)
{
        return text == NULL ? amqp_empty_bytes : amqp_cstring_bytes(text);
}

void wire_place(char **at, amqp_bytes_t *b)
{
        if (b->len > 0)
                memcpy(*at, b->bytes, b->len);
        b->bytes = *at;
        *at += b->len;
}

static enum err_code reply_error(uint16_t reply_code)
{
        switch (reply_code) {
        case AMQP_NOT_FOUND:
                return ERR_NOT_FOUND;
        case AMQP_ACCESS_REFUSED:
        case AMQP_NOT_ALLOWED:
                return ERR_FORBIDDEN;
        case AMQP_PRECONDITION_FAILED:
        case AMQP_RESOURCE_LOCKED:
                return ERR_CONFLICT;
        case AMQP_CONTENT_TOO_LARGE:
                return ERR_TOO_LARGE;
        default:
                return ERR_UNAVAILABLE;
        }
}

int wire_refusal(uint16_t reply_code, amqp_bytes_t text, struct err *e)
{
        return err_set(e, reply_error(reply_code), "%.*s", (int)text.len, (const char *)text.bytes);
}

int wire_fail(int status, const char *doing, struct err *e)
{
        return err_set(e, ERR_UNAVAILABLE, "%s: %s", doing, amqp_error_string2(status));
}

/* Maps a string of a frame to its place in the copy. */
struct frame_copy {
        const char *from, *to;
};

static struct bytes copied(const struct frame_copy *c, amqp_bytes_t b)
{
        if (b.len == 0)
                return bytes_of(c->to, 0);
        return bytes_of(c->to + ((const char *)b.bytes - c->from), b.len);
}

static struct bytes property(const struct frame_copy *c, const amqp_basic_properties_t *p,
                             amqp_flags_t flag, amqp_bytes_t value)
{
        return (p->_flags & flag) != 0 ? copied(c, value) : (struct bytes){0};
}

static bool header_number(const amqp_field_value_t *v, int64_t *out)
{
        switch (v->kind) {
        case AMQP_FIELD_KIND_I8:
                *out = v->value.i8; /* NOLINT(bugprone-signed-char-misuse): a number */
                return true;
        case AMQP_FIELD_KIND_U8:
                *out = v->value.u8;
                return true;
        case AMQP_FIELD_KIND_I16:
                *out = v->value.i16;
                return true;
        case AMQP_FIELD_KIND_U16:
                *out = v->value.u16;
                return true;
        case AMQP_FIELD_KIND_I32:
                *out = v->value.i32;
                return true;
        case AMQP_FIELD_KIND_U32:
                *out = v->value.u32;
                return true;
        case AMQP_FIELD_KIND_I64:
                *out = v->value.i64;
                return true;
        case AMQP_FIELD_KIND_U64:
                *out = (int64_t)v->value.u64;
                return v->value.u64 <= INT64_MAX;
        default:
                return false;
        }
}

static void add_header(const struct frame_copy *c, const amqp_table_entry_t *entry,
                       struct header *h)
{
        *h = (struct header){.name = copied(c, entry->key), .kind = HEADER_OTHER};
        if (header_number(&entry->value, &h->number)) {
                h->kind = HEADER_INT;
        } else if (entry->value.kind == AMQP_FIELD_KIND_UTF8 ||
                   entry->value.kind == AMQP_FIELD_KIND_BYTES) {
                h->kind = HEADER_STRING;
                h->text = copied(c, entry->value.value.bytes);
        } else if (entry->value.kind == AMQP_FIELD_KIND_TABLE ||
                   entry->value.kind == AMQP_FIELD_KIND_ARRAY) {
                h->kind = HEADER_NESTED;
        }
}

/* Over MESSAGE_HEADERS_MAX only the headers that Warren reads are taken, each once: others must not
 * displace them. The broker's own headers are sorted by name among the publisher's. */
static bool is_wanted(const struct message *m, amqp_bytes_t name)
{
        const char *known = job_header_known(wire_view(name));

        return known != NULL && message_header(m, known) == NULL;
}

static void add_headers(const struct frame_copy *c, const amqp_table_t *headers, struct message *m)
{
        size_t count = (size_t)headers->num_entries;
        bool all = count <= MESSAGE_HEADERS_MAX;

        for (size_t i = 0; i < count; i++) {
                if (all || is_wanted(m, headers->entries[i].key))
                        add_header(c, &headers->entries[i], &m->headers[m->header_count++]);
        }
}

void wire_message(const amqp_basic_properties_t *p, amqp_bytes_t raw, const char *copy,
                  struct message *m)
{
        struct frame_copy c = {.from = raw.bytes, .to = copy};

        m->message_id = property(&c, p, AMQP_BASIC_MESSAGE_ID_FLAG, p->message_id);
        m->type = property(&c, p, AMQP_BASIC_TYPE_FLAG, p->type);
        m->content_type = property(&c, p, AMQP_BASIC_CONTENT_TYPE_FLAG, p->content_type);
        m->user_id = property(&c, p, AMQP_BASIC_USER_ID_FLAG, p->user_id);
        m->app_id = property(&c, p, AMQP_BASIC_APP_ID_FLAG, p->app_id);
        m->timestamp = -1;
        if ((p->_flags & AMQP_BASIC_TIMESTAMP_FLAG) != 0 && p->timestamp <= INT64_MAX)
                m->timestamp = (int64_t)p->timestamp;
        m->delivery_mode = 0;
        if ((p->_flags & AMQP_BASIC_DELIVERY_MODE_FLAG) != 0)
                m->delivery_mode = p->delivery_mode;
        m->mandatory = false;
        m->header_count = 0;
        if ((p->_flags & AMQP_BASIC_HEADERS_FLAG) != 0)
                add_headers(&c, &p->headers, m);
        m->properties = bytes_of(copy, raw.len);
}

/* Parses a property list without recursion, because publishers choose its depth: rabbitmq-c's
 * recursive decoder must see only lists that were checked here. */
struct walk {
        const unsigned char *data;
        size_t at;
        size_t end[TABLE_DEPTH_MAX]; /* of each open table or array */
        bool is_table[TABLE_DEPTH_MAX];
        size_t depth;
};

static bool walk_skip(struct walk *w, size_t limit, size_t length)
{
        if (length > limit - w->at)
                return false;
        w->at += length;
        return true;
}

static bool walk_short(struct walk *w, size_t limit)
{
        return limit > w->at && walk_skip(w, limit, (size_t)w->data[w->at] + 1);
}

static bool walk_length(struct walk *w, size_t limit, size_t *length)
{
        if (limit - w->at < 4)
                return false;
        const unsigned char *d = w->data + w->at;
        *length = (size_t)d[0] << 24 | (size_t)d[1] << 16 | (size_t)d[2] << 8 | d[3];
        w->at += 4;
        return *length <= limit - w->at;
}

static bool walk_enter(struct walk *w, size_t limit, bool is_table)
{
        size_t length = 0;

        if (!walk_length(w, limit, &length) || w->depth == TABLE_DEPTH_MAX)
                return false;
        w->end[w->depth] = w->at + length;
        w->is_table[w->depth] = is_table;
        w->depth++;
        return true;
}

static bool walk_value(struct walk *w, size_t limit)
{
        size_t length = 0;

        if (w->at >= limit)
                return false;
        switch (w->data[w->at++]) {
        case 'V':
                return true;
        case 't':
        case 'b':
        case 'B':
                return walk_skip(w, limit, 1);
        case 's':
        case 'u':
                return walk_skip(w, limit, 2);
        case 'I':
        case 'i':
        case 'f':
                return walk_skip(w, limit, 4);
        case 'D':
                return walk_skip(w, limit, 5);
        case 'l':
        case 'L':
        case 'd':
        case 'T':
                return walk_skip(w, limit, 8);
        case 'S':
        case 'x':
                return walk_length(w, limit, &length) && walk_skip(w, limit, length);
        case 'A':
                return walk_enter(w, limit, false);
        case 'F':
                return walk_enter(w, limit, true);
        default:
                return false;
        }
}

static bool walk_table(struct walk *w, size_t limit)
{
        if (!walk_enter(w, limit, true))
                return false;
        while (w->depth > 0) {
                size_t end = w->end[w->depth - 1];
                if (w->at == end) {
                        w->depth--;
                        continue;
                }
                if (w->is_table[w->depth - 1] && !walk_short(w, end))
                        return false;
                if (!walk_value(w, end))
                        return false;
        }
        return true;
}

/* The 14 properties in the order of their flags, from bit 15 down: S short string, T table,
 * B octet, L timestamp. */
static const char property_kinds[] = "SSTBBSSSSLSSSS";

int wire_check_properties(struct bytes raw, struct err *e)
{
        struct walk w = {.data = (const unsigned char *)raw.data};

        if (raw.length > PROPERTIES_MAX)
                return err_set(e, ERR_TOO_LARGE, "properties of %zu bytes", raw.length);
        if (raw.length < 2)
                return err_set(e, ERR_INVALID, "the property list has no flags");
        unsigned flags = (unsigned)w.data[0] << 8 | w.data[1];
        if ((flags & 3) != 0)
                return err_set(e, ERR_INVALID, "the property list has unknown flags");
        w.at = 2;
        for (size_t i = 0; i < sizeof(property_kinds) - 1; i++) {
                if ((flags & (0x8000U >> i)) == 0)
                        continue;
                char kind = property_kinds[i];
                bool ok = kind == 'S'   ? walk_short(&w, raw.length)
                          : kind == 'T' ? walk_table(&w, raw.length)
                                        : walk_skip(&w, raw.length, kind == 'B' ? 1 : 8);
                if (!ok)
                        return err_set(e, ERR_INVALID, "the property list is broken at byte %zu",
                                       w.at);
        }
        if (w.at != raw.length)
                return err_set(e, ERR_INVALID, "other bytes follow the property list");
        return 0;
}

const amqp_basic_properties_t *wire_decode(struct bytes raw, amqp_pool_t *pool, struct err *e)
{
        void *decoded = NULL;

        if (wire_check_properties(raw, e) < 0)
                return NULL;
        int status = amqp_decode_properties(AMQP_BASIC_CLASS, pool, wire_bytes(raw), &decoded);
        if (status == AMQP_STATUS_OK)
                return decoded;
        (void)err_set(e, ERR_CORRUPT, "properties: %s", amqp_error_string2(status));
        return NULL;
}

/* Skips one header, nested to any depth. */
static bool walk_header(struct walk *w, size_t limit)
{
        size_t length = 0;

        if (!walk_short(w, limit) || w->at == limit)
                return false;
        if (w->data[w->at] != 'A' && w->data[w->at] != 'F')
                return walk_value(w, limit);
        w->at++;
        return walk_length(w, limit, &length) && walk_skip(w, limit, length);
}

int64_t wire_stream_offset(struct bytes raw)
{
        static const char name[] = "\x0fx-stream-offsetl";
        struct walk w = {.data = (const unsigned char *)raw.data, .at = 2};
        unsigned flags = raw.length < 2 ? 0 : (unsigned)w.data[0] << 8 | w.data[1];
        size_t length = 0;

        for (size_t i = 0; i < 2; i++) {
                if ((flags & (0x8000U >> i)) != 0 && !walk_short(&w, raw.length))
                        return -1;
        }
        if ((flags & AMQP_BASIC_HEADERS_FLAG) == 0 || !walk_length(&w, raw.length, &length))
                return -1;
        for (size_t end = w.at + length, from = w.at; from < end && walk_header(&w, end);
             from = w.at) {
                uint64_t number = 0;
                if (w.at - from != sizeof(name) - 1 + sizeof(number) ||
                    memcmp(w.data + from, name, sizeof(name) - 1) != 0)
                        continue;
                memcpy(&number, w.data + w.at - sizeof(number), sizeof(number));
                return (int64_t)be64toh(number);
        }
        return -1;
}

/* RabbitMQ 4.3 has two. */
static bool is_delivery_count(struct bytes header)
{
        static const char *const names[] = {"x-delivery-count", "x-acquired-count"};
        size_t length = (unsigned char)header.data[0];

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                if (bytes_equal_text(bytes_of(header.data + 1, length), names[i]))
                        return true;
        }
        return false;
}

static int compare_headers(const void *a, const void *b)
{
        const struct bytes *left = a, *right = b;

        return bytes_compare(*left, *right);
}

/* Appends and counts the table's headers, sorted. w is after the table's length. */
static bool add_sorted(struct walk *w, size_t end, struct buffer *out, size_t *count)
{
        /* A header has at least two bytes. */
        AUTO_FREE struct bytes *headers = xcalloc((end - w->at) / 2 + 1, sizeof(*headers));

        while (w->at < end) {
                size_t from = w->at;
                if (!walk_header(w, end))
                        return false;
                struct bytes header = bytes_of(w->data + from, w->at - from);
                if (!is_delivery_count(header))
                        headers[(*count)++] = header;
        }
        qsort(headers, *count, sizeof(*headers), compare_headers);
        for (size_t i = 0; i < *count; i++)
                buffer_add(out, headers[i].data, headers[i].length);
        return true;
}

int wire_as_published(struct bytes raw, struct buffer *out, struct err *e)
{
        struct walk w = {.data = (const unsigned char *)raw.data, .at = 2};
        unsigned flags = raw.length < 2 ? 3U : (unsigned)w.data[0] << 8 | w.data[1];
        AUTO_BUFFER headers = {0};
        size_t length = 0, count = 0;
        bool ok = (flags & 3) == 0 && raw.length <= PROPERTIES_MAX;

        for (size_t i = 0; i < 2 && ok; i++) {
                if ((flags & (0x8000U >> i)) != 0)
                        ok = walk_short(&w, raw.length);
        }
        size_t table = w.at;
        if (ok && (flags & AMQP_BASIC_HEADERS_FLAG) != 0)
                ok = walk_length(&w, raw.length, &length) &&
                     add_sorted(&w, w.at + length, &headers, &count);
        if (!ok)
                return err_set(e, ERR_INVALID, "the property list is broken at byte %zu", w.at);
        /* A redelivery has headers even when its publisher set none. */
        flags &= ~(unsigned)AMQP_BASIC_HEADERS_FLAG;
        buffer_printf(out, "%zu/%04x/", count, flags);
        buffer_add(out, headers.data, headers.length);
        buffer_add(out, raw.data + 2, table - 2);
        buffer_add(out, raw.data + w.at, raw.length - w.at);
        return 0;
}
