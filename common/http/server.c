/* SPDX-License-Identifier: Apache-2.0
 *
 * server.c: a civetweb context, and the way of a request through it: framing, path, query, route,
 * body, authorizer, handler.
 *
 * Everything happens in begin_request, which comes before civetweb's own handlers (each of which
 * costs a lock) and before any file can be served. TLS is left out: Debian's civetweb 1.15 crashes
 * on OpenSSL 3 at the first handshake.
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
#include "common/http/files_answer.h"
#include "common/http/input.h"
#include "common/http/prepared.h"
#include "common/http/request.h"
#include "common/http/websockets.h"

#define HURRIED_DRAIN ((msec)500)

enum { DRAIN_STEP_US = 2000 };

struct http_server {
        struct serving serving; /* first: a request knows its server by it */
        struct mg_context *context;
        struct connections connections;
        atomic_int let_in; /* requests that are not answered yet */
};

static struct http_server *server_of(const struct http_request *r)
{
        return (struct http_server *)r->serving;
}

static void begin(struct http_request *r, struct http_server *s, struct mg_connection *c)
{
        r->serving = &s->serving;
        r->connection = c;
        r->known = mg_get_user_connection_data(c);
        r->info = mg_get_request_info(c);
        r->method = r->info->request_method != NULL ? r->info->request_method : "";
        r->raw_path = r->info->local_uri_raw != NULL ? r->info->local_uri_raw : "";
        r->began_us = clock_mono_us();
}

static void end(struct http_request *r)
{
        const struct http_server_config *c = &r->serving->config;
        msec drain = r->hurried ? HURRIED_DRAIN : c->body_deadline;

        if (r->stream == STREAM_OPEN && !r->broken) {
                r->broken = true;
                connection_cut(r->known, r->connection);
        }
        if (r->status == 0)
                http_problem(r, 500, "the handler gave no answer");
        input_drain_body(r, server_of(r)->connections.watch, drain);
        answer_count(r);
        if (r->closing && !r->broken)
                connection_linger(r->known);
        connection_rest(r->known);
        prepared_fini(r);
        request_fini(r);
}

/* OPTIONS * asks what the server can do at all. */
static bool answer_for_server(struct http_request *r)
{
        char allow[ALLOW_SIZE];

        if (strcmp(r->raw_path, "*") != 0)
                return false;
        if (strcmp(r->method, "OPTIONS") != 0) {
                http_problem(r, 400, "the target * goes with OPTIONS only");
                return true;
        }
        route_methods(r->serving->config.routes, allow);
        http_add_header(r, "Allow", "%s", allow);
        http_answer_empty(r, 204);
        return true;
}

/* Framing, path and query; false when the request was refused. */
static bool accept_form(struct http_request *r)
{
        struct err e = {0};

        int refusal = quirk_check_head(r->info, &e);
        if (refusal == 0 && framing_check(r->info, &r->framing, &e) < 0)
                refusal = r->framing.refusal;
        if (refusal != 0) {
                r->broken = true;
                http_problem(r, refusal, "%s", e.text);
                return false;
        }
        r->body_read = !r->framing.chunked && r->framing.length == 0;
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

/* Finds what answers: a route, or else a file. */
static bool find_route(struct http_request *r, const struct http_file **file)
{
        const char *method = r->method;

        route_match(r->serving->config.routes, method, &r->path, &r->match);
        if (r->match.route != NULL)
                return true;
        if (r->match.allow[0] == '\0')
                *file = files_find(r->serving->config.files, &r->path);
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

static void serve(struct http_request *r)
{
        const struct http_server_config *c = &r->serving->config;
        const struct http_file *file = NULL;

        if (!accept_form(r) || answer_for_server(r) || !find_route(r, &file))
                return;
        const struct http_route *route = r->match.route;
        /* Who may not come in has no body read for him. */
        if (route != NULL && c->authorize != NULL && !c->authorize(c->owner, r, route))
                return;
        if (!input_read_body(r, server_of(r)->connections.watch,
                             route != NULL ? route->body_max : 0, c->body_deadline))
                return;
        if (route != NULL)
                route->handle(c->owner, r);
        else
                files_answer(r, file);
}

static void turn_away(struct http_request *r, const char *why)
{
        r->last = true;
        r->hurried = true;
        http_add_header(r, "Retry-After", "1");
        http_problem(r, 503, "%s", why);
}

/* Counts it, unless the server is stopping. */
static bool begin_serving(struct http_server *s)
{
        atomic_fetch_add(&s->let_in, 1);
        if (!atomic_load(&s->serving.closing))
                return true;
        atomic_fetch_sub(&s->let_in, 1);
        return false;
}

static bool has_seat(struct http_request *r)
{
        struct http_server *s = server_of(r);
        bool first = false;

        if (connection_begin(r->known, r->info, &first))
                return true;
        if (first)
                LOG_WARN("a port is full: requests are refused with 503",
                         log_int("port", http_server_port(s)),
                         log_int("threads", s->serving.config.threads));
        return false;
}

static void handle(struct http_request *r)
{
        struct http_server *s = server_of(r);

        trace_continue(mg_get_header(r->connection, "traceparent"), r->traceparent);
        if (!has_seat(r)) {
                turn_away(r, "all threads of this server are busy");
                end(r);
        } else if (!begin_serving(s)) {
                turn_away(r, "this server is stopping");
                end(r);
        } else {
                serve(r);
                end(r);
                atomic_fetch_sub(&s->let_in, 1);
        }
}

static int on_request(struct mg_connection *connection)
{
        struct http_request r = {0};

        begin(&r, mg_get_user_data(mg_get_context(connection)), connection);
        r.query_string = r.info->query_string;
        handle(&r);
        return r.status != 0 ? r.status : 500;
}

static void answer_unheard(struct mg_connection *connection)
{
        struct http_request r = {0};

        begin(&r, mg_get_user_data(mg_get_context(connection)), connection);
        quirk_split_target(r.info, &r.raw_path, &r.query_string);
        r.last = true;
        handle(&r);
}

/* The request's headers cannot be trusted, and the connection ends. */
static int on_error(struct mg_connection *connection, int status, const char *message)
{
        struct http_request r = {0};

        begin(&r, mg_get_user_data(mg_get_context(connection)), connection);
        r.method = "";
        r.raw_path = "";
        r.broken = true;
        trace_continue(NULL, r.traceparent);
        connection_end(r.known, r.info);
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
                answer_unheard((struct mg_connection *)connection);
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
        snprintf(timeout, sizeof(timeout), "%lld", (long long)s->serving.config.body_deadline);
        snprintf(head, sizeof(head), "%d", QUIRK_HEAD_SIZE);
        const char *options[] = {"max_request_size", head, "listening_ports", port, "num_threads",
                                 threads, "request_timeout_ms", timeout, "keep_alive_timeout_ms",
                                 "20000", "enable_keep_alive", "yes", "tcp_nodelay", "1",
                                 /* A segment may hold an escaped slash: this side decodes. */
                                 "decode_url", "no", "decode_query_string", "no",
                                 "enable_auth_domain_check", "no", "enable_directory_listing", "no",
                                 "connection_queue", "256", "listen_backlog", "512", NULL};
        struct mg_init_data init = {
                .callbacks = &callbacks, .user_data = s, .configuration_options = options};
        struct mg_error_data error = {.text = text, .text_buffer_size = sizeof(text)};

        s->context = mg_start2(&init, &error);
        if (s->context == NULL)
                return err_set(e, ERR_UNAVAILABLE, "cannot listen on %s: %s", port,
                               text[0] != '\0' ? text : "the address is in use or not ours");
        return 0;
}

struct http_server *http_server_create(const struct http_server_config *c, struct err *e)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        AUTO(http_server) s = xcalloc(1, sizeof(*s));
        struct mg_server_port ports[1] = {0};

        pthread_once(&once, library_init);
        serving_init(&s->serving, c);
        const struct in_addr address = {.s_addr = inet_addr(c->address)};
        s->connections.listener.port = htons(c->port);
        if (connections_init(&s->connections, address, c->threads, e) < 0 || start(s, c, e) < 0)
                return NULL;
        if (mg_get_server_ports(s->context, 1, ports) == 1)
                s->connections.listener.port = htons((uint16_t)ports[0].port);
        return TAKE(s);
}

/* Once it is told to stop, civetweb writes nothing any more: so what was let in is answered first.
 * Nobody is let in meanwhile, so that it ends however many clients go on to come. */
static void stop(struct http_server *s)
{
        atomic_store(&s->serving.closing, true);
        watch_limit_all(s->connections.watch, s->serving.config.stop_deadline);
        while (atomic_load(&s->let_in) > 0)
                usleep(DRAIN_STEP_US);
        if (s->serving.config.websockets != NULL)
                websockets_end(s->serving.config.websockets);
        quirk_wake_to_stop(&s->connections.listener);
        mg_stop(s->context);
}

void http_server_destroy(struct http_server **s)
{
        if (*s == NULL)
                return;
        if ((*s)->context != NULL)
                stop(*s);
        connections_fini(&(*s)->connections);
        serving_fini(&(*s)->serving);
        free(*s);
        *s = NULL;
}

uint16_t http_server_port(const struct http_server *s)
{
        return ntohs(s->connections.listener.port);
}
