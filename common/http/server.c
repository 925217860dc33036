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
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/http/connection.h"
#include "common/http/request.h"

#define BODY_DEADLINE_DEFAULT ((msec)10 * MSEC_SECOND)

enum { DRAIN_STEP_US = 2000 };

struct http_server {
        struct http_server_config config;
        struct mg_context *context;
        struct watch *watch;
        struct in_addr address;
        uint16_t port;
        atomic_bool closing; /* nothing new is let in */
        atomic_bool closed;  /* civetweb has stopped */
        atomic_int handling; /* requests that were let in and are not answered yet */
        /* guarded by date_mutex */
        pthread_mutex_t date_mutex;
        time_t date_at;
        char date[48];
};

static void begin(struct http_request *r, struct http_server *s, struct mg_connection *c)
{
        r->server = s;
        r->connection = c;
        r->info = mg_get_request_info(c);
        r->method = r->info->request_method != NULL ? r->info->request_method : "";
        r->raw_path = r->info->local_uri_raw != NULL ? r->info->local_uri_raw : "";
        r->began_us = clock_mono_us();
}

static void end(struct http_request *r)
{
        const struct http_server_config *c = &r->server->config;

        if (r->status == 0)
                http_problem(r, 500, "the handler gave no answer");
        request_drain_body(r, r->server->watch, c->body_deadline);
        server_count(r);
        request_fini(r);
}

/* Framing, path and query; false when the request was refused. */
static bool accept_form(struct http_request *r)
{
        struct err e = {0};

        if (framing_check(r->info, &r->framing, &e) < 0) {
                r->broken = true;
                http_problem(r, r->framing.refusal, "%s", e.text);
                return false;
        }
        r->body_read = !r->framing.chunked && r->framing.length == 0;
        if (path_parse(r->raw_path, &r->path, &e) < 0) {
                http_problem(r, e.code == ERR_NOT_FOUND ? 404 : 400, "%s", e.text);
                return false;
        }
        if (query_parse(r->info->query_string, &r->query, &e) < 0) {
                http_problem(r, 400, "%s", e.text);
                return false;
        }
        return true;
}

static bool find_route(struct http_request *r)
{
        route_match(r->server->config.routes, r->method, &r->path, &r->match);
        if (r->match.route != NULL)
                return true;
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
        const struct http_server_config *c = &r->server->config;

        if (!accept_form(r))
                return;
        if (!find_route(r))
                return;
        /* Who may not come in has no body read for him. */
        if (c->authorize != NULL && !c->authorize(c->owner, r, r->match.route))
                return;
        if (!request_read_body(r, r->server->watch, r->match.route->body_max, c->body_deadline))
                return;
        r->match.route->handle(c->owner, r);
}

/* Once it is told to stop civetweb writes nothing any more, so who was let in is answered first. */
static bool let_in(struct http_request *r)
{
        atomic_fetch_add(&r->server->handling, 1);
        if (!atomic_load(&r->server->closing))
                return true;
        r->broken = true;
        http_add_header(r, "Retry-After", "1");
        http_problem(r, 503, "this server is stopping");
        return false;
}

static int on_request(struct mg_connection *connection)
{
        struct http_request r = {0};

        begin(&r, mg_get_user_data(mg_get_context(connection)), connection);
        connection_resumed(connection);
        trace_continue(mg_get_header(connection, "traceparent"), r.traceparent);
        if (let_in(&r))
                serve(&r);
        int status = r.status;
        end(&r);
        atomic_fetch_sub(&r.server->handling, 1);
        return status != 0 ? status : 500;
}

/* civetweb's status and words for what it refuses by itself, made right: 413 when it has only read
 * headers so far, 411 for a Content-Length that is no number. */
static const char *refusal(int *status, const char *message)
{
        if (*status == 413)
                *status = 431;
        if (*status == 411)
                *status = 400;
        if (message == NULL)
                return "";
        if (strcmp(message, "Malformed message") == 0)
                return "this is no HTTP/1.1 request, or its headers are larger than 16 KiB, or "
                       "they did not arrive in time";
        if (strcmp(message, "Bad request") == 0)
                return "the request line or a header is malformed";
        return message;
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
        const char *detail = refusal(&status, message);
        http_problem(&r, status, "%s", detail);
        end(&r);
        return 0;
}

static int on_log(const struct mg_connection *connection, const char *message)
{
        (void)connection;
        LOG_DEBUG("civetweb", log_text("detail", message));
        return 1;
}

void server_count(struct http_request *r)
{
        const struct http_server_config *c = &r->server->config;

        if (!r->counted && c->answered != NULL)
                c->answered(c->owner, r->match.route, r->status, clock_mono_us() - r->began_us);
        r->counted = true;
}

void server_decorate(struct http_request *r)
{
        const struct http_server_config *c = &r->server->config;

        if (c->decorate != NULL)
                c->decorate(c->owner, r);
}

void server_add_date(const struct http_request *r, struct buffer *out)
{
        struct http_server *s = r->server;
        time_t now = (time_t)(clock_wall() / MSEC_SECOND);

        pthread_mutex_lock(&s->date_mutex);
        if (now != s->date_at) {
                struct tm utc = {0};
                gmtime_r(&now, &utc);
                strftime(s->date, sizeof(s->date), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
                s->date_at = now;
        }
        buffer_add_text(out, s->date);
        pthread_mutex_unlock(&s->date_mutex);
}

bool server_is_closing(const struct http_request *r)
{
        return atomic_load_explicit(&r->server->closing, memory_order_relaxed);
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
        char text[256] = "";
        static const struct mg_callbacks callbacks = {
                .init_connection = connection_opened,
                .connection_close = connection_closing,
                .begin_request = on_request,
                .http_error = on_error,
                .log_message = on_log,
        };

        snprintf(port, sizeof(port), "%s:%u", c->address, c->port);
        snprintf(threads, sizeof(threads), "%u", c->threads);
        snprintf(timeout, sizeof(timeout), "%lld", (long long)s->config.body_deadline);
        const char *options[] = {"listening_ports", port, "num_threads", threads,
                                 "request_timeout_ms", timeout, "keep_alive_timeout_ms", "20000",
                                 "enable_keep_alive", "yes", "tcp_nodelay", "1",
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
        pthread_mutex_init(&s->date_mutex, NULL);
        s->config = *c;
        s->address.s_addr = inet_addr(c->address);
        if (s->config.body_deadline == 0)
                s->config.body_deadline = BODY_DEADLINE_DEFAULT;
        s->watch = watch_create(e);
        if (s->watch == NULL || start(s, c, e) < 0)
                return NULL;
        if (mg_get_server_ports(s->context, 1, ports) == 1)
                s->port = (uint16_t)ports[0].port;
        return TAKE(s);
}

/* civetweb's accepting thread looks up every 2 s only (1.15), or when somebody knocks. */
static void *knock(void *owner)
{
        struct http_server *s = owner;
        const struct sockaddr_in door = {
                .sin_family = AF_INET, .sin_port = htons(s->port), .sin_addr = s->address};

        while (!atomic_load(&s->closed)) {
                AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
                if (fd >= 0)
                        (void)connect(fd, (const struct sockaddr *)&door, sizeof(door));
                usleep(DRAIN_STEP_US);
        }
        return NULL;
}

static void stop(struct http_server *s)
{
        pthread_t knocker;
        bool knocks = pthread_create(&knocker, NULL, knock, s) == 0;

        mg_stop(s->context);
        atomic_store(&s->closed, true);
        if (knocks)
                pthread_join(knocker, NULL);
}

void http_server_destroy(struct http_server **s)
{
        if (*s == NULL)
                return;
        atomic_store(&(*s)->closing, true);
        while (atomic_load(&(*s)->handling) > 0)
                usleep(DRAIN_STEP_US);
        if ((*s)->context != NULL)
                stop(*s);
        watch_destroy(&(*s)->watch);
        pthread_mutex_destroy(&(*s)->date_mutex);
        free(*s);
        *s = NULL;
}

uint16_t http_server_port(const struct http_server *s)
{
        return s->port;
}
