/* SPDX-License-Identifier: Apache-2.0
 *
 * connection.c: from a URL to a connection that is logged in, with TLS when the URL says so.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/amqp/link_parts.h"
#include "common/base/memory.h"
#include "common/base/own.h"

enum { FRAME_MAX = 131072, CHANNEL_MAX = 2, USER_TIMEOUT_MS = 5000 };

static struct timeval timeval_of(msec t)
{
        return (struct timeval){.tv_sec = t / 1000, .tv_usec = t % 1000 * 1000};
}

static bool has_userinfo(const char *url)
{
        const char *host = strstr(url, "://");
        const char *at = strchr(url, '@');
        const char *path = host == NULL ? NULL : strchr(host + 3, '/');

        return at != NULL && (path == NULL || at < path);
}

static int address_parse(struct address *a, char *url, struct err *e)
{
        struct amqp_connection_info info;
        AUTO_FREE char *text = xstrdup(url);

        if (has_userinfo(url))
                return err_set(e, ERR_INVALID,
                               "amqp URL: login and password have settings of "
                               "their own");
        if (amqp_parse_url(text, &info) != AMQP_STATUS_OK || info.host[0] == '\0')
                return err_set(e, ERR_INVALID, "amqp URL '%s': want amqp://host:port/vhost", url);
        *a = (struct address){.host = xstrdup(info.host),
                              .vhost = xstrdup(info.vhost),
                              .port = info.port,
                              .tls = info.ssl != 0};
        return 0;
}

int address_list_parse(struct link *l, const char *urls, struct err *e)
{
        AUTO_FREE char *text = xstrdup(urls);
        char *rest = NULL;

        l->addresses = xcalloc(LINK_URLS_MAX, sizeof(*l->addresses));
        for (char *url = strtok_r(text, ", ", &rest); url != NULL;
             url = strtok_r(NULL, ", ", &rest)) {
                if (l->address_count == LINK_URLS_MAX)
                        return err_set(e, ERR_INVALID, "more than %d amqp URLs", LINK_URLS_MAX);
                if (address_parse(&l->addresses[l->address_count], url, e) < 0)
                        return -1;
                l->address_count++;
        }
        if (l->address_count == 0)
                return err_set(e, ERR_INVALID, "no amqp URL");
        return 0;
}

void address_list_fini(struct link *l)
{
        for (size_t i = 0; i < l->address_count; i++) {
                free(l->addresses[i].host);
                free(l->addresses[i].vhost);
        }
        free(TAKE(l->addresses));
        l->address_count = 0;
}

int connection_send(struct link *l, amqp_channel_t channel, amqp_method_number_t id, void *method)
{
        int status = amqp_send_method(l->engine.connection, channel, id, method);

        return status == AMQP_STATUS_OK ? 0 : engine_fail_status(l, status, "send");
}

void connection_cork(struct link *l, bool cork)
{
        int on = cork;

        setsockopt(l->engine.fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
}

static amqp_socket_t *tls_socket(struct link *l)
{
        amqp_socket_t *socket = amqp_ssl_socket_new(l->engine.connection);

        if (socket == NULL) {
                engine_fail(l, ERR_SYSTEM, "no TLS socket");
                return NULL;
        }
        amqp_ssl_socket_set_verify_peer(socket, 1);
        amqp_ssl_socket_set_verify_hostname(socket, 1);
        amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST);
        if (l->ca_file == NULL)
                SSL_CTX_set_default_verify_paths(amqp_ssl_socket_get_context(socket));
        else if (amqp_ssl_socket_set_cacert(socket, l->ca_file) != AMQP_STATUS_OK) {
                engine_fail(l, ERR_INVALID, "cannot read the authorities in %s", l->ca_file);
                return NULL;
        }
        return socket;
}

static int open_socket(struct link *l, const struct address *a)
{
        struct timeval limit = timeval_of(CONNECT_LIMIT);
        amqp_socket_t *socket = a->tls ? tls_socket(l) : amqp_tcp_socket_new(l->engine.connection);

        if (socket == NULL)
                return engine_fail(l, ERR_SYSTEM, "no socket");
        int status = amqp_socket_open_noblock(socket, a->host, a->port, &limit);
        if (status != AMQP_STATUS_OK)
                return engine_fail_status(l, status, "connect");
        l->engine.fd = amqp_get_sockfd(l->engine.connection);

        /* Ends a write into a broker that has stopped reading; rabbitmq-c waits for ever. */
        int user_timeout = USER_TIMEOUT_MS;
        int on = 1;
        setsockopt(l->engine.fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout,
                   sizeof(user_timeout));
        setsockopt(l->engine.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

        pthread_mutex_lock(&l->mutex);
        bool stopping = l->stopping;
        l->shut_fd = l->engine.fd;
        pthread_mutex_unlock(&l->mutex);
        return stopping ? engine_fail(l, ERR_UNAVAILABLE, "stopping") : 0;
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

static int check_reply(struct link *l, amqp_rpc_reply_t reply, const char *doing)
{
        const amqp_connection_close_t *close = reply.reply.decoded;

        switch (reply.reply_type) {
        case AMQP_RESPONSE_NORMAL:
                return 0;
        case AMQP_RESPONSE_LIBRARY_EXCEPTION:
                return engine_fail_status(l, reply.library_error, doing);
        case AMQP_RESPONSE_SERVER_EXCEPTION:
                if (reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD)
                        return engine_fail(l, wire_reply_code(close->reply_code), "%s: %.*s", doing,
                                           (int)close->reply_text.len,
                                           (const char *)close->reply_text.bytes);
                return engine_fail(l, ERR_PROTOCOL, "%s: refused", doing);
        case AMQP_RESPONSE_NONE:
                break;
        }
        return engine_fail(l, ERR_UNAVAILABLE, "%s: the broker closed the connection", doing);
}

/* A broker that knows these tells a publisher that it is blocked, and a consumer that its queue is
 * gone. */
static int log_in(struct link *l, const struct address *a)
{
        amqp_table_entry_t abilities[] = {
                true_entry("connection.blocked"),           true_entry("consumer_cancel_notify"),
                true_entry("authentication_failure_close"), true_entry("basic.nack"),
                true_entry("publisher_confirms"),
        };
        amqp_table_entry_t properties[] = {
                text_entry("connection_name", l->name),
                text_entry("product", "Warren"),
                text_entry("version", WARREN_VERSION),
                {.key = amqp_cstring_bytes("capabilities"),
                 .value = {.kind = AMQP_FIELD_KIND_TABLE,
                           .value.table = {.num_entries = sizeof(abilities) / sizeof(abilities[0]),
                                           .entries = abilities}}},
        };
        amqp_table_t table = {.num_entries = sizeof(properties) / sizeof(properties[0]),
                              .entries = properties};
        int heartbeat = (int)((l->heartbeat + 999) / 1000);

        return check_reply(l,
                           amqp_login_with_properties(l->engine.connection, a->vhost, CHANNEL_MAX,
                                                      FRAME_MAX, heartbeat, &table,
                                                      AMQP_SASL_METHOD_PLAIN, l->login,
                                                      l->password),
                           "log in");
}

int connection_open_channel(struct link *l)
{
        amqp_channel_open_t open = {0};
        amqp_confirm_select_t select = {0};

        if (connection_send(l, WORK_CHANNEL, AMQP_CHANNEL_OPEN_METHOD, &open) < 0 ||
            connection_send(l, WORK_CHANNEL, AMQP_CONFIRM_SELECT_METHOD, &select) < 0)
                return -1;
        l->engine.epoch++;
        atomic_store(&l->live_epoch, l->engine.epoch);
        return 0;
}

int connection_open(struct link *l)
{
        struct engine *en = &l->engine;
        const struct address *a = &l->addresses[en->address];
        struct timeval handshake = timeval_of(HANDSHAKE_LIMIT);

        err_clear(&en->why);
        en->connection = amqp_new_connection();
        if (en->connection == NULL)
                return engine_fail(l, ERR_SYSTEM, "no connection object");
        amqp_set_handshake_timeout(en->connection, &handshake);
        amqp_set_rpc_timeout(en->connection, &handshake);
        if (open_socket(l, a) == 0 && log_in(l, a) == 0 && connection_open_channel(l) == 0)
                return 0;
        err_wrap(&en->why, "%s:%d", a->host, a->port);
        connection_close(l, false);
        return -1;
}

void connection_close(struct link *l, bool orderly)
{
        struct engine *en = &l->engine;

        if (en->connection == NULL)
                return;
        if (orderly) {
                struct timeval limit = timeval_of(CLOSE_LIMIT);
                amqp_set_rpc_timeout(en->connection, &limit);
                amqp_connection_close(en->connection, AMQP_REPLY_SUCCESS);
        }
        pthread_mutex_lock(&l->mutex);
        l->shut_fd = -1;
        pthread_mutex_unlock(&l->mutex);
        amqp_destroy_connection(en->connection);
        en->connection = NULL;
        en->fd = -1;
}
