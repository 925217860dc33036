/* SPDX-License-Identifier: Apache-2.0
 *
 * echo_server.c: a server that echoes bodies, for the tests of HTTP framing. Prints its port and
 * serves until its standard input ends. It prints a line for each answer it holds; each byte of
 * input lets one go. Arguments: its address and threads.
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
#include "common/http/server.h"

enum { LARGE = 16 * 1024 * 1024 }; /* more than a socket takes at once */

static atomic_int sends;
static sem_t let_go;

/* A program's own function goes before libc's, also for the libraries: this counts what civetweb
 * writes and what common/http writes past it. */
ssize_t send(int fd, const void *data, size_t size, int flags)
{
        atomic_fetch_add(&sends, 1);
        return sendto(fd, data, size, flags, NULL, 0);
}

/* How many writes there were before this answer's. */
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

static void thing(void *owner, struct http_request *r)
{
        static const char *const known[] = {"a", NULL};

        (void)owner;
        if (http_query_only(r, known))
                http_answer_json(r, 200,
                                 json_pack("{s:s,s:s?}", "id", http_param(r, "id"), "a",
                                           http_query(r, "a")));
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
                puts("held");
                fflush(stdout);
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

static const struct http_route routes[] = {
        {.method = "POST", .pattern = "/echo", .handle = echo, .body_max = 65536},
        {.method = "GET", .pattern = "/things/{id}", .handle = thing},
        {.method = "GET", .pattern = "/silent", .handle = silent},
        {.method = "GET", .pattern = "/later/{what}", .handle = later},
        {.method = "GET", .pattern = "/large", .handle = large},
        {.method = "GET", .pattern = "/sends", .handle = count},
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
                .routes = routes};

        log_open("echo", LOG_LEVEL_INFO);
        sem_init(&let_go, 0, 0);
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
        return 0;
}
