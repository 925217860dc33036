/* SPDX-License-Identifier: Apache-2.0
 *
 * framing.c: the checks that civetweb leaves out.
 */
#include "common/http/framing.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LENGTH_DIGITS_MAX = 15 };

/* Two of these leave open which one counts. */
static const char *const singles[] = {
        "Host",          "Content-Length",   "Transfer-Encoding", "Content-Type",
        "Authorization", "Content-Encoding", "Idempotency-Key",   "Expect"};

static const char *find(const struct mg_request_info *info, const char *name, int *count)
{
        const char *value = NULL;

        *count = 0;
        for (int i = 0; i < info->num_headers; i++) {
                if (strcasecmp(info->http_headers[i].name, name) != 0)
                        continue;
                value = info->http_headers[i].value;
                (*count)++;
        }
        return value;
}

static int refuse(struct framing *out, int status, struct err *e, const char *text)
{
        out->refusal = status;
        return err_set(e, ERR_INVALID, "%s", text);
}

static bool is_clean(const char *value)
{
        for (const char *c = value; *c != '\0'; c++) {
                unsigned char byte = (unsigned char)*c;
                if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
                        return false;
        }
        return true;
}

/* "Content-Length : 5" is a header that some readers see and others do not. */
static bool is_token(const char *name)
{
        static const char marks[] = "!#$%&'*+-.^_`|~";

        for (const char *c = name; *c != '\0'; c++) {
                if (!isalnum((unsigned char)*c) && strchr(marks, *c) == NULL)
                        return false;
        }
        return name[0] != '\0';
}

static int check_headers(const struct mg_request_info *info, struct framing *out, struct err *e)
{
        int count = 0;

        /* civetweb drops what exceeds its array without a word. */
        if (info->num_headers >= MG_MAX_HEADERS)
                return refuse(out, 431, e, "the request has too many headers");
        for (int i = 0; i < info->num_headers; i++) {
                if (!is_token(info->http_headers[i].name))
                        return refuse(out, 400, e, "a header's name is malformed");
                if (!is_clean(info->http_headers[i].value))
                        return refuse(out, 400, e, "a header has a control character");
        }
        for (size_t i = 0; i < sizeof(singles) / sizeof(singles[0]); i++) {
                find(info, singles[i], &count);
                if (count > 1) {
                        out->refusal = 400;
                        return err_set(e, ERR_INVALID, "the header %s is given %d times",
                                       singles[i], count);
                }
        }
        find(info, "Host", &count);
        if (count == 0 && strcmp(info->http_version, "1.1") == 0)
                return refuse(out, 400, e, "the header Host is missing");
        return 0;
}

static int check_length(const char *value, struct framing *out, struct err *e)
{
        size_t digits = strspn(value, "0123456789");

        if (digits == 0 || value[digits] != '\0')
                return refuse(out, 400, e, "Content-Length is not a number");
        if (digits > LENGTH_DIGITS_MAX)
                return refuse(out, 413, e, "Content-Length is beyond any limit");
        out->length = strtoll(value, NULL, 10);
        return 0;
}

int framing_check(const struct mg_request_info *info, struct framing *out, struct err *e)
{
        int count = 0;

        *out = (struct framing){0};
        if (check_headers(info, out, e) < 0)
                return -1;

        const char *connection = find(info, "Connection", &count);
        out->keep_alive = strcmp(info->http_version, "1.1") == 0 &&
                          (connection == NULL || strcasestr(connection, "close") == NULL);

        const char *length = find(info, "Content-Length", &count);
        const char *coding = find(info, "Transfer-Encoding", &count);
        if (length != NULL && coding != NULL)
                return refuse(out, 400, e, "both Content-Length and Transfer-Encoding are given");
        if (coding != NULL && strcasecmp(coding, "chunked") != 0)
                return refuse(out, 400, e, "the only transfer coding understood is \"chunked\"");
        if (coding != NULL && strcmp(info->http_version, "1.1") != 0)
                return refuse(out, 400, e, "HTTP/1.0 has no chunked bodies");
        if (length != NULL && check_length(length, out, e) < 0)
                return -1;
        out->chunked = coding != NULL;

        const char *expect = find(info, "Expect", &count);
        if (expect != NULL && strcasecmp(expect, "100-continue") != 0)
                return refuse(out, 417, e, "the only expectation understood is \"100-continue\"");
        out->expects_continue = expect != NULL;
        return 0;
}
