/* SPDX-License-Identifier: Apache-2.0
 *
 * routes.h: the internal HTTP API. Handlers run on the server's threads.
 */
#pragma once

#include "common/http/server.h"
#include "dlx-monitor/replay.h"

struct monitor;
struct intake;
struct retention;

struct api {
        struct archive *archive;
        struct replayer *replayer;
        const char *token;
        struct retention *retention;
        struct intake *intake;
        struct link *consume;    /* reads `dead` and `unroutable` */
        struct monitor *monitor; /* its metrics count the answers */
};

/* Owner: a struct api. */
extern const struct http_route dlx_monitor_routes[];
/* For http_server_config.authorize: answers 401 unless the request has the internal token. */
bool api_authorize(void *owner, struct http_request *r, const struct http_route *route);

/* Deletes the letters of one job. */
http_handler letters_forget;
/* What an operator should know of the archive. */
http_handler health_get;
