/* SPDX-License-Identifier: Apache-2.0
 *
 * login.c: connects and logs in.
 */
#include "common/amqp/login.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#define CONNECT_LIMIT ((msec)3000)
#define HANDSHAKE_LIMIT ((msec)5000)

enum { FRAME_MAX = 131072, READ_FRAME_MAX = 1024 * 1024, USER_TIMEOUT_MS = 5000 };

static struct timeval timeval_of(msec t)
{
        return (struct timeval){.tv_sec = t / 1000, .tv_usec = t % 1000 * 1000};
}

static amqp_socket_t *tls_socket(amqp_connection_state_t c, const char *ca_file, struct err *e)
{
        amqp_socket_t *socket = amqp_ssl_socket_new(c);

        if (socket == NULL) {
                err_set(e, ERR_SYSTEM, "no TLS socket");
                return NULL;
        }
        amqp_ssl_socket_set_verify_peer(socket, 1);
        amqp_ssl_socket_set_verify_hostname(socket, 1);
        amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST);
        if (ca_file == NULL)
                SSL_CTX_set_default_verify_paths(amqp_ssl_socket_get_context(socket));
        else if (amqp_ssl_socket_set_cacert(socket, ca_file) != AMQP_STATUS_OK) {
                err_set(e, ERR_INVALID, "cannot read the certificate authorities in %s", ca_file);
                return NULL;
        }
        return socket;
}

static int open_socket(amqp_connection_state_t connection, const struct address *a,
                       const struct login *l, struct err *e)
{
        struct timeval limit = timeval_of(CONNECT_LIMIT);
        amqp_socket_t *socket = a->tls ? tls_socket(connection, l->settings->ca_file, e)
                                       : amqp_tcp_socket_new(connection);

        if (socket == NULL)
                return err_set(e, ERR_SYSTEM, "no socket");
        int status = amqp_socket_open_noblock(socket, a->host, a->port, &limit);
        if (status != AMQP_STATUS_OK)
                return wire_fail(status, "connect", e);
        int fd = amqp_get_sockfd(connection);

        /* Ends a write when the broker stops reading; rabbitmq-c would wait for ever. */
        int user_timeout = USER_TIMEOUT_MS;
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout, sizeof(user_timeout));
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        return l->opened(l->owner, fd) ? 0 : err_set(e, ERR_UNAVAILABLE, "stopping");
}

static amqp_table_entry_t text_entry(const char *key, const char *text)
{
        return (amqp_table_entry_t){
                .key = amqp_cstring_bytes(key),
                .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(text)},
        };
}

static amqp_table_entry_t true_entry(const char *key)
{
        return (amqp_table_entry_t){
                .key = amqp_cstring_bytes(key),
                .value = {.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1},
        };
}

static int check_reply(amqp_rpc_reply_t reply, struct err *e)
{
        const amqp_connection_close_t *close = reply.reply.decoded;

        switch (reply.reply_type) {
        case AMQP_RESPONSE_NORMAL:
                return 0;
        case AMQP_RESPONSE_LIBRARY_EXCEPTION:
                return wire_fail(reply.library_error, "log in", e);
        case AMQP_RESPONSE_SERVER_EXCEPTION:
                if (reply.reply.id != AMQP_CONNECTION_CLOSE_METHOD)
                        return err_set(e, ERR_PROTOCOL, "log in: refused");
                (void)wire_refusal(close->reply_code, close->reply_text, e);
                return err_wrap(e, "log in");
        case AMQP_RESPONSE_NONE:
                break;
        }
        return err_set(e, ERR_UNAVAILABLE, "log in: the broker closed the connection");
}

/* With these capabilities the broker announces that it blocks publishers, and cancels a consumer
 * whose queue was deleted. */
static int log_in(amqp_connection_state_t connection, const struct address *a,
                  const struct login *l, struct err *e)
{
        amqp_table_entry_t capabilities[] = {
                true_entry("connection.blocked"),           true_entry("consumer_cancel_notify"),
                true_entry("authentication_failure_close"), true_entry("basic.nack"),
                true_entry("publisher_confirms"),
        };
        amqp_table_entry_t properties[] = {
                text_entry("connection_name", l->settings->name),
                text_entry("product", "Warren"),
                text_entry("version", WARREN_VERSION),
                {.key = amqp_cstring_bytes("capabilities"),
                 .value = {.kind = AMQP_FIELD_KIND_TABLE,
                           .value.table = {.num_entries =
                                                   sizeof(capabilities) / sizeof(capabilities[0]),
                                           .entries = capabilities}}},
        };
        amqp_table_t table = {.num_entries = sizeof(properties) / sizeof(properties[0]),
                              .entries = properties};
        int heartbeat = (int)((l->settings->heartbeat + 999) / 1000);

        return check_reply(amqp_login_with_properties(connection, a->vhost, CHANNEL_MAX, FRAME_MAX,
                                                      heartbeat, &table, AMQP_SASL_METHOD_PLAIN,
                                                      l->settings->login, l->settings->password),
                           e);
}

/* Raises the limit for reading only: *frame_max, agreed with the broker, limits sending. */
static int read_larger(amqp_connection_state_t connection, size_t *frame_max, struct err *e)
{
        *frame_max = (size_t)amqp_get_frame_max(connection);
        int status = amqp_tune_connection(connection, amqp_get_channel_max(connection),
                                          READ_FRAME_MAX, amqp_get_heartbeat(connection));
        return status == AMQP_STATUS_OK ? 0 : wire_fail(status, "login", e);
}

amqp_connection_state_t login_open(const struct address *a, const struct login *l,
                                   size_t *frame_max, struct err *e)
{
        struct timeval handshake = timeval_of(HANDSHAKE_LIMIT);
        amqp_connection_state_t connection = amqp_new_connection();

        if (connection == NULL) {
                err_set(e, ERR_SYSTEM, "no connection object");
                return NULL;
        }
        amqp_set_handshake_timeout(connection, &handshake);
        amqp_set_rpc_timeout(connection, &handshake);
        if (open_socket(connection, a, l, e) == 0 && log_in(connection, a, l, e) == 0 &&
            read_larger(connection, frame_max, e) == 0)
                return connection;
        err_wrap(e, "%s:%d", a->host, a->port);
        l->opened(l->owner, -1);
        amqp_destroy_connection(connection);
        return NULL;
}
