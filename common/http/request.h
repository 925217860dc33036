/* SPDX-License-Identifier: Apache-2.0
 *
 * request.h: the inside of common/http: one request while its handler runs.
 */
#ifndef WARREN_HTTP_REQUEST_H
#define WARREN_HTTP_REQUEST_H

#include <civetweb.h>
#include <semaphore.h>

#include "common/http/connection.h"
#include "common/http/framing.h"
#include "common/http/handler.h"
#include "common/http/query.h"
#include "common/http/route.h"
#include "common/http/serving.h"
#include "common/http/trace.h"
#include "common/http/watch.h"

/* An answer that another thread gives, see prepared.c. */
struct prepared {
        int status; /* 0: there is none */
        int fd;
        bool closing;       /* the text says so */
        bool awaits_next;   /* its handler sleeps until the socket can be read */
        struct buffer text; /* whole */
        size_t head;        /* bytes of it before the empty line */
        size_t sent;
        bool given;
        sem_t told; /* given or withheld */
};

enum stream_state { STREAM_NONE, STREAM_OPEN, STREAM_ENDED };

struct http_request {
        struct serving *serving;
        struct mg_connection *connection;
        struct connection *known;
        const struct mg_request_info *info;
        const char *method, *raw_path; /* raw_path without its query */
        const char *query_string;      /* or NULL */
        struct framing framing;
        struct path path;
        struct route_match match;
        struct query query;
        struct buffer body;
        bool body_read; /* to its end: the connection can be used again */
        char traceparent[TRACEPARENT_SIZE];
        void *context;
        void (*release)(void *);
        struct buffer headers; /* of the answer */
        int status;            /* of the answer; 0: none yet */
        enum stream_state stream;
        bool broken;  /* nothing more can be read: the connection ends */
        bool last;    /* the connection ends with the answer, whatever is asked */
        bool hurried; /* nothing is waited for: others need the thread */
        bool closing; /* the connection ends with this answer */
        bool counted; /* the server's owner was told of the answer */
        int64_t began_us;
        struct prepared prepared;
};

void request_fini(struct http_request *r);

#endif
