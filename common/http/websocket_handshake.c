/* SPDX-License-Identifier: Apache-2.0
 *
 * websocket_handshake.c: writes a client's request, reads the answer.
 */
#include "common/http/websocket_handshake.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LINE_MAX_SIZE = 4096, STATUS_LINE_LEAST = 12, DIGITS_MAX = 9, BEARER_AROUND = 256 };

bool handshake_list_has(const char *list, const char *word)
{
        size_t length = strlen(word);

        while (list != NULL && *list != '\0') {
                list += strspn(list, " \t,");
                size_t size = strcspn(list, " \t,");
                if (size == length && strncasecmp(list, word, length) == 0)
                        return true;
                list += size;
        }
        return false;
}

int handshake_accept(const char *key, struct buffer *out, struct err *e)
{
        static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 */
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned int size = 0;
        char text[HANDSHAKE_KEY_LENGTH + sizeof(guid)];

        assert(strlen(key) == HANDSHAKE_KEY_LENGTH);
        memcpy(text, key, HANDSHAKE_KEY_LENGTH);
        memcpy(text + HANDSHAKE_KEY_LENGTH, guid, sizeof(guid));
        if (EVP_Digest(text, strlen(text), digest, &size, EVP_sha1(), NULL) != 1)
                return err_set(e, ERR_UNAVAILABLE, "SHA-1 is not available");
        buffer_add_base64(out, bytes_of(digest, size));
        return 0;
}

void handshake_write(const struct handshake_request *request, struct buffer *out)
{
        const char *bearer = request->bearer != NULL ? request->bearer : "";
        const char *const texts[] = {request->authority, request->path, request->key, bearer};

        /* A line break would add a header. */
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                assert(strpbrk(texts[i], "\r\n") == NULL);
        buffer_printf(out,
                      "GET %s HTTP/1.1\r\n"
                      "Host: %s\r\n"
                      "User-Agent: warren/" WARREN_VERSION "\r\n"
                      "Upgrade: websocket\r\n"
                      "Connection: Upgrade\r\n"
                      "Sec-WebSocket-Key: %s\r\n"
                      "Sec-WebSocket-Version: 13\r\n",
                      request->path, request->authority, request->key);
        /* A buffer that grows would leave a copy of the bearer in freed memory. */
        buffer_reserve(out, strlen(bearer) + BEARER_AROUND);
        if (request->bearer != NULL)
                buffer_printf(out, "Authorization: Bearer %s\r\n", request->bearer);
        buffer_add_text(out, "\r\n");
}

/* The length of the first line, and of the break that ends it. False: it has not ended. */
static bool find_line(struct bytes in, size_t *length, size_t *end)
{
        const char *at = in.length > 0 ? memchr(in.data, '\n', in.length) : NULL;

        if (at == NULL)
                return false;
        *length = (size_t)(at - in.data);
        *end = *length + 1;
        if (*length > 0 && in.data[*length - 1] == '\r')
                (*length)--;
        return true;
}

/* A whole number of few digits; false: it is none. */
static bool read_number(const char *text, size_t *out)
{
        size_t digits = strspn(text, "0123456789");

        if (digits == 0 || digits > DIGITS_MAX || text[digits] != '\0')
                return false;
        *out = strtoul(text, NULL, 10);
        return true;
}

static void take_header(struct handshake_answer *out, const char *name, const char *value,
                        bool *names_upgrade)
{
        size_t number = 0;

        if (strcasecmp(name, "Upgrade") == 0)
                out->upgrades = handshake_list_has(value, "websocket");
        else if (strcasecmp(name, "Connection") == 0)
                *names_upgrade = *names_upgrade || handshake_list_has(value, "upgrade");
        else if (strcasecmp(name, "Sec-WebSocket-Accept") == 0)
                (void)!bytes_to_text(bytes_of_text(value), out->accept, sizeof(out->accept));
        else if (strcasecmp(name, "Sec-WebSocket-Extensions") == 0 ||
                 strcasecmp(name, "Sec-WebSocket-Protocol") == 0)
                out->negotiates = true;
        else if (strcasecmp(name, "Content-Length") == 0)
                out->body_known = read_number(value, &out->body);
        else if (strcasecmp(name, "Content-Type") == 0)
                (void)!bytes_to_text(bytes_of_text(value), out->content_type,
                                     sizeof(out->content_type));
        else if (strcasecmp(name, "Retry-After") == 0 && read_number(value, &number) &&
                 number < MSEC_DAY)
                out->retry_after = (msec)number * MSEC_SECOND;
}

/* Splits "Name:  value " in place. NULL: it is no header. */
static const char *split_header(char *line)
{
        char *colon = strchr(line, ':');

        if (colon == NULL || colon == line)
                return NULL;
        *colon = '\0';
        char *value = colon + 1 + strspn(colon + 1, " \t");
        size_t length = strlen(value);
        while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == '\t'))
                value[--length] = '\0';
        return value;
}

static int read_status(const char *line, int *status)
{
        static const char digits[] = "0123456789";

        if (strncmp(line, "HTTP/1.", 7) != 0 || strlen(line) < STATUS_LINE_LEAST ||
            line[8] != ' ' || strspn(line + 9, digits) != 3)
                return -1;
        *status = (int)strtol(line + 9, NULL, 10);
        return 0;
}

int handshake_read(struct bytes in, struct handshake_answer *out, struct err *e)
{
        char line[LINE_MAX_SIZE];
        bool first = true, names_upgrade = false, is_coded = false;
        size_t length, end;

        *out = (struct handshake_answer){.retry_after = -1};
        for (size_t at = 0; find_line(bytes_of(in.data + at, in.length - at), &length, &end);
             at += end, first = false) {
                bool fits = bytes_to_text(bytes_of(in.data + at, length), line, sizeof(line)) == 0;
                if (first && (!fits || read_status(line, &out->status) < 0))
                        return err_set(e, ERR_PROTOCOL, "the answer is not HTTP");
                if (length == 0) {
                        out->head = at + end;
                        out->upgrades = out->upgrades && names_upgrade;
                        out->body_known = out->body_known && !is_coded;
                        return 1;
                }
                const char *value = first || !fits ? NULL : split_header(line);
                if (value == NULL)
                        continue; /* too long for any header that is read */
                is_coded = is_coded || strcasecmp(line, "Transfer-Encoding") == 0;
                take_header(out, line, value, &names_upgrade);
        }
        /* A peer that sends anything else without a line break is not waited for. */
        if (first && in.length >= 5 && memcmp(in.data, "HTTP/", 5) != 0)
                return err_set(e, ERR_PROTOCOL, "the answer is not HTTP");
        return 0;
}

int handshake_check(const struct handshake_answer *answer, const char *key, struct err *e)
{
        AUTO_BUFFER accept = {0};

        if (handshake_accept(key, &accept, e) < 0)
                return -1;
        if (!answer->upgrades || answer->negotiates ||
            !bytes_equal_text(buffer_bytes(&accept), answer->accept))
                return err_set(e, ERR_PROTOCOL, "the answer to the WebSocket handshake is wrong");
        return 0;
}
