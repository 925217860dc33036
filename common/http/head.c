/* SPDX-License-Identifier: Apache-2.0
 *
 * head.c: what civetweb left in its buffer, held against what it says of it.
 *
 *      GET\0/path\0HTTP/1.1\0\0Host\0 a\0\0Accept\0 b\0\0\r\0
 *      one NUL after a word or a name, two where a line ended, \r\0 at the end of the head
 */
#include "common/http/head.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* What malloc aligns the buffer to. */
enum { ALIGNMENT = 16 };

static int refuse(int status, struct err *e, const char *text)
{
        err_set(e, ERR_INVALID, "%s", text);
        return status;
}

/* Where this thread's buffer begins: civetweb allocates one for each of its threads. A request
 * stands at its beginning, or behind one empty line, which clients may send. NULL: not known, and
 * `request` is not it. */
static const char *buffer_start(const char *request)
{
        static _Thread_local const char *start;
        bool after_line =
                (uintptr_t)request % ALIGNMENT == 2 && memcmp(request - 2, "\r\n", 2) == 0;
        const char *candidate = after_line ? request - 2 : request;

        if ((uintptr_t)candidate % ALIGNMENT == 0 && (start == NULL || candidate < start))
                start = candidate;
        return candidate == start ? start : NULL;
}

/* The end of the request line; NULL when its words are not parted by one space each. */
static const char *request_line_end(const struct mg_request_info *info)
{
        const char *version = info->http_version - (sizeof("HTTP/") - 1);
        const char *target = info->request_method + strlen(info->request_method) + 1;
        const char *end = info->request_uri + strlen(info->request_uri);

        if (info->request_uri != target)
                return NULL;
        if (end + 1 != version)
                end += 1 + strlen(end + 1); /* civetweb cuts the query off */
        return end + 1 == version ? version + strlen(version) : NULL;
}

/* The end of a header; NULL when its line does not look like `name: value`. */
static const char *header_end(const struct mg_header *header, const char *line)
{
        const char *value = header->name + strlen(header->name) + 1;

        if (header->name != line)
                return NULL;
        value += strspn(value, " \t");
        if (value != header->value) /* a NUL where white space before the colon was */
                return NULL;
        return value + strlen(value);
}

/* The optional white space after a value is not part of it. */
static void trim(const struct mg_header *header)
{
        char *end = (char *)header->value + strlen(header->value);

        while (end > header->value && (end[-1] == ' ' || end[-1] == '\t'))
                *--end = '\0';
}

int head_check(const struct mg_request_info *info, struct err *e)
{
        const char *start = buffer_start(info->request_method);

        if (start == NULL)
                return refuse(400, e, "there is white space before the request line");
        const char *last = start + HEAD_SIZE - sizeof("\r\n\r");
        const char *at = request_line_end(info);
        for (int i = 0; at != NULL && i < info->num_headers; i++) {
                if (at > last || at[1] != '\0')
                        return refuse(400, e, "a line of the head does not end with CR LF");
                at = header_end(&info->http_headers[i], at + 2);
        }
        if (at == NULL)
                return refuse(400, e, "the request line or a header is malformed");
        if (at > last || at[1] != '\0')
                return refuse(400, e, "a line of the head does not end with CR LF");
        bool bare = info->num_headers == 0 && at[2] == '\0'; /* all white space is NUL there */
        if (!bare && (at[2] != '\r' || at[3] != '\0'))
                return info->num_headers >= MG_MAX_HEADERS
                               ? refuse(431, e, "the request has too many headers")
                               : refuse(400, e, "the head has a line that is no header");
        for (int i = 0; i < info->num_headers; i++)
                trim(&info->http_headers[i]);
        return 0;
}
