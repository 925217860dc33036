/* SPDX-License-Identifier: Apache-2.0
 *
 * server_config.h: what a server is created with.
 */
#ifndef WARREN_HTTP_SERVER_CONFIG_H
#define WARREN_HTTP_SERVER_CONFIG_H

#include <stdint.h>

#include "common/base/clock.h"
#include "common/http/handler.h"

struct http_files;
struct websockets;

struct http_server_config {
        const char *address;  /* "127.0.0.1" */
        uint16_t port;        /* 0: any; http_server_port tells */
        unsigned threads;     /* connections served at once */
        msec body_deadline;   /* 0: 10 s for a whole request body */
        msec answer_deadline; /* 0: 30 s until the client has taken a whole answer */
        msec stop_deadline;   /* 0: 5 s, see http_server_destroy */
        const struct http_route *routes;
        void *owner;
        /* Answers GET and HEAD, for everybody, where no route's pattern fits; see files.h. Or NULL.
         */
        const struct http_files *files;
        /* Those of routes that upgrade, see websocket.h; ended by http_server_destroy. Or NULL. */
        struct websockets *websockets;
        /* Before each handler; false: it has answered itself. NULL: everything is allowed. */
        bool (*authorize)(void *owner, struct http_request *r, const struct http_route *route);
        /* After each answer, for metrics; route is NULL when none matched. NULL: none. */
        void (*answered)(void *owner, const struct http_route *route, int status, int64_t us);
        /* Adds headers to every answer (RateLimit, CORS …). NULL: none. */
        void (*decorate)(void *owner, struct http_request *r);
};

#endif
