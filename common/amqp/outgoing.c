/* SPDX-License-Identifier: Apache-2.0
 *
 * outgoing.c: lays out the copy of a message in one allocation.
 */
#include "common/amqp/outgoing.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

/* Sizes counted before the copy is allocated. */
struct layout {
        size_t strings; /* bytes of all strings */
        bool too_long;  /* some name or property is over SHORT_STRING_MAX */
};

static amqp_bytes_t count_short(struct layout *lay, struct bytes b)
{
        lay->strings += b.length;
        lay->too_long = lay->too_long || b.length > SHORT_STRING_MAX;
        return wire_bytes(b);
}

static void set_property(struct layout *lay, amqp_basic_properties_t *p, amqp_flags_t flag,
                         amqp_bytes_t *field, struct bytes value)
{
        if (value.data == NULL)
                return;
        *field = count_short(lay, value);
        p->_flags |= flag;
}

static void set_properties(struct layout *lay, const char *login, const struct message *m,
                           amqp_basic_properties_t *p)
{
        set_property(lay, p, AMQP_BASIC_MESSAGE_ID_FLAG, &p->message_id, m->message_id);
        set_property(lay, p, AMQP_BASIC_TYPE_FLAG, &p->type, m->type);
        set_property(lay, p, AMQP_BASIC_CONTENT_TYPE_FLAG, &p->content_type, m->content_type);
        set_property(lay, p, AMQP_BASIC_APP_ID_FLAG, &p->app_id, m->app_id);
        set_property(lay, p, AMQP_BASIC_USER_ID_FLAG, &p->user_id, bytes_of_text(login));
        if (m->timestamp > 0) {
                p->timestamp = (uint64_t)m->timestamp;
                p->_flags |= AMQP_BASIC_TIMESTAMP_FLAG;
        }
        if (m->delivery_mode != 0) {
                p->delivery_mode = m->delivery_mode;
                p->_flags |= AMQP_BASIC_DELIVERY_MODE_FLAG;
        }
        for (size_t i = 0; i < m->header_count; i++) {
                count_short(lay, m->headers[i].name);
                if (m->headers[i].kind == HEADER_STRING)
                        lay->strings += m->headers[i].text.length;
        }
}

static void place_header(char **at, const struct header *h, amqp_table_entry_t *entry)
{
        entry->key = wire_bytes(h->name);
        wire_place(at, &entry->key);
        if (h->kind == HEADER_STRING) {
                entry->value.kind = AMQP_FIELD_KIND_UTF8;
                entry->value.value.bytes = wire_bytes(h->text);
                wire_place(at, &entry->value.value.bytes);
        } else {
                entry->value.kind = AMQP_FIELD_KIND_I64;
                entry->value.value.i64 = h->number;
        }
}

static void place_headers(char **at, const struct message *m, amqp_table_entry_t *entries,
                          amqp_basic_properties_t *p)
{
        int count = 0;

        for (size_t i = 0; i < m->header_count; i++) {
                if (m->headers[i].kind == HEADER_INT || m->headers[i].kind == HEADER_STRING)
                        place_header(at, &m->headers[i], &entries[count++]);
        }
        p->headers = (amqp_table_t){.num_entries = count, .entries = entries};
        if (count > 0)
                p->_flags |= AMQP_BASIC_HEADERS_FLAG;
}

static int check_sizes(const struct layout *lay, const struct message *m, struct err *e)
{
        if (lay->too_long)
                return err_set(e, ERR_INVALID, "a name or property over %d bytes",
                               SHORT_STRING_MAX);
        if (lay->strings > PROPERTIES_MAX)
                return err_set(e, ERR_TOO_LARGE, "properties of %zu bytes", lay->strings);
        if (m->body.length > BODY_MAX)
                return err_set(e, ERR_TOO_LARGE, "a body of %zu bytes", m->body.length);
        return 0;
}

/* Everything but the headers. */
static void place_rest(char **at, const struct message *m, struct outgoing *o)
{
        amqp_bytes_t *const texts[] = {&o->properties.message_id, &o->properties.type,
                                       &o->properties.content_type, &o->properties.app_id,
                                       &o->properties.user_id};

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                wire_place(at, texts[i]);
        o->exchange = wire_bytes(m->exchange);
        wire_place(at, &o->exchange);
        o->routing_key = wire_bytes(m->routing_key);
        wire_place(at, &o->routing_key);
        o->raw = wire_bytes(m->properties);
        wire_place(at, &o->raw);
        o->body = wire_bytes(m->body);
        wire_place(at, &o->body);
}

struct outgoing *outgoing_create(const struct message *m, const char *login, struct err *e)
{
        bool raw = m->properties.data != NULL;
        size_t headers = raw ? 0 : m->header_count;
        struct layout lay = {.strings = m->properties.length};
        amqp_basic_properties_t properties = {0};

        if (raw && wire_check_properties(m->properties, e) < 0)
                return NULL;
        if (!raw)
                set_properties(&lay, login, m, &properties);
        count_short(&lay, m->exchange);
        count_short(&lay, m->routing_key);
        if (check_sizes(&lay, m, e) < 0)
                return NULL;

        size_t table = (headers + 1) * sizeof(amqp_table_entry_t);
        struct outgoing *o = xmalloc(sizeof(*o) + table + lay.strings + m->body.length);
        memset(o, 0, sizeof(*o));
        o->properties = properties;
        o->mandatory = m->mandatory;
        o->cost = lay.strings + m->body.length;
        amqp_table_entry_t *entries = (amqp_table_entry_t *)(o + 1);
        char *at = (char *)entries + table;
        if (!raw)
                place_headers(&at, m, entries, &o->properties);
        place_rest(&at, m, o);
        return o;
}

void outgoing_mark_again(struct outgoing *o)
{
        static const char name[] = "x-again";

        if (o->again || o->raw.len > 0)
                return;
        o->again = true;
        amqp_table_t *headers = &o->properties.headers;
        for (int i = 0; i < headers->num_entries; i++) {
                if (bytes_equal_text(wire_view(headers->entries[i].key), name))
                        return;
        }
        headers->entries[headers->num_entries++] = (amqp_table_entry_t){
                .key = amqp_cstring_bytes(name),
                .value = {.kind = AMQP_FIELD_KIND_I64, .value.i64 = 1},
        };
        o->properties._flags |= AMQP_BASIC_HEADERS_FLAG;
}

static bool same(amqp_bytes_t a, amqp_bytes_t b)
{
        return a.len == b.len && (a.len == 0 || memcmp(a.bytes, b.bytes, a.len) == 0);
}

bool outgoing_looks_like(const struct outgoing *o, const struct returned *r)
{
        return o->mandatory && same(o->routing_key, r->routing_key) &&
               same(o->exchange, r->exchange) &&
               (o->raw.len > 0 || same(o->properties.message_id, r->message_id)) &&
               same(o->body, r->body);
}
