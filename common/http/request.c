/* SPDX-License-Identifier: Apache-2.0
 *
 * request.c: what a request says, and reading its body within its bounds.
 */
#include "common/http/request.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { READ_STEP = 16 * 1024, DRAIN_MAX = 32 * 1024 * 1024 };

const char *http_method(const struct http_request *r)
{
        return r->method;
}

const char *http_path(const struct http_request *r)
{
        return r->raw_path;
}

const char *http_param(const struct http_request *r, const char *name)
{
        for (size_t i = 0; i < r->match.param_count; i++) {
                if (bytes_equal_text(r->match.params[i].name, name))
                        return r->match.params[i].value;
        }
        assert(!"the pattern has this parameter");
        return NULL;
}

const char *http_query(struct http_request *r, const char *name)
{
        return query_find(&r->query, name);
}

const char *http_query_string(const struct http_request *r)
{
        return r->info->query_string;
}

static bool is_among(const char *name, const char *const *allowed)
{
        for (; *allowed != NULL; allowed++) {
                if (strcmp(name, *allowed) == 0)
                        return true;
        }
        return false;
}

bool http_query_only(struct http_request *r, const char *const *allowed)
{
        for (size_t i = 0; i < r->query.count; i++) {
                if (is_among(r->query.pairs[i].name, allowed))
                        continue;
                http_problem(r, 400, "the query parameter \"%s\" is not known here",
                             r->query.pairs[i].name);
                return false;
        }
        return true;
}

const char *http_header(const struct http_request *r, const char *name)
{
        return mg_get_header(r->connection, name);
}

struct bytes http_body(const struct http_request *r)
{
        return bytes_of(r->body.data != NULL ? r->body.data : "", r->body.length);
}

bool http_body_is_json(struct http_request *r)
{
        static const char json[] = "application/json";
        const char *type = http_header(r, "Content-Type");

        if (type != NULL && strncasecmp(type, json, sizeof(json) - 1) == 0 &&
            strchr("; \t", type[sizeof(json) - 1]) != NULL)
                return true;
        http_problem(r, 415, "Content-Type must be application/json");
        return false;
}

const char *http_traceparent(const struct http_request *r)
{
        return r->traceparent;
}

void http_set_context(struct http_request *r, void *context, void (*release)(void *))
{
        assert(r->context == NULL);
        r->context = context;
        r->release = release;
}

void *http_context(const struct http_request *r)
{
        return r->context;
}

void request_fini(struct http_request *r)
{
        if (r->release != NULL)
                r->release(r->context);
        path_fini(&r->path);
        query_fini(&r->query);
        buffer_fini(&r->body);
        buffer_fini(&r->headers);
}

enum body_end { BODY_WHOLE, BODY_OVER, BODY_LATE, BODY_BROKEN };

/* civetweb's own timeout is one for each read: a sender of one byte at a time needs a deadline. */
static enum body_end read_body(struct http_request *r, size_t max, msec deadline)
{
        size_t want = r->framing.chunked ? max + 1 : (size_t)r->framing.length;

        if (want > max && !r->framing.chunked)
                return BODY_OVER;
        while (r->body.length < want) {
                size_t step = want - r->body.length;
                if (r->framing.chunked && step > READ_STEP)
                        step = READ_STEP;
                buffer_reserve(&r->body, step);
                int got = mg_read(r->connection, r->body.data + r->body.length, step);
                if (got == 0 && r->framing.chunked)
                        return BODY_WHOLE;
                if (got <= 0)
                        return clock_mono() >= deadline ? BODY_LATE : BODY_BROKEN;
                r->body.length += (size_t)got;
                r->body.data[r->body.length] = '\0';
                if (r->body.length < want && clock_mono() >= deadline)
                        return BODY_LATE;
        }
        return r->body.length > max ? BODY_OVER : BODY_WHOLE;
}

static void say_continue(struct http_request *r)
{
        static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";

        if (r->framing.expects_continue && strcmp(r->info->http_version, "1.1") == 0)
                mg_write(r->connection, line, sizeof(line) - 1);
}

static bool refuse_body(struct http_request *r, enum body_end end, size_t max)
{
        switch (end) {
        case BODY_WHOLE:
                r->body_read = true;
                return true;
        case BODY_OVER:
                http_problem(r, 413, "the body is larger than %zu bytes", max);
                return false;
        case BODY_LATE:
                r->closing = true;
                http_problem(r, 408, "the body did not arrive in time");
                return false;
        case BODY_BROKEN:
                r->closing = true;
                http_problem(r, 400,
                             r->framing.chunked ? "the chunked body is malformed"
                                                : "the body ended early");
                return false;
        }
        return false;
}

bool request_read_body(struct http_request *r, size_t body_max, msec deadline)
{
        if (!r->framing.chunked && r->framing.length == 0) {
                r->body_read = true;
                return true;
        }
        if (body_max == 0) {
                http_problem(r, 400, "a body has no meaning here");
                return false;
        }
        const char *coding = http_header(r, "Content-Encoding");
        if (coding != NULL && strcasecmp(coding, "identity") != 0) {
                http_problem(r, 415, "Content-Encoding %s is not understood", coding);
                return false;
        }
        if (r->framing.chunked || (size_t)r->framing.length <= body_max)
                say_continue(r);
        return refuse_body(r, read_body(r, body_max, clock_mono() + deadline), body_max);
}

/* An answer given before the body was read would be lost when the connection is reset. */
void request_drain_body(struct http_request *r, msec deadline)
{
        msec until = clock_mono() + deadline;
        size_t drained = 0;

        if (r->body_read || r->closing || r->framing.expects_continue)
                return;
        buffer_reserve(&r->body, READ_STEP);
        while (drained < DRAIN_MAX && clock_mono() < until) {
                int got = mg_read(r->connection, r->body.data, READ_STEP);
                if (got <= 0)
                        return;
                drained += (size_t)got;
        }
}
