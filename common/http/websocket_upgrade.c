/* SPDX-License-Identifier: Apache-2.0
 *
 * websocket_upgrade.c: checks and answers the handshake of a WebSocket.
 */
#include <assert.h>
#include <string.h>
#include <strings.h>

#include "common/http/answer.h"
#include "common/http/websocket_handshake.h"
#include "common/http/websockets.h"

static bool is_key(const char *key)
{
        static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "abcdefghijklmnopqrstuvwxyz0123456789+/";

        return key != NULL && strlen(key) == HANDSHAKE_KEY_LENGTH &&
               strspn(key, base64) == HANDSHAKE_KEY_LENGTH - 2 &&
               strcmp(key + HANDSHAKE_KEY_LENGTH - 2, "==") == 0;
}

/* Whether a page of this origin may connect: "https://warren.example:8443" needs the Host
 * "warren.example:8443", or to be the one that is `allowed`. A client without an Origin is not a
 * page. */
static bool allow_origin(const char *origin, const char *host, const char *allowed)
{
        if (origin == NULL || (allowed != NULL && strcmp(origin, allowed) == 0))
                return true;
        const char *authority = strstr(origin, "://");
        return authority != NULL && host != NULL && strcasecmp(authority + 3, host) == 0;
}

/* False: the request was refused. */
static bool accept_handshake(struct http_request *r, const char *origin)
{
        const char *version = http_header(r, "Sec-WebSocket-Version");

        if (!handshake_list_has(http_header(r, "Upgrade"), "websocket") || version == NULL ||
            strcmp(version, "13") != 0) {
                http_add_header(r, "Upgrade", "websocket");
                http_add_header(r, "Sec-WebSocket-Version", "13");
                http_problem(r, 426, "this path needs a WebSocket handshake of version 13");
                return false;
        }
        if (strcmp(r->method, "GET") != 0 || strcmp(r->info->http_version, "1.1") != 0 ||
            !handshake_list_has(http_header(r, "Connection"), "upgrade") ||
            !is_key(http_header(r, "Sec-WebSocket-Key"))) {
                http_problem(r, 400, "the WebSocket handshake is malformed");
                return false;
        }
        if (!allow_origin(http_header(r, "Origin"), http_header(r, "Host"), origin)) {
                http_problem(r, 403, "pages of this origin may not connect");
                return false;
        }
        return true;
}

/* Takes the socket, and writes the 101 to be sent first. NULL: failed; the request can still be
 * answered. */
static struct known_socket *take_socket(struct http_request *r, struct buffer *answer,
                                        struct err *e)
{
        AUTO_BUFFER accept = {0};

        if (handshake_accept(http_header(r, "Sec-WebSocket-Key"), &accept, e) < 0)
                return NULL;
        struct known_socket *socket = connection_take(r->connection, e);
        if (socket == NULL)
                return NULL;
        r->status = 101;
        r->broken = true; /* for the server's thread */
        mg_disable_connection_keep_alive(r->civetweb);
        http_add_header(r, "Upgrade", "websocket");
        http_add_header(r, "Connection", "Upgrade");
        http_add_header(r, "Sec-WebSocket-Accept", "%s", accept.data);
        answer_write(r, &(struct answer_text){.status = 101}, answer);
        return socket;
}

bool websocket_upgrade(struct http_request *r, const struct websocket_events *on, void *user,
                       const char *origin)
{
        struct websockets *all = r->server->config.websockets;
        AUTO_BUFFER answer = {0};
        struct err e = {0};

        assert(all != NULL && r->status == 0);
        if (!accept_handshake(r, origin))
                return false;
        if (!websockets_reserve(all)) {
                http_add_header(r, "Retry-After", "5");
                http_problem(r, 503, "this server has reached its limit of WebSockets");
                return false;
        }
        struct known_socket *socket = take_socket(r, &answer, &e);
        if (socket == NULL) {
                websockets_give_back(all);
                http_problem(r, 503, "%s", e.text);
                return false;
        }
        websockets_add(all, socket, &answer, on, user);
        return true;
}
