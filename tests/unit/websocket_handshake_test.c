/* SPDX-License-Identifier: Apache-2.0
 *
 * websocket_handshake_test.c: a client's request, and the answers to it, whole or in pieces.
 */
#include "common/http/websocket_handshake.h"

#include <string.h>

#include "tests/unit/unit.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ==" /* the example of RFC 6455, 1.3 */
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define SWITCHING "HTTP/1.1 101 Switching Protocols\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"

static void test_request(void **state)
{
        (void)state;
        AUTO_BUFFER out = {0};

        handshake_write(&(struct handshake_request){.authority = "warren.example:8443",
                                                    .path = "/api/v1/live?kinds=job_dlq",
                                                    .bearer = "wk_1",
                                                    .key = KEY},
                        &out);
        assert_non_null(strstr(out.data, "GET /api/v1/live?kinds=job_dlq HTTP/1.1\r\n"
                                         "Host: warren.example:8443\r\n"));
        assert_non_null(strstr(out.data, "\r\nAuthorization: Bearer wk_1\r\n"));
        assert_non_null(strstr(out.data, "\r\nSec-WebSocket-Key: " KEY "\r\n"));
        assert_string_equal(out.data + out.length - 4, "\r\n\r\n");
        buffer_clear(&out);
        handshake_write(&(struct handshake_request){.authority = "[::1]", .path = "/", .key = KEY},
                        &out);
        assert_null(strstr(out.data, "Authorization"));
}

void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);

static bool moves_bearer;

/* What buffers hold ends with a zero byte. */
void *__wrap_realloc(void *old, size_t size)
{
        moves_bearer = moves_bearer || (old != NULL && strstr(old, "Bearer wk") != NULL);
        return __real_realloc(old, size);
}

static void test_no_copy_of_the_bearer(void **state)
{
        static const size_t lengths[] = {3, 50, 100, 200, 400, 800, 1600};

        (void)state;
        for (size_t i = 0; i < COUNT(lengths); i++) {
                AUTO_BUFFER out = {0};
                AUTO_BUFFER bearer = {0};
                buffer_printf(&bearer, "wk%0*d", (int)lengths[i], 0);
                handshake_write(&(struct handshake_request){.authority = "here",
                                                            .path = "/",
                                                            .bearer = bearer.data,
                                                            .key = KEY},
                                &out);
                assert_non_null(strstr(out.data, bearer.data));
                assert_false(moves_bearer);
        }
}

static const struct {
        const char *answer;
        bool want; /* whether it accepts KEY */
} accepted[] = {
        {SWITCHING UPGRADE "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n", true},
        {"HTTP/1.1 101\nupgrade:WebSocket\nCONNECTION: keep-alive, upgrade\n"
         "sec-websocket-accept: \t" ACCEPT " \n\n",
         true},
        {SWITCHING "Connection: keep-alive\r\n" UPGRADE "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n",
         true},
        {SWITCHING UPGRADE "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n", false},
        {SWITCHING UPGRADE "Sec-WebSocket-Accept: " ACCEPT "A\r\n\r\n", false},
        {SWITCHING UPGRADE "\r\n", false},
        {SWITCHING "Upgrade: websocket\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n", false},
        {SWITCHING "Connection: upgrade\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n", false},
        {SWITCHING UPGRADE "Sec-WebSocket-Accept: " ACCEPT
                           "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
         false},
        {SWITCHING UPGRADE "Sec-WebSocket-Accept: " ACCEPT
                           "\r\nSec-WebSocket-Protocol: chat\r\n\r\n",
         false},
};

static void test_acceptance(void **state)
{
        (void)state;
        for (size_t i = 0; i < COUNT(accepted); i++) {
                const char *text = accepted[i].answer;
                struct handshake_answer answer;
                struct err e = {0};

                for (size_t length = 0; length < strlen(text); length++)
                        assert_int_equal(handshake_read(bytes_of(text, length), &answer, &e), 0);
                assert_int_equal(handshake_read(bytes_of_text(text), &answer, &e), 1);
                assert_int_equal(answer.status, 101);
                assert_int_equal(answer.head, strlen(text));
                assert_int_equal(handshake_check(&answer, KEY, &e), accepted[i].want ? 0 : -1);
                assert_int_equal(e.code, accepted[i].want ? ERR_NONE : ERR_PROTOCOL);
        }
}

static void test_refusals(void **state)
{
        (void)state;
        static const struct {
                const char *answer;
                int want_status;
                bool want_known;
                size_t want_body;
                msec want_retry_after;
        } refusals[] = {
                {"HTTP/1.1 401 Unauthorized\r\nContent-Length: 120\r\n\r\n", 401, true, 120, -1},
                {"HTTP/1.0 503 x\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n", 503, true, 0,
                 5000},
                {"HTTP/1.1 503 x\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n\r\n", 503, false,
                 0, -1},
                {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 200,
                 false, 3, -1},
                {"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n", 200, false, 0, -1},
                {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", 200, false, 0,
                 -1},
                {"HTTP/1.1 429 x\r\nno colon\r\n: no name\r\nRetry-After: 999999999\r\n\r\n", 429,
                 false, 0, -1},
        };

        for (size_t i = 0; i < COUNT(refusals); i++) {
                struct handshake_answer answer;
                struct err e = {0};

                assert_int_equal(handshake_read(bytes_of_text(refusals[i].answer), &answer, &e), 1);
                assert_int_equal(answer.status, refusals[i].want_status);
                assert_int_equal(answer.body_known, refusals[i].want_known);
                assert_int_equal(answer.body, refusals[i].want_body);
                assert_int_equal(answer.retry_after, refusals[i].want_retry_after);
                assert_int_equal(handshake_check(&answer, KEY, &e), -1);
        }
}

static void test_garbage(void **state)
{
        (void)state;
        static const char *const wrong[] = {
                "SSH-2.0-OpenSSH_9.2\r\n",
                "HTTP/2 101 x\r\n",
                "HTTP/1.1 abc x\r\n",
                "HTTP/1.1 1011\r\n",
                "\r\n",
                "\x15\x03\x01\x02\x02\x02",
        };
        char line[6000];
        struct handshake_answer answer;

        for (size_t i = 0; i < COUNT(wrong); i++) {
                struct err e = {0};
                assert_int_equal(handshake_read(bytes_of_text(wrong[i]), &answer, &e), -1);
                assert_int_equal(e.code, ERR_PROTOCOL);
        }
        /* A header that is too long is passed over. */
        memset(line, 'a', sizeof(line));
        AUTO_BUFFER in = {0};
        buffer_printf(&in, "HTTP/1.1 404 x\r\nX-Long: %.*s\r\nRetry-After: 1\r\n\r\n",
                      (int)sizeof(line), line);
        struct err e = {0};
        assert_int_equal(handshake_read(buffer_bytes(&in), &answer, &e), 1);
        assert_int_equal(answer.retry_after, 1000);
}

static void test_lists(void **state)
{
        (void)state;
        assert_true(handshake_list_has("keep-alive, Upgrade", "upgrade"));
        assert_true(handshake_list_has(" ,upgrade\t", "upgrade"));
        assert_false(handshake_list_has("upgrades", "upgrade"));
        assert_false(handshake_list_has("", "upgrade"));
        assert_false(handshake_list_has(NULL, "upgrade"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_request),    cmocka_unit_test(test_no_copy_of_the_bearer),
                cmocka_unit_test(test_acceptance), cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_garbage),    cmocka_unit_test(test_lists),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
