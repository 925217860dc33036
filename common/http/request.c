/* SPDX-License-Identifier: Apache-2.0
 *
 * request.c: the functions of handler.h that read a request.
 */
#include "common/http/request.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/uuid.h"
#include "common/http/client.h"
#include "common/model/job.h"

const char *http_method(const struct http_request *r)
{
        return r->method;
}

const char *http_path(const struct http_request *r)
{
        return r->raw_path;
}

const struct http_route *http_matched(const struct http_request *r)
{
        return r->match.route;
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

void http_query_write(const struct http_request *r, const char *except, struct buffer *out)
{
        for (size_t i = 0; i < r->query.count; i++) {
                if (except != NULL && strcmp(r->query.pairs[i].name, except) == 0)
                        continue;
                buffer_add_char(out, '&');
                url_encode(out, r->query.pairs[i].name);
                buffer_add_char(out, '=');
                url_encode(out, r->query.pairs[i].value);
        }
}

void http_query_drop(struct http_request *r, const char *name)
{
        size_t kept = 0;

        for (size_t i = 0; i < r->query.count; i++) {
                if (strcmp(r->query.pairs[i].name, name) != 0)
                        r->query.pairs[kept++] = r->query.pairs[i];
        }
        r->query.count = kept;
}

void trace_continue(const char *given, char out[TRACEPARENT_SIZE])
{
        uint64_t random[3]; /* two for the trace's id, one for the span's */

        if (given != NULL && traceparent_is_valid(bytes_of_text(given))) {
                memcpy(out, given, TRACEPARENT_SIZE);
                return;
        }
        random_fill(random, sizeof(random));
        /* An id must not be all zeros. */
        random[1] |= 1;
        random[2] |= 1;
        snprintf(out, TRACEPARENT_SIZE, "00-%016" PRIx64 "%016" PRIx64 "-%016" PRIx64 "-01",
                 random[0], random[1], random[2]);
}

const char *http_header(const struct http_request *r, const char *name)
{
        return mg_get_header(r->civetweb, name);
}

const char *http_header_last(const struct http_request *r, const char *name)
{
        for (int i = r->info->num_headers - 1; i >= 0; i--) {
                if (strcasecmp(r->info->http_headers[i].name, name) == 0)
                        return r->info->http_headers[i].value;
        }
        return NULL;
}

const char *http_cookie(struct http_request *r, const char *name, bool *several)
{
        if (!r->cookies.read) {
                for (int i = 0; i < r->info->num_headers; i++) {
                        if (strcasecmp(r->info->http_headers[i].name, "Cookie") == 0)
                                cookies_add(&r->cookies, r->info->http_headers[i].value);
                }
                cookies_read(&r->cookies);
        }
        return cookies_find(&r->cookies, name, several);
}

const char *http_peer(const struct http_request *r)
{
        return r->info->remote_addr;
}

int http_status(const struct http_request *r)
{
        return r->status;
}

struct bytes http_body(const struct http_request *r)
{
        return bytes_of(r->body.data != NULL ? r->body.data : "", r->body.length);
}

const char *http_traceparent(const struct http_request *r)
{
        return r->traceparent;
}

void http_set_context(struct http_request *r, void *context)
{
        assert(r->context == NULL);
        r->context = context;
}

void *http_context(const struct http_request *r)
{
        return r->context;
}

void request_fini(struct http_request *r)
{
        free(r->context);
        if (r->prepared.status != 0)
                sem_destroy(&r->prepared.decided);
        buffer_fini(&r->prepared.text);
        path_fini(&r->path);
        query_fini(&r->query);
        cookies_fini(&r->cookies);
        buffer_fini(&r->body);
        buffer_fini(&r->headers);
}
