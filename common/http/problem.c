/* SPDX-License-Identifier: Apache-2.0
 *
 * problem.c: error answers as application/problem+json.
 */
#include "common/http/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/http/phrase.h"
#include "common/http/request.h"

enum { RETRY_SECONDS = 1, DETAIL_SIZE = 512 };

static void add_member(struct buffer *out, const char *name, const char *text)
{
        if (text == NULL)
                return;
        buffer_printf(out, ",\"%s\":", name);
        buffer_add_json_string(out, bytes_of_text(text));
}

static void add_fault(struct buffer *out, const struct scan_fault *fault)
{
        buffer_add_text(out, ",\"errors\":[{\"pointer\":");
        buffer_add_json_string(out, bytes_of_text(fault->pointer));
        buffer_printf(out, ",\"line\":%u,\"column\":%u", fault->line, fault->column);
        add_member(out, "detail", fault->detail);
        buffer_add_text(out, "}]");
}

static void add_members(struct buffer *out, const json_t *members)
{
        const char *name = NULL;
        json_t *value = NULL;

        json_object_foreach((json_t *)members, name, value)
        {
                char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
                if (text != NULL) {
                        buffer_add_char(out, ',');
                        buffer_add_json_string(out, bytes_of_text(name));
                        buffer_add_char(out, ':');
                        buffer_add_text(out, text);
                }
                free(text);
        }
}

void problem_write(const struct problem *p, struct buffer *out)
{
        buffer_add_text(out, "{\"type\":\"about:blank\",\"title\":");
        buffer_add_json_string(out, bytes_of_text(http_phrase(p->status)));
        buffer_printf(out, ",\"status\":%d", p->status);
        add_member(out, "detail", p->detail);
        add_member(out, "instance", p->instance);
        if (p->fault != NULL)
                add_fault(out, p->fault);
        if (p->traceparent != NULL) {
                char id[TRACE_ID_SIZE];
                trace_id(p->traceparent, id);
                add_member(out, "trace_id", id);
        }
        if (p->members != NULL)
                add_members(out, p->members);
        buffer_add_char(out, '}');
}

int problem_status(enum err_code code)
{
        switch (code) {
        case ERR_INVALID:
                return 422;
        case ERR_TOO_LARGE:
                return 413;
        case ERR_NOT_FOUND:
                return 404;
        case ERR_CONFLICT:
                return 409;
        case ERR_FORBIDDEN:
                return 403;
        case ERR_FULL:
        case ERR_UNAVAILABLE:
        case ERR_TIMEOUT:
                return 503;
        case ERR_NONE:
        case ERR_PROTOCOL:
        case ERR_CORRUPT:
        case ERR_SYSTEM:
                return 500;
        }
        return 500;
}

static void answer(struct http_request *r, const struct problem *given)
{
        AUTO_BUFFER body = {0};
        struct problem p = *given;

        p.instance = r->raw_path;
        p.traceparent = r->traceparent;
        problem_write(&p, &body);
        http_answer(r, p.status, "application/problem+json", buffer_bytes(&body));
}

void http_problem(struct http_request *r, int status, const char *format, ...)
{
        char detail[DETAIL_SIZE];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(detail, sizeof(detail), format, arguments);
        va_end(arguments);
        answer(r, &(struct problem){.status = status, .detail = detail});
}

void http_problem_at(struct http_request *r, int status, const struct scan_fault *fault)
{
        answer(r, &(struct problem){.status = status, .detail = fault->detail, .fault = fault});
}

void http_problem_with(struct http_request *r, int status, json_t *members, const char *format, ...)
{
        char detail[DETAIL_SIZE];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(detail, sizeof(detail), format, arguments);
        va_end(arguments);
        answer(r, &(struct problem){.status = status, .detail = detail, .members = members});
        json_decref(members);
}

void http_problem_err(struct http_request *r, const struct err *e)
{
        int status = problem_status(e->code);

        if (status == 503)
                http_add_header(r, "Retry-After", "%d", RETRY_SECONDS);
        http_problem(r, status, "%s", e->text);
}
