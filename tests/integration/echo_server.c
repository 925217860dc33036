/* SPDX-License-Identifier: Apache-2.0
 *
 * echo_server.c: a server that echoes bodies, for the tests of HTTP framing. Prints its port and
 * serves until its standard input ends.
 */
#include <stdio.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/http/server.h"

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

static const struct http_route routes[] = {
        {.method = "POST", .pattern = "/echo", .handle = echo, .body_max = 65536},
        {.method = "GET", .pattern = "/things/{id}", .handle = thing},
        {.method = "GET", .pattern = "/silent", .handle = silent},
        {.method = NULL},
};

int main(void)
{
        struct err e = {0};
        struct http_server_config config = {
                .address = "127.0.0.1", .threads = 8, .body_deadline = 1500, .routes = routes};

        log_open("echo", LOG_LEVEL_INFO);
        struct http_server *server = http_server_create(&config, &e);
        if (server == NULL) {
                LOG_ERROR("no server", log_err(&e));
                return 1;
        }
        printf("%u\n", http_server_port(server));
        fflush(stdout);
        for (char c; read(STDIN_FILENO, &c, 1) > 0;) {
        }
        http_server_destroy(&server);
        return 0;
}
