/* SPDX-License-Identifier: Apache-2.0
 *
 * pack.c: writes and reads packs.
 */
#include "common/amqp/pack.h"

#include <endian.h>
#include <string.h>

#include "common/amqp/encode.h"
#include "common/base/own.h"

enum { PACK_VERSION = 1 };

static void add_short(struct buffer *out, amqp_bytes_t b)
{
        buffer_add_char(out, (char)b.len);
        buffer_add(out, b.bytes, b.len);
}

static void add_length(struct buffer *out, size_t length)
{
        uint32_t value = htobe32((uint32_t)length);

        buffer_add(out, &value, sizeof(value));
}

static int add_properties(struct buffer *out, const struct outgoing *o, struct err *e)
{
        size_t at = out->length;

        add_length(out, 0);
        if (encode_properties(out, o, e) != 0)
                return -1;
        uint32_t length = htobe32((uint32_t)(out->length - at - sizeof(length)));
        memcpy(out->data + at, &length, sizeof(length));
        return 0;
}

static int add_entry(struct buffer *pack, const struct outgoing *o, bool alone, struct err *e)
{
        add_short(pack, o->exchange);
        add_short(pack, o->routing_key);
        if (add_properties(pack, o, e) != 0)
                return -1;
        if (!alone && pack->length + sizeof(uint32_t) + o->body.len > PACK_BYTES_MAX)
                return err_set(e, ERR_FULL, "the pack is full");
        add_length(pack, o->body.len);
        buffer_add(pack, o->body.bytes, o->body.len);
        return 0;
}

int pack_add(struct buffer *pack, const struct message *m, struct err *e)
{
        AUTO_FREE struct outgoing *o = outgoing_create(m, NULL, e);
        size_t before = pack->length;

        if (o == NULL)
                return -1;
        if (before == 0)
                buffer_add_char(pack, PACK_VERSION);
        if (add_entry(pack, o, before == 0, e) == 0)
                return 0;
        pack->length = before;
        pack->data[before] = '\0';
        return -1;
}

static bool is_pack(const struct message *m)
{
        return bytes_equal_text(m->content_type, PACK_CONTENT_TYPE) &&
               bytes_equal_text(m->exchange, "events") && bytes_equal_text(m->user_id, PACK_LOGIN);
}

static bool take(struct bytes *left, size_t length, struct bytes *out)
{
        if (length > left->length)
                return false;
        *out = bytes_of(left->data, length);
        *left = bytes_of(left->data + length, left->length - length);
        return true;
}

static bool take_short(struct bytes *left, struct bytes *out)
{
        struct bytes length;

        return take(left, 1, &length) && take(left, (unsigned char)length.data[0], out);
}

static bool take_long(struct bytes *left, struct bytes *out)
{
        struct bytes bytes;
        uint32_t length;

        if (!take(left, sizeof(length), &bytes))
                return false;
        memcpy(&length, bytes.data, sizeof(length));
        return take(left, be32toh(length), out);
}

/* Takes one entry. False: it is broken, and *left is as it was. */
static bool take_entry(struct bytes *left, amqp_pool_t *pool, struct message *out)
{
        struct bytes rest = *left, properties;

        if (!take_short(&rest, &out->exchange) || !take_short(&rest, &out->routing_key) ||
            !take_long(&rest, &properties) || !take_long(&rest, &out->body))
                return false;
        const amqp_basic_properties_t *p = wire_decode(properties, pool, NULL);
        if (p == NULL)
                return false;
        wire_message(p, wire_bytes(properties), properties.data, out);
        *left = rest;
        return true;
}

static bool may_be_packed(struct bytes exchange)
{
        return bytes_equal_text(exchange, "work") || bytes_begin_with(exchange, "hold.");
}

static void mark_again(struct message *m)
{
        if (message_header(m, "x-again") == NULL && m->header_count < MESSAGE_HEADERS_MAX)
                message_add_int(m, "x-again", 1);
}

static void each_entry(const struct message *pack, struct bytes left, pack_message_fn *on,
                       void *owner, uint64_t *skipped)
{
        bool again = message_header_int(pack, "x-again", 0) != 0;
        struct message entry;
        amqp_pool_t pool;
        unsigned count = 0;

        init_amqp_pool(&pool, WIRE_POOL_PAGE);
        for (; count < PACK_JOBS_MAX && take_entry(&left, &pool, &entry); count++) {
                entry.user_id = pack->user_id;
                if (again)
                        mark_again(&entry);
                if (may_be_packed(entry.exchange))
                        on(owner, &entry);
                else
                        (*skipped)++;
                recycle_amqp_pool(&pool);
        }
        empty_amqp_pool(&pool);
        *skipped += count == 0 || left.length > 0;
}

void pack_each(const struct message *m, pack_message_fn *on, void *owner, uint64_t *skipped)
{
        struct bytes left = m->body, version;

        if (!is_pack(m))
                on(owner, m);
        else if (take(&left, 1, &version) && version.data[0] == PACK_VERSION)
                each_entry(m, left, on, owner, skipped);
        else
                (*skipped)++;
}
