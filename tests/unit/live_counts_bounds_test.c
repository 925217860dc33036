/* SPDX-License-Identifier: Apache-2.0
 *
 * live_counts_bounds_test.c: how many tenants one text has, and that no old counts are told. A fake
 * status-store answers.
 */
#include "gateway/live/live_counts.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"

enum { PATIENCE = 20 * MSEC_SECOND };

static atomic_uint tenants = 1;
static pthread_mutex_t answering = PTHREAD_MUTEX_INITIALIZER; /* whoever has it stops the answers */

int __wrap_http_client_call(struct http_client *c, const struct http_call *call,
                            struct http_reply *reply, struct err *e);

int __wrap_http_client_call(struct http_client *c, const struct http_call *call,
                            struct http_reply *reply, struct err *e)
{
        (void)c;
        (void)call;
        (void)e;
        pthread_mutex_lock(&answering);
        pthread_mutex_unlock(&answering);
        reply->status = 200;
        buffer_add_text(&reply->body, "{\"as_of\":\"now\",\"lag_ms\":1,\"tenants\":{");
        for (unsigned i = 0; i < tenants; i++)
                buffer_printf(&reply->body, "%s\"t%u\":{\"pending\":2}", i > 0 ? "," : "", i);
        buffer_add_text(&reply->body, "}}");
        return 0;
}

/* Waits for a version that is not `before`. */
static uint64_t await(struct live_counts *c, uint64_t before)
{
        msec until = clock_mono() + PATIENCE;

        while (live_counts_version(c) == before) {
                assert_true(clock_mono() < until);
                usleep(1000);
        }
        return live_counts_version(c);
}

static void a_text_has_a_bound(void **state)
{
        enum { MANY = 9000, FIRST = 1000, BYTES_MAX = 300 * 1024 };
        AUTO_BUFFER text = {0};
        struct err e = {0};
        struct live_counts *c = live_counts_create(NULL, &e);

        (void)state;
        assert_non_null(c);
        tenants = MANY;
        live_counts_want(c, true);
        await(c, 0);
        live_counts_write(c, "*", &text);
        assert_true(text.length < BYTES_MAX);
        json_t *counts = json_loadb(text.data, text.length, 0, NULL);
        json_int_t more, pending, last;
        assert_int_equal(json_unpack(counts, "{s{sI s{sI} s{s{sI}}}}", "counts", "more", &more,
                                     "statuses", "pending", &pending, "tenants", "t999", "pending",
                                     &last),
                         0);
        assert_int_equal(more, MANY - FIRST);
        assert_int_equal(pending, 2 * MANY);
        assert_int_equal(last, 2);
        json_decref(counts);

        buffer_clear(&text);
        live_counts_write(c, "t8999", &text);
        assert_non_null(strstr(text.data, "\"t8999\":{"));
        assert_null(strstr(text.data, "\"more\""));
        live_counts_destroy(&c);
        tenants = 1;
}

static void an_answer_of_another_time_is_not_told(void **state)
{
        struct err e = {0};
        struct live_counts *c = live_counts_create(NULL, &e);

        (void)state;
        assert_non_null(c);
        live_counts_want(c, true);
        uint64_t before = await(c, 0);
        live_counts_want(c, false);
        pthread_mutex_lock(&answering);
        live_counts_want(c, true);
        assert_int_equal(live_counts_version(c), 0);
        pthread_mutex_unlock(&answering);
        assert_true(await(c, 0) > before);
        live_counts_destroy(&c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_text_has_a_bound),
                cmocka_unit_test(an_answer_of_another_time_is_not_told),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
