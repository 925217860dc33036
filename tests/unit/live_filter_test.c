/* SPDX-License-Identifier: Apache-2.0
 *
 * live_filter_test.c: filters of the live feed: what matches, and what a client may send.
 */
#include "gateway/live/live_filter.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/unit.h"

#define ID "01902f5e-7b1a-7000-8000-000000000001"
#define OTHER "01902f5e-7b1a-7000-8000-000000000002"

static struct live_message parsed(const char *text)
{
        struct live_message m;
        struct err e = {0};

        if (live_message_parse(bytes_of_text(text), &m, &e) != 0)
                fail_msg("%s", e.text);
        return m;
}

static void what_matches(void **state)
{
        static const struct {
                const char *filter;
                bool want;
        } rows[] = {
                {"{}", true},
                {"{\"kinds\":[\"job_started\"]}", true},
                {"{\"kinds\":[\"job_failed\",\"job_started\"]}", true},
                {"{\"kinds\":[\"job_failed\"]}", false},
                {"{\"kinds\":[]}", true},
                {"{\"kinds\":null,\"mode\":null}", true},
                {"{\"types\":[\"mail\"]}", true},
                {"{\"types\":[\"print\",\"mail\",\"a\"]}", true},
                {"{\"types\":[\"print\"]}", false},
                {"{\"status\":[\"running\"]}", true},
                {"{\"status\":[\"dead\",\"failed\"]}", false},
                {"{\"jobs\":[\"" ID "\"]}", true},
                {"{\"jobs\":[\"" OTHER "\",\"01902F5E-7B1A-7000-8000-000000000001\"]}", true},
                {"{\"jobs\":[\"" OTHER "\"]}", false},
                {"{\"tenant\":\"acme\"}", true},
                {"{\"tenant\":\"*\"}", true},
                {"{\"tenant\":\"other\"}", false},
                {"{\"types\":[\"mail\"],\"status\":[\"dead\"]}", false},
        };
        const struct live_tags tags = {.kind = LIVE_STARTED,
                                       .shown = true,
                                       .status = STATUS_RUNNING,
                                       .id = ID,
                                       .tenant = "acme",
                                       .type = "mail"};

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                char text[256];
                snprintf(text, sizeof(text), "{\"filter\":%s}", rows[i].filter);
                struct live_message m = parsed(text);
                assert_int_equal(live_filter_matches(&m.filter, &tags), rows[i].want);
                live_filter_fini(&m.filter);
        }
}

static void without_type_or_status(void **state)
{
        struct live_message types = parsed("{\"filter\":{\"types\":[\"mail\"]}}");
        struct live_message status = parsed("{\"filter\":{\"status\":[\"pending\"]}}");
        const struct live_tags forgotten = {
                .kind = LIVE_FORGOTTEN, .status = STATUS_PENDING, .tenant = "acme"};

        (void)state;
        assert_true(live_filter_matches(&types.filter, &forgotten));
        assert_false(live_filter_matches(&status.filter, &forgotten));
        live_filter_fini(&types.filter);
        live_filter_fini(&status.filter);
}

static void written_as_read(void **state)
{
        static const char text[] = "{\"filter\":{\"kinds\":[\"job_submitted\",\"job_dlq\"],"
                                   "\"types\":[\"a\",\"b\"],\"status\":[\"dead\"],"
                                   "\"jobs\":[\"" ID "\",\"" OTHER "\"],\"tenant\":\"acme\","
                                   "\"mode\":\"counts\"}}";
        struct live_message m = parsed(text);
        struct live_message other = parsed("{\"filter\":{\"kinds\":[\"job_dlq\",\"job_submitted\","
                                           "\"job_dlq\"],\"types\":[\"b\",\"a\",\"b\"],"
                                           "\"status\":[\"dead\"],\"jobs\":[\"" OTHER "\",\"" ID
                                           "\"],\"tenant\":\"acme\",\"mode\":\"counts\"}}");
        AUTO_BUFFER out = {0};

        (void)state;
        buffer_add_char(&out, '{');
        live_filter_write(&m.filter, "filter", &out);
        buffer_add_char(&out, '}');
        assert_string_equal(out.data, text);
        assert_true(live_filter_equal(&m.filter, &other.filter));
        live_filter_fini(&other.filter);
        assert_false(live_filter_equal(&m.filter, &other.filter));
        live_filter_fini(&m.filter);
        assert_true(live_filter_equal(&m.filter, &other.filter));
}

static void what_a_client_may_not_send(void **state)
{
        static const char *const texts[] = {
                "",
                "7",
                "{}",
                "{\"filter\":{},\"ping\":1}",
                "{\"filter\":null}",
                "{\"filter\":{\"a\":1}}",
                "{\"filter\":{\"kinds\":\"job_dlq\"}}",
                "{\"filter\":{\"kinds\":[7]}}",
                "{\"filter\":{\"kinds\":[\"\"]}}",
                "{\"filter\":{\"types\":[\"A\"]}}",
                "{\"filter\":{\"types\":[\"a\\u0000\"]}}",
                "{\"filter\":{\"jobs\":[\"1\"]}}",
                "{\"filter\":{\"tenant\":\"warren\"}}",
                "{\"filter\":{\"tenant\":\"\"}}",
                "{\"filter\":{\"tenant\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}"
                "}",
                "{\"filter\":{\"mode\":\"x\"}}",
                "{\"filter\":{\"kinds\":[\"job_dlq\"],\"kinds\":[]}}",
                "{\"ping\":1,\"other\":2}",
        };

        (void)state;
        for (size_t i = 0; i < COUNT(texts); i++) {
                struct live_message m;
                struct err e = {0};
                assert_int_equal(live_message_parse(bytes_of_text(texts[i]), &m, &e), -1);
                assert_int_equal(e.code, ERR_INVALID);
                assert_true(e.text[0] != '\0');
                live_filter_fini(&m.filter);
        }
}

static void a_ping(void **state)
{
        struct live_message m = parsed(" {\"ping\": {\"a\": [1, null]} } ");

        (void)state;
        assert_false(m.has_filter);
        assert_true(bytes_equal_text(m.ping, "{\"a\": [1, null]}"));
        live_filter_fini(&m.filter);
        m = parsed("{\"ping\":null}");
        assert_true(bytes_equal_text(m.ping, "null"));
        live_filter_fini(&m.filter);
}

static void lists_are_bounded(void **state)
{
        struct live_filter f = {.tenant = "*"};
        struct err e = {0};
        char type[16];

        (void)state;
        for (int i = 0; i < LIVE_VALUES_MAX; i++) {
                snprintf(type, sizeof(type), "t%d", (i * 37) % LIVE_VALUES_MAX);
                assert_int_equal(live_filter_add(&f, LIVE_TYPES, bytes_of_text(type), &e), 0);
        }
        assert_int_equal(live_filter_add(&f, LIVE_TYPES, bytes_of_text("t5"), &e), 0);
        assert_int_equal(live_filter_add(&f, LIVE_TYPES, bytes_of_text("more"), &e), -1);
        for (int i = 0; i < LIVE_VALUES_MAX; i++) {
                struct live_tags tags = {.tenant = "acme"};
                snprintf(tags.type, sizeof(tags.type), "t%d", i);
                assert_true(live_filter_matches(&f, &tags));
        }
        live_filter_fini(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_matches),    cmocka_unit_test(without_type_or_status),
                cmocka_unit_test(written_as_read), cmocka_unit_test(what_a_client_may_not_send),
                cmocka_unit_test(a_ping),          cmocka_unit_test(lists_are_bounded),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
