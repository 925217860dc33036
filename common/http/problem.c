/* SPDX-License-Identifier: Apache-2.0
 *
 * problem.c: error answers as application/problem+json.
 */
#include "common/http/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/json_write.h"
#include "common/base/own.h"
#include "common/http/answer.h"

enum { DETAIL_SIZE = 512 };

static void add_fault(struct buffer *out, const struct scan_fault *fault)
{
        json_begin_array(out, "errors");
        json_begin_object(out, NULL);
        json_put_string(out, "pointer", fault->pointer);
        json_put_int(out, "line", fault->line);
        json_put_int(out, "column", fault->column);
        json_put_string(out, "detail", fault->detail);
        json_end(out);
        json_end_array(out);
}

static void add_members(struct buffer *out, const json_t *members)
{
        const char *name = NULL;
        json_t *value = NULL;

        json_object_foreach((json_t *)members, name, value)
        {
                AUTO_FREE char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
                json_put_raw(out, name, bytes_of_text(text));
        }
}

void problem_write(const struct problem *p, struct buffer *out)
{
        json_begin(out);
        json_put_string(out, "type", p->type != NULL ? p->type : "about:blank");
        json_put_string(out, "title", http_phrase(p->status));
        json_put_int(out, "status", p->status);
        json_put_given(out, "detail", bytes_of_text(p->detail));
        json_put_given(out, "instance", bytes_of_text(p->instance));
        if (p->fault != NULL)
                add_fault(out, p->fault);
        if (p->traceparent != NULL)
                json_put_given(out, "trace_id",
                               bytes_of(p->traceparent + TRACE_ID_AT, TRACE_ID_LENGTH));
        if (p->members != NULL)
                add_members(out, p->members);
        json_end(out);
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

void http_problem_of(struct http_request *r, const struct problem *given)
{
        AUTO_BUFFER body = {0};
        struct problem p = *given;

        p.instance = r->raw_path;
        p.traceparent = r->traceparent;
        if (p.status == 503 && !answer_has_header(r, "Retry-After"))
                http_add_header(r, "Retry-After", "1");
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
        http_problem_of(r, &(struct problem){.status = status, .detail = detail});
}

void http_problem_at(struct http_request *r, int status, const struct scan_fault *fault)
{
        http_problem_of(
                r, &(struct problem){.status = status, .detail = fault->detail, .fault = fault});
}

void http_problem_with(struct http_request *r, int status, json_t *members, const char *format, ...)
{
        char detail[DETAIL_SIZE];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(detail, sizeof(detail), format, arguments);
        va_end(arguments);
        http_problem_of(r,
                        &(struct problem){.status = status, .detail = detail, .members = members});
        json_decref(members);
}

void http_problem_err(struct http_request *r, const struct err *e)
{
        http_problem(r, problem_status(e->code), "%s", e->text);
}
