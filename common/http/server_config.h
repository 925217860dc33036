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
        uint16_t port;        /* 0: any free one, see http_server_port */
        unsigned threads;     /* connections served at once */
        msec body_deadline;   /* for a whole request body; 0: 10 s */
        msec answer_deadline; /* until the client has taken a whole answer; 0: 30 s */
        msec stop_deadline;   /* 0: 5 s, see http_server_destroy */
        const struct http_route *routes;
        void *owner;
        /* For GET and HEAD where no route fits, without authorization; see files.h. Or NULL. */
        const struct http_files *files;
        /* For routes that upgrade, see websocket.h; http_server_destroy ends them. Or NULL. */
        struct websockets *websockets;
        /* Called before each handler; false: it has answered itself. NULL: all is allowed. */
        bool (*authorize)(void *owner, struct http_request *r, const struct http_route *route);
        /* Called after each answer, for metrics; route: NULL: none matched. Or NULL. */
        void (*answered)(void *owner, const struct http_route *route, int status, int64_t us);
        /* Adds headers to every answer (RateLimit, CORS …). Or NULL. */
        void (*decorate)(void *owner, struct http_request *r);
};

#endif
