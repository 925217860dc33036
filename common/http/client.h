/* SPDX-License-Identifier: Apache-2.0
 *
 * client.h: a small blocking HTTP client on libcurl. Any thread. Connections are reused: up to
 * four are kept, and one that was not used for two seconds is closed at the next call.
 */
#ifndef WARREN_HTTP_CLIENT_H
#define WARREN_HTTP_CLIENT_H

#include <signal.h>
#include <stddef.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/err.h"

struct http_client;

struct http_client_config {
        const char *base_url;        /* "http://127.0.0.1:8090", copied */
        const char *bearer;          /* token, or NULL */
        const char *user, *password; /* basic auth, or NULL */
        msec connect_timeout;        /* 0: 2 s */
        msec timeout;                /* 0: 10 s for the whole exchange */
        size_t answer_max;           /* 0: 64 MiB */
        /* Once it is not 0 calls end as after http_client_stop: a signal handler can set it. Or
         * NULL. */
        const volatile sig_atomic_t *stop;
};

struct http_call {
        const char *method;
        const char *path;           /* with its query, already encoded */
        struct bytes body;          /* absent: none */
        const char *content_type;   /* of the body; NULL: application/json */
        const char *const *headers; /* "Name: value", NULL-terminated, or NULL */
        msec timeout;               /* 0: the client's */
};

struct http_reply {
        int status;
        struct buffer body; /* owned */
        char content_type[128];
        msec retry_after; /* -1: none */
};

/* Is it an http or https URL with a host, such as a client can be made of? ERR_INVALID if not. */
int http_url_check(const char *url, struct err *e) MUST_CHECK;
/* Call http_client_global_init once before threads start. */
void http_client_global_init(void);
struct http_client *http_client_create(const struct http_client_config *c,
                                       struct err *e) MUST_CHECK;
void http_client_destroy(struct http_client **c);
/* Calls under way and later ones end with ERR_UNAVAILABLE, within a second. Any thread. */
void http_client_stop(struct http_client *c);

/* 0: there is an answer, of any status. -1: ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_TOO_LARGE. Redirects
 * are not followed, proxies not used. reply is {0} on entry; http_reply_fini always. */
int http_client_call(struct http_client *c, const struct http_call *call, struct http_reply *reply,
                     struct err *e) MUST_CHECK;
void http_reply_fini(struct http_reply *reply);

/* Adds text percent-encoded for a query value or path segment. */
void url_encode(struct buffer *out, const char *text);

#endif
