/* SPDX-License-Identifier: Apache-2.0
 *
 * cors.c: answers preflights, and tells browsers who may read an answer.
 */
#include "gateway/cors.h"

#include <string.h>

#include "gateway/comma_list.h"
#include "gateway/core.h"

#define EXPOSED \
        "Location, Retry-After, RateLimit, RateLimit-Policy, Idempotent-Replayed, " \
        "Warren-Masked, traceparent"
#define ALLOWED_HEADERS "Authorization, Content-Type, Idempotency-Key, traceparent, X-Warren"
#define HOST_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789.-_[]:"
#define SCHEME_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789.+-"

/* scheme://host or scheme://host:port, as browsers write it: in lower case, without a path. */
static bool is_origin(struct bytes word)
{
        char text[256];

        if (bytes_to_text(word, text, sizeof(text)) < 0)
                return false;
        size_t scheme = strspn(text, SCHEME_LETTERS);
        if (scheme == 0 || strncmp(text + scheme, "://", 3) != 0)
                return false;
        const char *host = text + scheme + 3;
        return host[0] != '\0' && host[strspn(host, HOST_LETTERS)] == '\0';
}

int cors_check(const char *origins, struct err *e)
{
        struct bytes word;

        while (comma_list_next(&origins, &word)) {
                if (!is_origin(word))
                        return err_set(e, ERR_INVALID,
                                       "cors_origins: \"%.*s\" is not an origin such as "
                                       "https://warren.example or http://localhost:3000",
                                       (int)word.length, word.data);
        }
        return 0;
}

/* The request's origin, when it is in the list; NULL: none is. civetweb's own refusals have no
 * method, and no headers to read. */
static const char *listed_origin(const char *origins, const struct http_request *r)
{
        if (origins == NULL || http_method(r)[0] == '\0')
                return NULL;
        const char *origin = http_header(r, "Origin");
        return origin != NULL && comma_list_has(origins, bytes_of_text(origin)) ? origin : NULL;
}

void cors_decorate(const char *origins, struct http_request *r)
{
        if (origins == NULL)
                return;
        http_add_header(r, "Vary", "Origin");
        const char *origin = listed_origin(origins, r);
        if (origin == NULL)
                return;
        http_add_header(r, "Access-Control-Allow-Origin", "%s", origin);
        http_add_header(r, "Access-Control-Expose-Headers", "%s", EXPOSED);
}

bool cors_preflight(void *owner, struct http_request *r, const char *allow)
{
        const struct gateway *g = owner;

        if (http_header(r, "Access-Control-Request-Method") == NULL ||
            listed_origin(g->settings->cors_origins, r) == NULL)
                return false;
        http_add_header(r, "Access-Control-Allow-Methods", "%s", allow);
        http_add_header(r, "Access-Control-Allow-Headers", "%s", ALLOWED_HEADERS);
        http_add_header(r, "Access-Control-Max-Age", "600");
        http_answer_empty(r, 204);
        return true;
}
