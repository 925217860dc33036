/* SPDX-License-Identifier: Apache-2.0
 *
 * routes.h: the internal HTTP API. Handlers run on the server's threads.
 */
#ifndef WARREN_DLX_MONITOR_ROUTES_H
#define WARREN_DLX_MONITOR_ROUTES_H

#include "common/http/server.h"
#include "dlx-monitor/replay.h"

struct monitor;

struct api {
        const struct archive *archive;
        struct replayer *replayer;
        const char *token;
        struct monitor *monitor; /* whose metrics count the answers */
};

/* The routes' owner is a struct api. */
extern const struct http_route dlx_monitor_routes[];
/* Answers 401 unless the request bears the token. */
bool api_authorize(void *owner, struct http_request *r, const struct http_route *route);

#endif
