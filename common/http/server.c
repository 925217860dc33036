/* SPDX-License-Identifier: Apache-2.0
 *
 * server.c: a civetweb context, and the steps of a request: framing, path, query, route,
 * authorizer, body, handler.
 *
 * All steps run in begin_request, before civetweb's own handlers (each costs a lock) and before
 * civetweb could serve a file. There is no TLS: Debian's civetweb 1.15 crashes on OpenSSL 3 at the
 * first handshake.
 */
#include "common/http/server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/http/answer.h"
#include "common/http/civetweb_quirks.h"
#include "common/http/connection.h"
#include "common/http/files.h"
#include "common/http/input.h"
#include "common/http/request.h"
#include "common/http/websockets.h"

#define HURRIED_DRAIN ((msec)500)
#define BODY_DEADLINE_DEFAULT ((msec)10 * MSEC_SECOND)
#define ANSWER_DEADLINE_DEFAULT ((msec)30 * MSEC_SECOND)
#define STOP_DEADLINE ((msec)5 * MSEC_SECOND)

enum { DRAIN_STEP_US = 2000 };

static void begin(struct http_request *r, struct mg_connection *c)
{
        r->server = mg_get_user_data(mg_get_context(c));
        r->civetweb = c;
        r->connection = mg_get_user_connection_data(c);
        r->info = mg_get_request_info(c);
        r->method = r->info->request_method != NULL ? r->info->request_method : "";
        r->raw_path = r->info->local_uri_raw != NULL ? r->info->local_uri_raw : "";
        r->began_us = clock_mono_us();
}

static void end(struct http_request *r)
{
        const struct http_server_config *c = &r->server->config;
        msec drain = r->hurried ? HURRIED_DRAIN : c->body_deadline;

        if (r->stream == STREAM_OPEN && !r->broken) {
                r->broken = true;
                connection_cut(r->connection, r->civetweb);
        }
        if (r->status == 0)
                http_problem(r, 500, "the handler gave no answer");
        input_drain_body(r, drain);
        answer_count(r);
        if (r->closing && !r->broken)
                connection_linger(r->connection);
        connection_await_request(r->connection);
        request_fini(r);
}

/* OPTIONS *: the methods of the whole server. */
static bool answer_for_server(struct http_request *r)
{
        char allow[ALLOW_SIZE];

        if (strcmp(r->raw_path, "*") != 0)
                return false;
        if (strcmp(r->method, "OPTIONS") != 0) {
                http_problem(r, 400, "the target * is allowed only with OPTIONS");
                return true;
        }
        route_methods(r->server->config.routes, allow);
        http_add_header(r, "Allow", "%s", allow);
        http_answer_empty(r, 204);
        return true;
}

/* Checks framing, path and query; false: the request was refused. */
static bool accept_form(struct http_request *r)
{
        struct err e = {0};

        int refusal = quirk_check_head(r->info, &e);
        if (refusal == 0)
                refusal = framing_check(r->info, &r->framing, &e);
        if (refusal != 0) {
                r->broken = true;
                http_problem(r, refusal, "%s", e.text);
                return false;
        }
        r->body_read = !r->framing.chunked && r->framing.length == 0;
        r->awaits_continue =
                r->framing.expects_continue && strcmp(r->info->http_version, "1.1") == 0;
        if (strcmp(r->raw_path, "*") != 0 && path_parse(r->raw_path, &r->path, &e) < 0) {
                http_problem(r, e.code == ERR_NOT_FOUND ? 404 : 400, "%s", e.text);
                return false;
        }
        if (query_parse(r->query_string, &r->query, &e) < 0) {
                http_problem(r, 400, "%s", e.text);
                return false;
        }
        return true;
}

static bool answer_preflight(struct http_request *r)
{
        const struct http_server_config *c = &r->server->config;

        return c->preflight != NULL && r->match.allow[0] != '\0' &&
               strcmp(r->method, "OPTIONS") == 0 && c->preflight(c->owner, r, r->match.allow);
}

/* Finds a route, or else a file; false: the request was answered. */
static bool find_route(struct http_request *r, const struct http_file **file)
{
        const char *method = r->method;

        route_match(r->server->config.routes, method, &r->path, &r->match);
        if (r->match.route != NULL)
                return true;
        if (answer_preflight(r))
                return false;
        if (r->match.allow[0] == '\0')
                *file = files_find(r->server->config.files, &r->path);
        if (*file != NULL && (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0))
                return true;
        if (*file != NULL)
                snprintf(r->match.allow, ALLOW_SIZE, "GET, HEAD");
        if (r->match.allow[0] == '\0') {
                http_problem(r, 404, "there is nothing at this path");
                return false;
        }
        http_add_header(r, "Allow", "%s", r->match.allow);
        http_problem(r, 405, "this path allows %s", r->match.allow);
        return false;
}

/* Reads the body, unless the handler does; false: the request was refused. */
static bool accept_body(struct http_request *r, const struct http_route *route)
{
        size_t max = route != NULL ? route->body_max : 0;

        if (r->body_read)
                return true;
        if (!input_accept_body(r, max))
                return false;
        return (route != NULL && route->streamed) || input_read_body(r, max);
}

static void serve(struct http_request *r)
{
        const struct http_server_config *c = &r->server->config;
        const struct http_file *file = NULL;

        if (!accept_form(r) || answer_for_server(r) || !find_route(r, &file))
                return;
        const struct http_route *route = r->match.route;
        /* Before the body is read: an unauthorized client must not cost that. */
        if (route != NULL && c->authorize != NULL && !c->authorize(c->owner, r, route))
                return;
        if (!accept_body(r, route))
                return;
        if (route != NULL)
                route->handle(c->owner, r);
        else
                files_answer(r, file);
}

static void refuse_busy(struct http_request *r, const char *why)
{
        r->last = true;
        r->hurried = true;
        http_problem(r, 503, "%s", why);
}

/* Counts the request; false: the server is stopping. */
static bool begin_serving(struct http_server *s)
{
        atomic_fetch_add(&s->unanswered, 1);
        if (!atomic_load(&s->closing))
                return true;
        atomic_fetch_sub(&s->unanswered, 1);
        return false;
}

static void handle(struct http_request *r)
{
        struct http_server *s = r->server;

        trace_continue(mg_get_header(r->civetweb, "traceparent"), r->traceparent);
        if (!connection_begin(r->connection, r->info)) {
                refuse_busy(r, "all threads of this server are busy");
                end(r);
        } else if (!begin_serving(s)) {
                refuse_busy(r, "this server is stopping");
                end(r);
        } else {
                serve(r);
                end(r);
                atomic_fetch_sub(&s->unanswered, 1);
        }
}

static int on_request(struct mg_connection *connection)
{
        struct http_request r = {0};

        begin(&r, connection);
        r.query_string = r.info->query_string;
        handle(&r);
        return r.status != 0 ? r.status : 500;
}

static void answer_on_close(struct mg_connection *connection)
{
        struct http_request r = {0};

        begin(&r, connection);
        quirk_split_target(r.info, &r.raw_path, &r.query_string);
        r.last = true;
        handle(&r);
}

/* civetweb refuses a request: its headers cannot be trusted, and the connection ends. */
static int on_error(struct mg_connection *connection, int status, const char *message)
{
        struct http_request r = {0};

        begin(&r, connection);
        r.method = "";
        r.raw_path = "";
        r.broken = true;
        trace_continue(NULL, r.traceparent);
        connection_end(r.connection, r.info);
        const char *detail = quirk_refusal(&status, message);
        http_problem(&r, status, "%s", detail);
        end(&r);
        return 0;
}

static int on_connection(const struct mg_connection *connection, void **data)
{
        struct http_server *s = mg_get_user_data(mg_get_context(connection));

        *data = connection_create(&s->connections);
        return 0;
}

static void on_close(const struct mg_connection *connection)
{
        struct connection *k = mg_get_user_connection_data(connection);

        if (quirk_is_unanswered(mg_get_request_info(connection)) && !connection_is_over(k))
                answer_on_close((struct mg_connection *)connection);
        connection_destroy(&k);
}

static int on_log(const struct mg_connection *connection, const char *message)
{
        (void)connection;
        LOG_DEBUG("civetweb", log_text("detail", message));
        return 1;
}

static void library_init(void)
{
        mg_init_library(MG_FEATURES_DEFAULT);
}

static int start(struct http_server *s, const struct http_server_config *c, struct err *e)
{
        char port[80];
        char threads[16];
        char timeout[24];
        char head[16];
        char text[256] = "";
        static const struct mg_callbacks callbacks = {
                .init_connection = on_connection,
                .connection_close = on_close,
                .begin_request = on_request,
                .http_error = on_error,
                .log_message = on_log,
        };

        snprintf(port, sizeof(port), "%s:%u", c->address, c->port);
        snprintf(threads, sizeof(threads), "%u", quirk_threads(c->threads));
        snprintf(timeout, sizeof(timeout), "%lld", (long long)s->config.body_deadline);
        snprintf(head, sizeof(head), "%d", QUIRK_HEAD_SIZE);
        const char *options[] = {"max_request_size", head, "listening_ports", port, "num_threads",
                                 threads, "request_timeout_ms", timeout, "keep_alive_timeout_ms",
                                 "20000", "enable_keep_alive", "yes", "tcp_nodelay", "1",
                                 /* route.c decodes: a segment may have an escaped slash. */
                                 "decode_url", "no", "decode_query_string", "no",
                                 "enable_auth_domain_check", "no", "enable_directory_listing", "no",
                                 "connection_queue", "256", "listen_backlog", "512", NULL};
        struct mg_init_data init = {
                .callbacks = &callbacks, .user_data = s, .configuration_options = options};
        struct mg_error_data error = {.text = text, .text_buffer_size = sizeof(text)};

        s->context = mg_start2(&init, &error);
        if (s->context == NULL)
                return err_set(e, ERR_UNAVAILABLE, "cannot listen on %s: %s", port,
                               text[0] != '\0'
                                       ? text
                                       : "the address is in use, or is not one of this machine");
        return 0;
}

struct http_server *http_server_create(const struct http_server_config *c, struct err *e)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        AUTO(http_server) s = xcalloc(1, sizeof(*s));
        struct mg_server_port ports[1] = {0};

        pthread_once(&once, library_init);
        s->config = *c;
        if (c->body_deadline == 0)
                s->config.body_deadline = BODY_DEADLINE_DEFAULT;
        if (c->answer_deadline == 0)
                s->config.answer_deadline = ANSWER_DEADLINE_DEFAULT;
        const struct in_addr address = {.s_addr = inet_addr(c->address)};
        s->connections.listener.port = htons(c->port);
        if (connections_init(&s->connections, address, c->threads, e) < 0 || start(s, c, e) < 0)
                return NULL;
        if (mg_get_server_ports(s->context, 1, ports) == 1)
                s->connections.listener.port = htons((uint16_t)ports[0].port);
        return TAKE(s);
}

/* After mg_stop civetweb writes nothing, so accepted requests are answered first. New ones are
 * refused, so that this ends even if clients keep coming. */
static void stop(struct http_server *s)
{
        atomic_store(&s->closing, true);
        watch_limit_all(s->connections.watch, STOP_DEADLINE);
        while (atomic_load(&s->unanswered) > 0)
                usleep(DRAIN_STEP_US);
        if (s->config.websockets != NULL)
                websockets_end(s->config.websockets);
        quirk_wake_to_stop(&s->connections.listener);
        mg_stop(s->context);
        quirk_close_left(&s->connections.listener);
}

void http_server_destroy(struct http_server **s)
{
        if (*s == NULL)
                return;
        if ((*s)->context != NULL)
                stop(*s);
        connections_fini(&(*s)->connections);
        free(*s);
        *s = NULL;
}

uint16_t http_server_port(const struct http_server *s)
{
        return ntohs(s->connections.listener.port);
}
