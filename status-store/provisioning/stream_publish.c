/* SPDX-License-Identifier: Apache-2.0
 *
 * stream_publish.c: a message, and the broker's answer to it.
 */
#include "status-store/provisioning/stream_publish.h"

#include "common/amqp/wait.h"

int stream_publish(struct link *l, const char *exchange, struct message *m, char id[UUID_SIZE],
                   struct err *e)
{
        uuid7(id);
        m->exchange = bytes_of_text(exchange);
        m->routing_key = bytes_of_text("");
        m->message_id = bytes_of_text(id);
        m->timestamp = clock_wall() / MSEC_SECOND;
        m->delivery_mode = 2;
        m->mandatory = true;
        enum link_result result = LINK_CLOSED;
        if (publish_and_wait(l, m, &result, e) != 0)
                return -1;
        if (result == LINK_RETURNED)
                return err_set(e, ERR_UNAVAILABLE,
                               "exchange %s routes to no stream: run `warren topology apply`",
                               exchange);
        if (result != LINK_CONFIRMED)
                return err_set(e, ERR_UNAVAILABLE,
                               "the broker did not confirm a message to exchange %s", exchange);
        return 0;
}
