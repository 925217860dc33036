/* SPDX-License-Identifier: Apache-2.0
 *
 * websocket_upgrade.c: the handshake of a WebSocket.
 */
#include <assert.h>
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

#include "common/http/answer.h"
#include "common/http/websockets.h"

enum { KEY_LENGTH = 24 }; /* 16 bytes in base64 */

/* Whether a header's list has the word, in any case of letters. list: or NULL. */
static bool list_has(const char *list, const char *word)
{
        size_t length = strlen(word);

        while (list != NULL && *list != '\0') {
                list += strspn(list, " \t,");
                size_t size = strcspn(list, " \t,");
                if (size == length && strncasecmp(list, word, length) == 0)
                        return true;
                list += size;
        }
        return false;
}

static bool is_key(const char *key)
{
        static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "abcdefghijklmnopqrstuvwxyz0123456789+/";

        return key != NULL && strlen(key) == KEY_LENGTH && strspn(key, base64) == KEY_LENGTH - 2 &&
               strcmp(key + KEY_LENGTH - 2, "==") == 0;
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

        if (!list_has(http_header(r, "Upgrade"), "websocket") || version == NULL ||
            strcmp(version, "13") != 0) {
                http_add_header(r, "Upgrade", "websocket");
                http_add_header(r, "Sec-WebSocket-Version", "13");
                http_problem(r, 426, "this path needs a WebSocket handshake of version 13");
                return false;
        }
        if (strcmp(r->method, "GET") != 0 || strcmp(r->info->http_version, "1.1") != 0 ||
            !list_has(http_header(r, "Connection"), "upgrade") ||
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

static int write_accept(const struct http_request *r, struct buffer *accept, struct err *e)
{
        static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 */
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned int size = 0;
        char text[KEY_LENGTH + sizeof(guid)];

        memcpy(text, http_header(r, "Sec-WebSocket-Key"), KEY_LENGTH);
        memcpy(text + KEY_LENGTH, guid, sizeof(guid));
        if (EVP_Digest(text, strlen(text), digest, &size, EVP_sha1(), NULL) != 1)
                return err_set(e, ERR_UNAVAILABLE, "SHA-1 is not available");
        buffer_add_base64(accept, bytes_of(digest, size));
        return 0;
}

/* Takes the socket, and writes the 101 to be sent first. NULL: failed; the request can still be
 * answered. */
static struct known_socket *take_socket(struct http_request *r, struct buffer *answer,
                                        struct err *e)
{
        AUTO_BUFFER accept = {0};

        if (write_accept(r, &accept, e) < 0)
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
