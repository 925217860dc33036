/* SPDX-License-Identifier: Apache-2.0
 *
 * framing.c: the checks that civetweb does not make.
 */
#include "common/http/framing.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/bytes.h"

enum { LENGTH_DIGITS_MAX = 15 };

/* The headers that framing uses. */
enum known { HOST, CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION, EXPECT };

#define LITERAL(text) \
        { \
                .data = (text), .length = sizeof(text) - 1 \
        }
static const struct bytes names[] = {
        [HOST] = LITERAL("Host"),
        [CONTENT_LENGTH] = LITERAL("Content-Length"),
        [TRANSFER_ENCODING] = LITERAL("Transfer-Encoding"),
        [CONNECTION] = LITERAL("Connection"),
        [EXPECT] = LITERAL("Expect"),
        /* These must not be repeated either. */
        LITERAL("Content-Type"),
        LITERAL("Content-Encoding"),
        LITERAL("Authorization"),
        LITERAL("Idempotency-Key"),
        LITERAL("Origin"),
        LITERAL("Sec-WebSocket-Key"),
        LITERAL("Sec-WebSocket-Version"),
};
enum { KNOWN_COUNT = sizeof(names) / sizeof(names[0]) };

/* The known headers of a request; of repeated ones the last value. */
struct headers {
        const char *values[KNOWN_COUNT];
        int counts[KNOWN_COUNT];
        bool closes; /* a Connection header has "close", or has not "keep-alive" (as civetweb) */
};

static void note(struct headers *h, const struct mg_header *header)
{
        size_t length = strlen(header->name);

        for (size_t i = 0; i < KNOWN_COUNT; i++) {
                if (names[i].length != length || strcasecmp(names[i].data, header->name) != 0)
                        continue;
                h->values[i] = header->value;
                h->counts[i]++;
                if (i == CONNECTION)
                        h->closes = h->closes || strcasestr(header->value, "close") != NULL ||
                                    strcasestr(header->value, "keep-alive") == NULL;
                return;
        }
}

static int refuse(int status, struct err *e, const char *text)
{
        err_set(e, ERR_INVALID, "%s", text);
        return status;
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

/* A name with a space, as in "Content-Length : 5", is a header to some readers and not to others.
 */
static bool is_token(const char *name)
{
        static const char marks[] = "!#$%&'*+-.^_`|~";

        for (const char *c = name; *c != '\0'; c++) {
                unsigned char letter = (unsigned char)*c | 0x20;
                if ((letter < 'a' || letter > 'z') && *c != '-' && (*c < '0' || *c > '9') &&
                    strchr(marks, *c) == NULL)
                        return false;
        }
        return name[0] != '\0';
}

static int read_headers(const struct mg_request_info *info, struct headers *h, struct err *e)
{
        /* civetweb silently drops headers over MG_MAX_HEADERS. */
        if (info->num_headers >= MG_MAX_HEADERS)
                return refuse(431, e, "the request has too many headers");
        for (int i = 0; i < info->num_headers; i++) {
                if (!is_token(info->http_headers[i].name))
                        return refuse(400, e, "a header's name is malformed");
                if (!is_clean(info->http_headers[i].value))
                        return refuse(400, e, "a header has a control character");
                note(h, &info->http_headers[i]);
        }
        for (size_t i = 0; i < KNOWN_COUNT; i++) {
                if (h->counts[i] > 1 && i != CONNECTION) {
                        err_set(e, ERR_INVALID, "the header %s is given %d times", names[i].data,
                                h->counts[i]);
                        return 400;
                }
        }
        if (h->values[HOST] == NULL && strcmp(info->http_version, "1.1") == 0)
                return refuse(400, e, "the header Host is missing");
        if (h->values[HOST] != NULL && strpbrk(h->values[HOST], " \t,/\\?#@") != NULL)
                return refuse(400, e, "the header Host is malformed");
        return 0;
}

static int read_length(const char *value, struct framing *out, struct err *e)
{
        size_t digits = strspn(value, "0123456789");

        if (digits == 0 || value[digits] != '\0')
                return refuse(400, e, "Content-Length is not a number");
        if (digits > LENGTH_DIGITS_MAX)
                return refuse(413, e, "Content-Length is too large");
        out->length = strtoll(value, NULL, 10);
        return 0;
}

int framing_check(const struct mg_request_info *info, struct framing *out, struct err *e)
{
        bool is_new = strcmp(info->http_version, "1.1") == 0;
        struct headers h = {0};

        *out = (struct framing){0};
        int refusal = read_headers(info, &h, e);
        if (refusal != 0)
                return refusal;

        out->keep_alive = is_new && !h.closes;

        const char *length = h.values[CONTENT_LENGTH];
        const char *coding = h.values[TRANSFER_ENCODING];
        if (length != NULL && coding != NULL)
                return refuse(400, e, "both Content-Length and Transfer-Encoding are given");
        if (coding != NULL && strcasecmp(coding, "chunked") != 0)
                return refuse(400, e, "the only transfer coding understood is \"chunked\"");
        if (coding != NULL && !is_new)
                return refuse(400, e, "HTTP/1.0 has no chunked bodies");
        refusal = length != NULL ? read_length(length, out, e) : 0;
        if (refusal != 0)
                return refusal;
        out->chunked = coding != NULL;

        const char *expect = h.values[EXPECT];
        if (expect != NULL && strcasecmp(expect, "100-continue") != 0)
                return refuse(417, e, "the only expectation understood is \"100-continue\"");
        out->expects_continue = expect != NULL;
        return 0;
}
