/* SPDX-License-Identifier: Apache-2.0
 *
 * raw_link.c: rabbitmq-c's calls, each checked.
 */
#include "tests/bench/raw_link.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

void raw_die(const char *what)
{
        fprintf(stderr, "ceiling: %s\n", what);
        abort();
}

void raw_check(amqp_rpc_reply_t reply, const char *what)
{
        if (reply.reply_type != AMQP_RESPONSE_NORMAL)
                raw_die(what);
}

void raw_check_status(int status, const char *what)
{
        if (status != AMQP_STATUS_OK)
                raw_die(what);
}

amqp_connection_state_t raw_connect(const struct raw_login *login)
{
        amqp_connection_state_t c = amqp_new_connection();
        amqp_socket_t *socket = amqp_tcp_socket_new(c);

        raw_check_status(amqp_socket_open(socket, "127.0.0.1", login->port), "cannot connect");
        raw_check(amqp_login(c, "warren", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, login->name,
                             login->password),
                  "login refused");
        amqp_channel_open(c, RAW_CHANNEL);
        raw_check(amqp_get_rpc_reply(c), "no channel");
        return c;
}

void raw_disconnect(amqp_connection_state_t c)
{
        amqp_connection_close(c, AMQP_REPLY_SUCCESS);
        amqp_destroy_connection(c);
}

struct raw_link raw_link_open(const struct raw_login *login, size_t size)
{
        struct raw_link l = {.connection = raw_connect(login),
                             .settled_below = 1,
                             .settled = calloc(size, 1),
                             .size = size};

        amqp_confirm_select(l.connection, RAW_CHANNEL);
        raw_check(amqp_get_rpc_reply(l.connection), "no confirms");
        return l;
}

void raw_link_close(struct raw_link *l)
{
        free(l->settled);
        raw_disconnect(l->connection);
}

void raw_publish(struct raw_link *l, const struct raw_target *to,
                 const amqp_basic_properties_t *properties, amqp_bytes_t body)
{
        raw_check_status(
                amqp_basic_publish(l->connection, RAW_CHANNEL, amqp_cstring_bytes(to->exchange),
                                   amqp_cstring_bytes(to->key), to->mandatory, 0, properties, body),
                "publish");
        l->published++;
        l->open++;
}

static void settle(struct raw_link *l, const amqp_basic_ack_t *ack)
{
        uint64_t first = ack->multiple ? l->settled_below : ack->delivery_tag;

        for (uint64_t tag = first; tag <= ack->delivery_tag; tag++) {
                if (l->settled[tag % l->size])
                        continue;
                l->settled[tag % l->size] = 1;
                l->open--;
                if (l->confirmed != NULL)
                        l->confirmed(l->owner, tag);
        }
        while (l->settled_below <= l->published && l->settled[l->settled_below % l->size]) {
                l->settled[l->settled_below % l->size] = 0;
                l->settled_below++;
        }
}

void raw_confirms_take(struct raw_link *l, int64_t allowed)
{
        amqp_frame_t frame;
        struct timeval none = {0};

        for (;;) {
                int status = amqp_simple_wait_frame_noblock(l->connection, &frame,
                                                            l->open > allowed ? NULL : &none);
                if (status == AMQP_STATUS_TIMEOUT)
                        return;
                raw_check_status(status, "waiting for a confirm");
                if (frame.frame_type != AMQP_FRAME_METHOD ||
                    frame.payload.method.id != AMQP_BASIC_ACK_METHOD)
                        raw_die("a publish was not acknowledged");
                settle(l, frame.payload.method.decoded);
                amqp_maybe_release_buffers(l->connection);
        }
}

void raw_cork(struct raw_link *l, int on)
{
        setsockopt(amqp_get_sockfd(l->connection), IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
}

amqp_table_entry_t raw_text_entry(const char *name, const char *value)
{
        return (amqp_table_entry_t){
                .key = amqp_cstring_bytes(name),
                .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(value)}};
}

amqp_table_entry_t raw_int_entry(const char *name, int64_t value)
{
        return (amqp_table_entry_t){.key = amqp_cstring_bytes(name),
                                    .value = {.kind = AMQP_FIELD_KIND_I64, .value.i64 = value}};
}

void raw_declare_queue(amqp_connection_state_t c, const char *name, amqp_table_entry_t *entries,
                       int count)
{
        amqp_table_t arguments = {.num_entries = count, .entries = entries};

        amqp_queue_delete(c, RAW_CHANNEL, amqp_cstring_bytes(name), 0, 0);
        raw_check(amqp_get_rpc_reply(c), "cannot delete a queue");
        amqp_queue_declare(c, RAW_CHANNEL, amqp_cstring_bytes(name), 0, 1, 0, 0, arguments);
        raw_check(amqp_get_rpc_reply(c), "cannot declare a queue");
}

void raw_declare_exchange(amqp_connection_state_t c, const char *name, const char *type)
{
        amqp_exchange_declare(c, RAW_CHANNEL, amqp_cstring_bytes(name), amqp_cstring_bytes(type), 0,
                              1, 0, 0, amqp_empty_table);
        raw_check(amqp_get_rpc_reply(c), "cannot declare an exchange");
}

void raw_bind(amqp_connection_state_t c, const char *queue, const struct raw_target *to)
{
        amqp_queue_bind(c, RAW_CHANNEL, amqp_cstring_bytes(queue), amqp_cstring_bytes(to->exchange),
                        amqp_cstring_bytes(to->key), amqp_empty_table);
        raw_check(amqp_get_rpc_reply(c), "cannot bind");
}

void raw_consume(amqp_connection_state_t c, const char *queue, uint16_t prefetch,
                 amqp_table_entry_t *argument)
{
        amqp_table_t arguments = {.num_entries = argument != NULL, .entries = argument};

        amqp_basic_qos(c, RAW_CHANNEL, 0, prefetch, 0);
        amqp_basic_consume(c, RAW_CHANNEL, amqp_cstring_bytes(queue), amqp_empty_bytes, 0, 0, 0,
                           arguments);
        raw_check(amqp_get_rpc_reply(c), "cannot consume");
}
