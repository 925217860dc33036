/* SPDX-License-Identifier: Apache-2.0
 *
 * raw_link.h: connections to a broker by rabbitmq-c alone, for the ceiling: publishes with
 * confirms, queues, bindings. Each call blocks; the first failure says what failed and aborts the
 * program. One thread per link.
 */
#ifndef WARREN_BENCH_RAW_LINK_H
#define WARREN_BENCH_RAW_LINK_H

#include <stdint.h>

#include "common/amqp/rabbitmq.h"

enum { RAW_CHANNEL = 1 };

struct raw_login {
        int port;
        const char *name, *password;
};

struct raw_target {
        const char *exchange, *key;
        amqp_boolean_t mandatory;
};

/* A confirm came for the publish of this tag, which counts from 1. Order: as the broker confirms.
 */
typedef void raw_confirmed_fn(void *owner, uint64_t tag);

/* A multiple ack settles every tag up to its own; single acks may come out of order. */
struct raw_link {
        amqp_connection_state_t connection;
        uint64_t published, settled_below; /* every tag below is settled */
        int64_t open;
        unsigned char *settled; /* indexed by tag modulo `size` */
        size_t size;
        raw_confirmed_fn *confirmed; /* may be NULL */
        void *owner;
};

_Noreturn void raw_die(const char *what);
void raw_check(amqp_rpc_reply_t reply, const char *what);
void raw_check_status(int status, const char *what);

amqp_connection_state_t raw_connect(const struct raw_login *login);
void raw_disconnect(amqp_connection_state_t c);

/* Opens a link in confirm mode. size: more than the tags between the oldest open one and the
 * newest. */
struct raw_link raw_link_open(const struct raw_login *login, size_t size);
void raw_link_close(struct raw_link *l);

void raw_publish(struct raw_link *l, const struct raw_target *to,
                 const amqp_basic_properties_t *properties, amqp_bytes_t body);
/* Takes the confirms that are there, and waits for more until at most `allowed` publishes are open.
 */
void raw_confirms_take(struct raw_link *l, int64_t allowed);
/* A publish is three small writes. Between cork(1) and cork(0) they leave in full segments, which
 * saves work on both sides. */
void raw_cork(struct raw_link *l, int on);

amqp_table_entry_t raw_text_entry(const char *name, const char *value);
amqp_table_entry_t raw_int_entry(const char *name, int64_t value);

/* Declares a durable queue, after deleting the one that has the name. */
void raw_declare_queue(amqp_connection_state_t c, const char *name, amqp_table_entry_t *entries,
                       int count);
void raw_declare_exchange(amqp_connection_state_t c, const char *name, const char *type);
void raw_bind(amqp_connection_state_t c, const char *queue, const struct raw_target *to);
/* Consumes with acks. `argument` may be NULL. */
void raw_consume(amqp_connection_state_t c, const char *queue, uint16_t prefetch,
                 amqp_table_entry_t *argument);

#endif
