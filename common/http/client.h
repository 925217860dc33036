/* SPDX-License-Identifier: Apache-2.0
 *
 * client.h: a small blocking HTTP client on libcurl. Any thread. Up to four idle connections are
 * kept for reuse; one not used for 2 s is closed at the next call.
 */
#pragma once

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
        /* For a signal handler: once it is not 0, calls end as after http_client_stop. Or NULL. */
        const volatile sig_atomic_t *stop;
        /* Called about once a second while a call waits, by the thread of the call. Or NULL. */
        void (*waiting)(void *owner);
        void *owner;
};

struct http_call {
        const char *method;
        const char *path;           /* with its query, already encoded */
        struct bytes body;          /* absent: none */
        const char *content_type;   /* of the body; NULL: application/json */
        const char *const *headers; /* "Name: value", NULL-terminated, or NULL */
        msec timeout;               /* 0: the client's */
        const char *keep_header;    /* a header of the answer to keep; NULL: none */
};

struct http_reply {
        bool sent; /* also of a failure: the service may have got the request */
        int status;
        struct buffer body; /* owned */
        char content_type[128];
        msec retry_after; /* -1: none */
        bool replayed;    /* Idempotent-Replayed: true */
        char kept[128];   /* the value of keep_header; "": none, or one that does not fit */
};

/* ERR_INVALID unless it is an http or https URL with a host, fit for base_url. */
int http_url_check(const char *url, struct err *e) MUST_CHECK;
/* Call http_client_global_init once before threads start. */
void http_client_global_init(void);
struct http_client *http_client_create(const struct http_client_config *c,
                                       struct err *e) MUST_CHECK;
void http_client_destroy(struct http_client **c);
/* Running and later calls end with ERR_UNAVAILABLE within a second. Any thread. */
void http_client_stop(struct http_client *c);

/* 0: an answer came, of any status. -1: ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_TOO_LARGE, ERR_SYSTEM.
 * Redirects are not followed, proxies not used. reply: {0} on entry; call http_reply_fini in either
 * case. */
int http_client_call(struct http_client *c, const struct http_call *call, struct http_reply *reply,
                     struct err *e) MUST_CHECK;
void http_reply_fini(struct http_reply *reply);

/* Appends text percent-encoded for a query value or path segment. */
void url_encode(struct buffer *out, const char *text);
