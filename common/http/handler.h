/* SPDX-License-Identifier: Apache-2.0
 *
 * handler.h: what a server is created with, and how a route's handler reads its request and
 * answers it.
 *
 * A handler runs on one of the server's threads (100 KB of stack: no large locals) and may block.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/json_scan.h"

struct http_files;
struct http_request;
struct problem;
struct websockets;

typedef void http_handler(void *owner, struct http_request *r);

struct http_route {
        const char *method;  /* "GET"; a GET route answers HEAD too. NULL ends the table */
        const char *pattern; /* "/api/v1/jobs/{id}": a parameter is one segment, percent-decoded */
        http_handler *handle;
        unsigned scope;   /* for the program's authorizer */
        size_t body_max;  /* bytes; larger bodies are refused with 413; 0: any body with 400 */
        const char *over; /* what to do about a larger body: added to the 413; or NULL */
        bool streamed;    /* the handler reads the body, piece by piece (body.h) */
};

struct http_server_config {
        const char *address;  /* "127.0.0.1" */
        uint16_t port;        /* 0: any free one, see http_server_port */
        unsigned threads;     /* connections served at once */
        msec body_deadline;   /* for a whole request body, or a piece of a streamed one; 0: 10 s */
        msec answer_deadline; /* until the client has taken a whole answer; 0: 30 s */
        const struct http_route *routes;
        void *owner;
        /* For GET and HEAD where no route fits, without authorization; see files.h. Or NULL. */
        const struct http_files *files;
        /* For routes that upgrade, see websocket.h; http_server_destroy ends them. Or NULL. */
        struct websockets *websockets;
        /* Called before each handler; false: it has answered itself. NULL: all is allowed. */
        bool (*authorize)(void *owner, struct http_request *r, const struct http_route *route);
        /* Called after each answer, for metrics; route: NULL: none matched. Or NULL. */
        void (*answered)(void *owner, const struct http_route *route, int status, int64_t us);
        /* OPTIONS of a path that has routes, but not this one; allow: their methods, "GET, HEAD".
         * True: it has answered. Or NULL. */
        bool (*preflight)(void *owner, struct http_request *r, const char *allow);
        /* Whole header lines, each with its CRLF, of every answer; borrowed. Or NULL. */
        const char *security_headers;
        /* Adds headers to every answer (RateLimit, CORS …); once for a request. Or NULL. */
        void (*decorate)(void *owner, struct http_request *r);
};

/* Strings are valid until the handler returns; NULL when absent. */
const char *http_method(const struct http_request *r);
const char *http_path(const struct http_request *r);
const struct http_route *http_matched(const struct http_request *r);
const char *http_param(const struct http_request *r, const char *name); /* must be in the pattern */
const char *http_query(struct http_request *r, const char *name);       /* percent-decoded */
/* Appends "&name=value", encoded, for each query parameter other than `except` (or NULL). */
void http_query_write(const struct http_request *r, const char *except, struct buffer *out);
/* As if the parameter had not been given. */
void http_query_drop(struct http_request *r, const char *name);
/* Answers 400 itself and returns false when a name is not in `allowed` (NULL ends it). */
bool http_query_only(struct http_request *r, const char *const *allowed);
const char *http_header(const struct http_request *r, const char *name);
/* Of a header that is given several times, the last; http_header gives the first. */
const char *http_header_last(const struct http_request *r, const char *name);
/* NULL also when several of that name are given. */
const char *http_cookie(struct http_request *r, const char *name, bool *several);
const char *http_peer(const struct http_request *r); /* the socket's address */
struct bytes http_body(const struct http_request *r);
/* Answers 415 itself and returns false when Content-Type is not application/json. */
bool http_body_is_json(struct http_request *r);
/* W3C traceparent of this request: the client's, or a new one. */
const char *http_traceparent(const struct http_request *r);
/* A value from the authorizer for the handler; http_set_context takes it, to free() it at the end.
 */
void http_set_context(struct http_request *r, void *context);
void *http_context(const struct http_request *r);

/* Of the answer that was given; 0: none yet. */
int http_status(const struct http_request *r);

/* The thread is needed: what the handler leaves of the body is dropped for half a second at most,
 * not until body_deadline. A client that still sends then may lose the answer. */
void http_hurry(struct http_request *r);

/* Answer exactly once for each request, by one of the functions from here on. Answers carry
 * traceparent, X-Content-Type-Options and Cache-Control: no-store. */
void http_add_header(struct http_request *r, const char *name, const char *format, ...)
        PRINTF_LIKE(3, 4);
void http_answer(struct http_request *r, int status, const char *content_type, struct bytes body);
void http_answer_json(struct http_request *r, int status, json_t *body); /* takes the reference */
void http_answer_empty(struct http_request *r, int status);

/* An answer that another thread gives or withholds. The handler prepares it, hands the request to
 * the other thread, and sleeps in http_await. Until http_await returns the request belongs to the
 * other thread, which calls http_give or http_withhold, once; neither blocks. If it was withheld,
 * or never handed over, the handler must answer in another way. */
void http_prepare(struct http_request *r, int status, const char *content_type,
                  const char *location, struct bytes body); /* location: or NULL */
void http_give(struct http_request *r);
void http_withhold(struct http_request *r);
/* True: the answer was given. May return long after that: when the next request comes. */
bool http_await(struct http_request *r) MUST_CHECK;

/* Answers with a problem (RFC 9457). Its title is the status's phrase. 503 has Retry-After: 1,
 * unless that header was added before. */
void http_problem(struct http_request *r, int status, const char *format, ...) PRINTF_LIKE(3, 4);
/* With one entry in `errors`: a fault of scan_check, or of validation. */
void http_problem_at(struct http_request *r, int status, const struct scan_fault *fault);
/* With extra members (e.g. id and accepted); takes the reference. */
void http_problem_with(struct http_request *r, int status, json_t *members, const char *format, ...)
        PRINTF_LIKE(4, 5);
/* With any of its members; its path and trace are those of the request. For problem.h. */
void http_problem_of(struct http_request *r, const struct problem *p);
/* With e's text, and the status for its code: INVALID 422, NOT_FOUND 404, CONFLICT 409, FULL,
 * UNAVAILABLE and TIMEOUT 503; others: see problem_status. */
void http_problem_err(struct http_request *r, const struct err *e);
