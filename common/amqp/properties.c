/* SPDX-License-Identifier: Apache-2.0
 *
 * properties.c: decoded property lists: as JSON for people, and as a struct message.
 */
#include "common/amqp/properties.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/amqp/wire.h"

static json_t *value_json(const amqp_field_value_t *v);

/* jansson refuses text that is not UTF-8; NUL bytes are unreadable in JSON. */
static bool is_readable(struct bytes text)
{
        return bytes_are_utf8(text) &&
               (text.length == 0 || memchr(text.data, 0, text.length) == NULL);
}

static json_t *text_json(amqp_bytes_t b)
{
        struct bytes text = wire_view(b);

        if (is_readable(text))
                return json_stringn(text.data, text.length);
        AUTO_BUFFER out = {0};
        buffer_add_base64(&out, text);
        return json_pack("{s:s#}", "base64", out.data, out.length);
}

static json_t *unsigned_json(uint64_t n)
{
        char digits[24];

        if (n <= INT64_MAX)
                return json_integer((json_int_t)n);
        snprintf(digits, sizeof(digits), "%" PRIu64, n);
        return json_pack("{s:s}", "unsigned", digits);
}

static json_t *real_json(double d)
{
        char word[32];

        if (isfinite(d))
                return json_real(d);
        snprintf(word, sizeof(word), "%f", d);
        return json_pack("{s:s}", "real", word);
}

static json_t *decimal_json(amqp_decimal_t d)
{
        char digits[300], text[302];
        int places = d.decimals;
        int length = snprintf(digits, sizeof(digits), "%0*" PRIu32, places + 1, d.value);

        if (places == 0)
                return json_pack("{s:s}", "decimal", digits);
        snprintf(text, sizeof(text), "%.*s.%s", length - places, digits, digits + length - places);
        return json_pack("{s:s}", "decimal", text);
}

/* A name that is not UTF-8 becomes its base64. Of a repeated name only the last value is shown. */
static int set_member(json_t *object, amqp_bytes_t name, json_t *value)
{
        struct bytes key = wire_view(name);
        AUTO_BUFFER shown = {0};

        if (is_readable(key))
                buffer_add(&shown, key.data, key.length);
        else
                buffer_add_base64(&shown, key);
        return json_object_set_new(object, shown.data == NULL ? "" : shown.data, value);
}

static json_t *table_json(const amqp_table_t *t)
{
        json_t *object = json_object();

        for (int i = 0; i < t->num_entries; i++)
                set_member(object, t->entries[i].key, value_json(&t->entries[i].value));
        return object;
}

static json_t *array_json(const amqp_array_t *a)
{
        json_t *array = json_array();

        for (int i = 0; i < a->num_entries; i++)
                json_array_append_new(array, value_json(&a->entries[i]));
        return array;
}

/* Recursion is bounded: wire_check_properties has checked the depth. */
static json_t *value_json(const amqp_field_value_t *v)
{
        switch ((amqp_field_value_kind_t)v->kind) {
        case AMQP_FIELD_KIND_BOOLEAN:
                return json_boolean(v->value.boolean);
        case AMQP_FIELD_KIND_I8:
                return json_integer(v->value.i8);
        case AMQP_FIELD_KIND_U8:
                return json_integer(v->value.u8);
        case AMQP_FIELD_KIND_I16:
                return json_integer(v->value.i16);
        case AMQP_FIELD_KIND_U16:
                return json_integer(v->value.u16);
        case AMQP_FIELD_KIND_I32:
                return json_integer(v->value.i32);
        case AMQP_FIELD_KIND_U32:
                return json_integer(v->value.u32);
        case AMQP_FIELD_KIND_I64:
                return json_integer(v->value.i64);
        case AMQP_FIELD_KIND_U64:
                return unsigned_json(v->value.u64);
        case AMQP_FIELD_KIND_F32:
                return real_json((double)v->value.f32);
        case AMQP_FIELD_KIND_F64:
                return real_json(v->value.f64);
        case AMQP_FIELD_KIND_DECIMAL:
                return decimal_json(v->value.decimal);
        case AMQP_FIELD_KIND_UTF8:
        case AMQP_FIELD_KIND_BYTES:
                return text_json(v->value.bytes);
        case AMQP_FIELD_KIND_ARRAY:
                return array_json(&v->value.array);
        case AMQP_FIELD_KIND_TIMESTAMP:
                return json_pack("{s:o}", "timestamp", unsigned_json(v->value.u64));
        case AMQP_FIELD_KIND_TABLE:
                return table_json(&v->value.table);
        case AMQP_FIELD_KIND_VOID:
                break;
        }
        return json_null();
}

static void add_texts(json_t *out, const amqp_basic_properties_t *p)
{
        const struct {
                amqp_flags_t flag;
                const char *name;
                amqp_bytes_t value;
        } texts[] = {
                {AMQP_BASIC_CONTENT_TYPE_FLAG, "content_type", p->content_type},
                {AMQP_BASIC_CONTENT_ENCODING_FLAG, "content_encoding", p->content_encoding},
                {AMQP_BASIC_CORRELATION_ID_FLAG, "correlation_id", p->correlation_id},
                {AMQP_BASIC_REPLY_TO_FLAG, "reply_to", p->reply_to},
                {AMQP_BASIC_EXPIRATION_FLAG, "expiration", p->expiration},
                {AMQP_BASIC_MESSAGE_ID_FLAG, "message_id", p->message_id},
                {AMQP_BASIC_TYPE_FLAG, "type", p->type},
                {AMQP_BASIC_USER_ID_FLAG, "user_id", p->user_id},
                {AMQP_BASIC_APP_ID_FLAG, "app_id", p->app_id},
                {AMQP_BASIC_CLUSTER_ID_FLAG, "cluster_id", p->cluster_id},
        };

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                if ((p->_flags & texts[i].flag) != 0)
                        json_object_set_new(out, texts[i].name, text_json(texts[i].value));
        }
}

static json_t *basic_json(const amqp_basic_properties_t *p)
{
        json_t *out = json_object();

        add_texts(out, p);
        if ((p->_flags & AMQP_BASIC_DELIVERY_MODE_FLAG) != 0)
                json_object_set_new(out, "delivery_mode", json_integer(p->delivery_mode));
        if ((p->_flags & AMQP_BASIC_PRIORITY_FLAG) != 0)
                json_object_set_new(out, "priority", json_integer(p->priority));
        if ((p->_flags & AMQP_BASIC_TIMESTAMP_FLAG) != 0)
                json_object_set_new(out, "timestamp",
                                    json_pack("{s:o}", "timestamp", unsigned_json(p->timestamp)));
        return out;
}

/* As wire_decode, with a pool of its own. Call empty_amqp_pool in either case. */
static const amqp_basic_properties_t *decode(struct bytes wire, amqp_pool_t *pool, struct err *e)
{
        init_amqp_pool(pool, WIRE_POOL_PAGE);
        return wire_decode(wire, pool, e);
}

json_t *properties_to_json(struct bytes wire, struct err *e)
{
        const amqp_table_t none = {0};
        amqp_pool_t pool;
        const amqp_basic_properties_t *p = decode(wire, &pool, e);
        json_t *out = NULL;

        if (p != NULL) {
                bool has = (p->_flags & AMQP_BASIC_HEADERS_FLAG) != 0;
                out = json_pack("{s:o,s:o}", "properties", basic_json(p), "headers",
                                table_json(has ? &p->headers : &none));
        }
        empty_amqp_pool(&pool);
        return out;
}

int properties_to_message(struct bytes wire, struct message *m, struct err *e)
{
        amqp_pool_t pool;
        const amqp_basic_properties_t *p = decode(wire, &pool, e);

        *m = (struct message){0};
        if (p != NULL)
                wire_message(p, wire_bytes(wire), wire.data, m);
        empty_amqp_pool(&pool);
        return p == NULL ? -1 : 0;
}

/* The first entry with that name; NULL: none. */
static const amqp_field_value_t *find(const amqp_table_t *table, const char *name)
{
        for (int i = 0; i < table->num_entries; i++) {
                if (bytes_equal_text(wire_view(table->entries[i].key), name))
                        return &table->entries[i].value;
        }
        return NULL;
}

/* The entries of the first x-death. p: or NULL. */
static amqp_array_t deaths_of(const amqp_basic_properties_t *p)
{
        bool has_headers = p != NULL && (p->_flags & AMQP_BASIC_HEADERS_FLAG) != 0;
        const amqp_field_value_t *deaths = has_headers ? find(&p->headers, "x-death") : NULL;

        if (deaths == NULL || deaths->kind != AMQP_FIELD_KIND_ARRAY ||
            deaths->value.array.entries == NULL)
                return (amqp_array_t){0};
        return deaths->value.array;
}

static struct bytes death_reason(const amqp_field_value_t *death)
{
        const amqp_field_value_t *reason =
                death->kind == AMQP_FIELD_KIND_TABLE ? find(&death->value.table, "reason") : NULL;

        if (reason == NULL || reason->kind != AMQP_FIELD_KIND_UTF8)
                return (struct bytes){NULL, 0};
        return wire_view(reason->value.bytes);
}

static int64_t death_count(const amqp_field_value_t *death)
{
        const amqp_field_value_t *count = find(&death->value.table, "count");

        return count != NULL && count->kind == AMQP_FIELD_KIND_I64 ? count->value.i64 : 0;
}

struct bytes properties_last_death(struct bytes wire)
{
        amqp_pool_t pool;
        const amqp_basic_properties_t *p = decode(wire, &pool, NULL);
        const amqp_array_t deaths = deaths_of(p);
        struct bytes reason = {NULL, 0};

        if (deaths.num_entries > 0)
                reason = death_reason(&deaths.entries[0]);
        empty_amqp_pool(&pool);
        return reason;
}

int64_t properties_deaths(struct bytes wire, const char *reason)
{
        amqp_pool_t pool;
        const amqp_basic_properties_t *p = decode(wire, &pool, NULL);
        const amqp_array_t deaths = deaths_of(p);
        int64_t count = 0;

        for (int i = 0; i < deaths.num_entries; i++) {
                if (bytes_equal_text(death_reason(&deaths.entries[i]), reason))
                        count += death_count(&deaths.entries[i]);
        }
        empty_amqp_pool(&pool);
        return count;
}

int properties_as_published(struct bytes wire, struct buffer *out, struct err *e)
{
        return wire_as_published(wire, out, e);
}
