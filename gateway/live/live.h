/* SPDX-License-Identifier: Apache-2.0
 *
 * live.h: the live feed of a gateway: its WebSockets, and the thread that serves them. The thread
 * reads the event stream over a connection of its own while there are clients, so that reading
 * delays no submission. It never waits for a client.
 *
 *      live = live_create(&config, &e);
 *      server config: .websockets = live_websockets(live)
 *      in a handler:  live_upgrade(live, r, &asked, NULL)
 *      http_server_destroy(&server);        ends the WebSockets
 *      live_destroy(&live);
 *
 * Any thread, but create and destroy.
 */
#pragma once

#include "common/amqp/link.h"
#include "common/http/client.h"
#include "gateway/live/live_hub.h"

struct live;

struct live_config {
        unsigned max;               /* WebSockets at once; of one tenant half as many */
        struct link_config link;    /* the strings are borrowed, as what follows */
        struct http_client *counts; /* of the status-store */
        const struct live_meters *meters;
        enum live_stay (*stays)(void *owner, const struct live_viewer *v); /* see live_hub.h */
        void *owner;
};

struct live *live_create(const struct live_config *c, struct err *e) MUST_CHECK;
/* After the server, which has ended the WebSockets. */
void live_destroy(struct live **l);
struct websockets *live_websockets(struct live *l);

/* Call in a handler of GET. Takes the filter in `asked`. origin: see websocket_upgrade. The request
 * goes on as a WebSocket, or was refused. */
void live_upgrade(struct live *l, struct http_request *r, struct live_asked *asked,
                  const char *origin);
