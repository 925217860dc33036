/* SPDX-License-Identifier: Apache-2.0
 *
 * echo_server.c: a server that echoes bodies and WebSocket messages, for the tests of common/http.
 * Prints its port and serves until its standard input ends. It prints a line for each answer that
 * it withholds; each byte of input releases one. It also prints a line when a stream or a WebSocket
 * ends. Arguments: its address, threads, folder of files or "", and silence_max of its WebSockets.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/http/body.h"
#include "common/http/files.h"
#include "common/http/server.h"
#include "common/http/stream.h"
#include "common/http/websocket.h"

enum {
        LARGE = 16 * 1024 * 1024, /* more than a socket takes at once */
        PIECES_MAX = 16 * 16384,
};

static atomic_int sends;
static sem_t let_go;
static struct websockets *sockets;

static void say(const char *line)
{
        puts(line);
        fflush(stdout);
}

/* A program's own function takes precedence over libc's, also in libraries. So this counts the
 * writes of civetweb and those that common/http makes without it. */
ssize_t send(int fd, const void *data, size_t size, int flags)
{
        atomic_fetch_add(&sends, 1);
        return sendto(fd, data, size, flags, NULL, 0);
}

/* Answers with the number of writes before this answer. */
static void count(void *owner, struct http_request *r)
{
        (void)owner;
        http_answer_json(r, 200, json_integer(atomic_load(&sends)));
}

static void echo(void *owner, struct http_request *r)
{
        (void)owner;
        if (http_body_is_json(r))
                http_answer(r, 200, "application/octet-stream", http_body(r));
}

static size_t number(struct http_request *r, const char *name)
{
        const char *text = http_query(r, name);

        return text != NULL ? strtoul(text, NULL, 10) : 0;
}

/* Echoes what came of a body, and says how it ended; `refuse`: with its problem. `most`: reads only
 * until so many bytes have come. `pause`: waits so many ms between pieces. */
static void pieces(void *owner, struct http_request *r)
{
        static const char *const ends[] = {
                [PIECE_MORE] = "more", [PIECE_END] = "end",       [PIECE_OVER] = "over",
                [PIECE_LATE] = "late", [PIECE_BROKEN] = "broken", [PIECE_STOPPED] = "stopped"};
        size_t most = http_query(r, "most") != NULL ? number(r, "most") : SIZE_MAX;
        size_t pause = number(r, "pause");
        AUTO_BUFFER text = {0};
        enum body_piece end = PIECE_MORE;
        int count = 0;

        (void)owner;
        while (end == PIECE_MORE && text.length < most) {
                if (count++ > 0)
                        usleep((useconds_t)pause * 1000);
                end = http_body_next(r, &text);
                if (count == 1 && pause > 0)
                        say("piece");
        }
        if (http_query(r, "refuse") != NULL && end > PIECE_END) {
                http_body_refuse(r, end);
                return;
        }
        http_add_header(r, "Pieces", "%d", count);
        http_add_header(r, "End", "%s", ends[end]);
        http_answer(r, 200, "application/octet-stream", buffer_bytes(&text));
}

static void thing(void *owner, struct http_request *r)
{
        static const char *const known[] = {"a", NULL};

        (void)owner;
        if (http_query_only(r, known))
                http_answer_json(r, 200,
                                 json_pack("{s:s,s:s?}", "id", http_param(r, "id"), "a",
                                           http_query(r, "a")));
}

/* Answers with what the request is known by; status: of the answer, before it is given. */
static void asked(void *owner, struct http_request *r)
{
        bool several;

        (void)owner;
        http_answer_json(r, 200,
                         json_pack("{s:s,s:i,s:s?}", "peer", http_peer(r), "status", http_status(r),
                                   "cookie", http_cookie(r, "warren", &several)));
}

static bool preflight(void *owner, struct http_request *r, const char *allow)
{
        (void)owner;
        if (http_header(r, "Access-Control-Request-Method") == NULL)
                return false;
        http_add_header(r, "Access-Control-Allow-Methods", "%s", allow);
        http_answer_empty(r, 204);
        return true;
}

static void silent(void *owner, struct http_request *r)
{
        (void)owner;
        (void)r;
}

struct later {
        struct http_request *r;
        bool given, held;
        useconds_t us;
};

static void *decide(void *owner)
{
        const struct later l = *(const struct later *)owner;

        if (l.held) {
                say("held");
                sem_wait(&let_go);
        } else {
                usleep(l.us);
        }
        if (l.given)
                http_give(l.r);
        else
                http_withhold(l.r);
        return NULL;
}

/* An answer that another thread gives after a while, or withholds. */
static void later(void *owner, struct http_request *r)
{
        const char *what = http_param(r, "what");
        size_t size = strcmp(what, "large") == 0 ? LARGE : strlen(what);
        struct later l = {.r = r,
                          .given = strcmp(what, "withheld") != 0,
                          .held = strcmp(what, "held") == 0,
                          .us = strcmp(what, "slow") == 0 ? 1000000 : 20000};
        pthread_t thread;

        (void)owner;
        char *body = xmalloc(size);
        memset(body, 'x', size);
        http_prepare(r, 202, "text/plain", "/here", bytes_of(body, size));
        free(body);
        if (strcmp(what, "never") == 0 || pthread_create(&thread, NULL, decide, &l) != 0) {
                http_problem(r, 503, "not handed over");
                return;
        }
        if (!http_await(r))
                http_problem(r, 503, "withheld");
        pthread_join(thread, NULL);
}

static void large(void *owner, struct http_request *r)
{
        (void)owner;
        char *body = xmalloc(LARGE);
        memset(body, 'x', LARGE);
        http_answer(r, 200, "text/plain", bytes_of(body, LARGE));
        free(body);
}

static void stream_lines(struct http_request *r)
{
        static const char *const lines[] = {"one\n", "two\n", "three\n"};

        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
                if (http_stream_write(r, bytes_of_text(lines[i])) < 0)
                        return;
        }
        http_stream_end(r);
}

static void stream_large(struct http_request *r, bool endless)
{
        AUTO_BUFFER piece = {0};

        buffer_reserve(&piece, LARGE / 16);
        memset(piece.data, 'x', LARGE / 16);
        piece.length = LARGE / 16;
        for (int i = 0; endless || i < 16; i++) {
                if (http_stream_write(r, buffer_bytes(&piece)) < 0) {
                        say("over");
                        return;
                }
        }
        http_stream_end(r);
}

static void stream(void *owner, struct http_request *r)
{
        const char *what = http_param(r, "what");

        (void)owner;
        if (http_stream_begin(r, 200, "text/plain") < 0)
                return;
        if (strcmp(what, "lines") == 0)
                stream_lines(r);
        else if (strcmp(what, "left") == 0)
                (void)!http_stream_write(r, bytes_of_text("part"));
        else if (strcmp(what, "empty") == 0)
                http_stream_end(r);
        else if (strcmp(what, "waiting") == 0) {
                (void)!http_stream_write(r, bytes_of_text("wait\n"));
                while (!http_stream_is_over(r))
                        usleep(20000);
                say("over");
        } else
                stream_large(r, strcmp(what, "endless") == 0);
}

static void opened(void *user, uint64_t socket)
{
        (void)user;
        (void)socket;
        say("opened");
}

static void *send_from_thread(void *id)
{
        struct err e = {0};

        (void)!websockets_send(sockets, (uint64_t)(uintptr_t)id, bytes_of_text("from a thread"),
                               &e);
        return NULL;
}

static void flood(uint64_t socket)
{
        AUTO_BUFFER text = {0};
        struct err e = {0};

        buffer_reserve(&text, 65536);
        memset(text.data, 'y', 65536);
        text.length = 65536;
        while (websockets_send(sockets, socket, buffer_bytes(&text), &e) == 0)
                continue;
        say(e.code == ERR_FULL ? "full" : "gone");
}

static void message(void *user, uint64_t socket, struct bytes text)
{
        pthread_t thread;
        struct err e = {0};

        (void)user;
        if (bytes_equal_text(text, "flood")) {
                flood(socket);
        } else if (bytes_equal_text(text, "close")) {
                websockets_close(sockets, socket, 4001);
        } else if (bytes_equal_text(text, "thread")) {
                if (pthread_create(&thread, NULL, send_from_thread, (void *)(uintptr_t)socket) == 0)
                        pthread_detach(thread);
        } else if (websockets_send(sockets, socket, text, &e) < 0) {
                say(e.text);
        }
}

static void closed(void *user, uint64_t socket)
{
        (void)user;
        (void)socket;
        say("closed");
}

static void live(void *owner, struct http_request *r)
{
        static const struct websocket_events events = {opened, message, closed};

        (void)owner;
        (void)!websocket_upgrade(r, &events, NULL, NULL);
}

static const struct http_route routes[] = {
        {.method = "POST", .pattern = "/echo", .handle = echo, .body_max = 65536},
        {.method = "POST",
         .pattern = "/pieces",
         .handle = pieces,
         .body_max = PIECES_MAX,
         .streamed = true},
        {.method = "GET", .pattern = "/things/{id}", .handle = thing},
        {.method = "GET", .pattern = "/asked", .handle = asked},
        {.method = "PATCH", .pattern = "/asked", .handle = silent},
        {.method = "GET", .pattern = "/silent", .handle = silent},
        {.method = "GET", .pattern = "/later/{what}", .handle = later},
        {.method = "GET", .pattern = "/large", .handle = large},
        {.method = "GET", .pattern = "/sends", .handle = count},
        {.method = "GET", .pattern = "/stream/{what}", .handle = stream},
        {.method = "GET", .pattern = "/live", .handle = live},
        {.method = NULL},
};

int main(int argc, char **argv)
{
        struct err e = {0};
        struct http_server_config config = {
                .address = argc > 1 ? argv[1] : "127.0.0.1",
                .threads = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 8,
                .body_deadline = 1500,
                .answer_deadline = 3000,
                .preflight = preflight,
                .security_headers = "X-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n",
                .routes = routes};
        const struct websockets_config live_config = {
                .max = 4, .silence_max = argc > 4 ? (msec)strtoul(argv[4], NULL, 10) : 0};
        AUTO(http_files) files = NULL;

        log_open("echo", LOG_LEVEL_INFO);
        sem_init(&let_go, 0, 0);
        if (argc > 3 && argv[3][0] != '\0') {
                files = http_files_create(argv[3], LARGE, &e);
                config.files = files;
        }
        if (!err_is_set(&e))
                sockets = config.websockets = websockets_create(&live_config, &e);
        if (err_is_set(&e)) {
                LOG_ERROR("no server", log_err(&e));
                return 1;
        }
        struct http_server *server = http_server_create(&config, &e);
        if (server == NULL) {
                LOG_ERROR("no server", log_err(&e));
                return 1;
        }
        printf("%u\n", http_server_port(server));
        fflush(stdout);
        for (char c; read(STDIN_FILENO, &c, 1) > 0;)
                sem_post(&let_go);
        for (unsigned i = 0; i < config.threads; i++)
                sem_post(&let_go);
        http_server_destroy(&server);
        websockets_destroy(&sockets);
        return 0;
}
