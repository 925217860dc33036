/* SPDX-License-Identifier: Apache-2.0
 *
 * properties_view.c: a stored property list as a struct message and in its normal form.
 */
#include <string.h>

#include "common/amqp/properties.h"
#include "common/amqp/wire.h"

int properties_to_message(struct bytes wire, struct message *m, struct err *e)
{
        amqp_bytes_t raw = wire_bytes(wire);
        amqp_pool_t pool;
        void *decoded = NULL;

        memset(m, 0, sizeof(*m));
        if (wire_check_properties(wire, e) != 0)
                return -1;
        init_amqp_pool(&pool, 4096);
        int status = amqp_decode_properties(AMQP_BASIC_CLASS, &pool, raw, &decoded);
        /* m's strings lie in the wire form, not in the pool. */
        if (status == AMQP_STATUS_OK)
                wire_message(decoded, raw, wire.data, m);
        empty_amqp_pool(&pool);
        if (status != AMQP_STATUS_OK)
                return err_set(e, ERR_CORRUPT, "properties: %s", amqp_error_string2(status));
        return 0;
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

static struct bytes last_death(const amqp_basic_properties_t *p)
{
        const struct bytes none = {NULL, 0};
        bool has_headers = (p->_flags & AMQP_BASIC_HEADERS_FLAG) != 0;
        const amqp_field_value_t *deaths = has_headers ? find(&p->headers, "x-death") : NULL;

        if (deaths == NULL || deaths->kind != AMQP_FIELD_KIND_ARRAY ||
            deaths->value.array.num_entries == 0 ||
            deaths->value.array.entries[0].kind != AMQP_FIELD_KIND_TABLE)
                return none;
        const amqp_field_value_t *reason =
                find(&deaths->value.array.entries[0].value.table, "reason");
        if (reason == NULL || reason->kind != AMQP_FIELD_KIND_UTF8)
                return none;
        return wire_view(reason->value.bytes);
}

struct bytes properties_last_death(struct bytes wire)
{
        struct bytes reason = {NULL, 0};
        amqp_pool_t pool;
        void *decoded = NULL;

        if (wire_check_properties(wire, NULL) != 0)
                return reason;
        init_amqp_pool(&pool, 4096);
        if (amqp_decode_properties(AMQP_BASIC_CLASS, &pool, wire_bytes(wire), &decoded) ==
            AMQP_STATUS_OK)
                reason = last_death(decoded); /* its bytes lie in the wire form */
        empty_amqp_pool(&pool);
        return reason;
}

int properties_as_published(struct bytes wire, struct buffer *out, struct err *e)
{
        return wire_as_published(wire, out, e);
}
