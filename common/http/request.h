/* SPDX-License-Identifier: Apache-2.0
 *
 * request.h: a server, and one request while its handler runs, for the files of common/http.
 */
#pragma once

#include <civetweb.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "common/http/connection.h"
#include "common/http/cookies.h"
#include "common/http/framing.h"
#include "common/http/handler.h"
#include "common/http/route.h"
#include "common/http/watch.h"

/* W3C trace context: the size of a traceparent, and where its trace id is. */
enum { TRACEPARENT_SIZE = 56, TRACE_ID_AT = 3, TRACE_ID_LENGTH = 32 };

struct http_server {
        struct http_server_config config; /* with its defaults */
        struct mg_context *context;
        struct connections connections;
        atomic_bool closing;   /* new requests are refused */
        atomic_int unanswered; /* accepted requests without an answer yet */
};

/* An answer that another thread gives, see prepared.c. */
struct prepared {
        int status; /* 0: there is none */
        int fd;
        bool closing;       /* the text has "Connection: close" */
        bool awaits_next;   /* the handler's thread sleeps until the socket is readable */
        struct buffer text; /* of the whole answer */
        size_t head;        /* its bytes before the empty line */
        size_t sent;
        bool given;
        sem_t decided; /* posted when given or withheld */
};

enum stream_state { STREAM_NONE, STREAM_OPEN, STREAM_ENDED };

struct http_request {
        struct http_server *server;
        struct mg_connection *civetweb;
        struct connection *connection;
        const struct mg_request_info *info;
        const char *method, *raw_path; /* raw_path without its query */
        const char *query_string;      /* or NULL */
        struct framing framing;
        struct path path;
        struct route_match match;
        struct query query;
        struct buffer body;
        bool body_read;       /* to its end: the connection can be reused */
        bool awaits_continue; /* the client sends its body after 100 Continue only */
        size_t body_taken;    /* bytes of a streamed body that its handler has */
        msec body_waited;     /* for them */
        char traceparent[TRACEPARENT_SIZE];
        struct cookies cookies;
        void *context;         /* owned */
        struct buffer headers; /* of the answer */
        int status;            /* of the answer; 0: none yet */
        enum stream_state stream;
        bool broken;    /* the connection cannot be used any more */
        bool last;      /* the connection ends after this answer, even if keep-alive is requested */
        bool hurried;   /* a rest of the body is drained only briefly: the thread is needed */
        bool closing;   /* the connection ends after this answer */
        bool counted;   /* `answered` was called */
        bool decorated; /* `decorate` was called: a prepared answer can be withheld for another */
        int64_t began_us;
        struct prepared prepared;
};

/* Copies `given` if it is a valid traceparent of version 00; else makes a new one. */
void trace_continue(const char *given, char out[TRACEPARENT_SIZE]);
void request_fini(struct http_request *r);
