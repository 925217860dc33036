/* SPDX-License-Identifier: Apache-2.0
 *
 * properties_view.c: a stored property list as the message it came with, and as its publisher wrote
 * it.
 */
#include <string.h>

#include "common/amqp/link_parts.h"
#include "common/amqp/properties.h"

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
        /* The view's strings lie in the wire form, not in the pool. */
        if (status == AMQP_STATUS_OK)
                wire_message(decoded, raw, wire.data, m);
        empty_amqp_pool(&pool);
        if (status != AMQP_STATUS_OK)
                return err_set(e, ERR_CORRUPT, "properties: %s", amqp_error_string2(status));
        return 0;
}

int properties_as_published(struct bytes wire, struct buffer *out, struct err *e)
{
        return wire_as_published(wire, out, e);
}
