/* SPDX-License-Identifier: Apache-2.0
 *
 * framing_test.c: requests with ambiguous framing are refused.
 */
#include "common/http/framing.h"
#include "tests/unit/unit.h"

#define HOST \
        { \
                "Host", "a" \
        }

static const struct {
        const char *version;
        struct mg_header headers[5]; /* ends at a NULL name */
        int want;                    /* status of the refusal; 0: accepted */
        bool want_chunked, want_keep_alive;
        int64_t want_length;
} cases[] = {
        {"1.1", {HOST}, 0, false, true, 0},
        {"1.0", {{NULL, NULL}}, 0, false, false, 0},
        {"1.1", {{NULL, NULL}}, 400, false, false, 0},
        {"1.1", {HOST, HOST}, 400, false, false, 0},
        {"1.1", {HOST, {"Content-Length", "12"}}, 0, false, true, 12},
        {"1.1", {HOST, {"content-length", "12"}, {"Content-Length", "12"}}, 400, false, false, 0},
        {"1.1", {HOST, {"Content-Length", "1"}, {"Transfer-Encoding", "chunked"}}, 400, 0, 0, 0},
        {"1.1", {HOST, {"Content-Length", "-1"}}, 400, false, false, 0},
        {"1.1", {HOST, {"Content-Length", "+1"}}, 400, false, false, 0},
        {"1.1", {HOST, {"Content-Length", "1, 1"}}, 400, false, false, 0},
        {"1.1", {HOST, {"Content-Length", ""}}, 400, false, false, 0},
        {"1.1", {HOST, {"Content-Length", "99999999999999999999"}}, 413, false, false, 0},
        {"1.1", {HOST, {"Transfer-Encoding", "chunked"}}, 0, true, true, 0},
        {"1.1", {HOST, {"Transfer-Encoding", "gzip, chunked"}}, 400, false, false, 0},
        {"1.1", {HOST, {"Transfer-Encoding", "identity"}}, 400, false, false, 0},
        {"1.1",
         {HOST, {"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}},
         400,
         false,
         false,
         0},
        {"1.0", {{"Transfer-Encoding", "chunked"}}, 400, false, false, 0},
        {"1.1", {HOST, {"Connection", "close"}}, 0, false, false, 0},
        {"1.1", {HOST, {"Expect", "100-continue"}}, 0, false, true, 0},
        {"1.1", {HOST, {"Expect", "miracles"}}, 417, false, false, 0},
        {"1.1", {HOST, {"Content-Length ", "5"}}, 400, false, false, 0},
        {"1.1", {HOST, {"", "5"}}, 400, false, false, 0},
        {"1.1", {HOST, {"X-Odd", "a\x01z"}}, 400, false, false, 0},
        {"1.1", {HOST, {"Authorization", "a"}, {"authorization", "b"}}, 400, false, false, 0},
};

static void test_framing(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct mg_request_info info = {.http_version = cases[i].version};
                struct framing f;
                struct err e = {0};
                while (cases[i].headers[info.num_headers].name != NULL) {
                        info.http_headers[info.num_headers] = cases[i].headers[info.num_headers];
                        info.num_headers++;
                }
                int got = framing_check(&info, &f, &e);
                assert_int_equal(got, cases[i].want);
                assert_int_equal(err_is_set(&e), cases[i].want != 0);
                if (got != 0)
                        continue;
                assert_int_equal(f.chunked, cases[i].want_chunked);
                assert_int_equal(f.keep_alive, cases[i].want_keep_alive);
                assert_int_equal(f.length, cases[i].want_length);
        }
}

static void test_too_many_headers(void **state)
{
        (void)state;
        struct mg_request_info info = {.http_version = "1.1", .num_headers = MG_MAX_HEADERS};
        struct framing f;
        struct err e = {0};

        for (int i = 0; i < MG_MAX_HEADERS; i++)
                info.http_headers[i] = (struct mg_header){i == 0 ? "Host" : "X", "a"};
        assert_int_equal(framing_check(&info, &f, &e), 431);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_framing),
                cmocka_unit_test(test_too_many_headers),
        };
        return cmocka_run_group_tests_name("framing", tests, NULL, NULL);
}
