/* SPDX-License-Identifier: Apache-2.0
 *
 * live_counts_test.c: the counts of the live feed: asked for while they are wanted, as all and as
 * one tenant see them, and what is said when they cannot be had. The status-store is replaced.
 */
#include "gateway/live/live_counts.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static atomic_int status; /* 0: no answer */
static atomic_uint calls;
static const char *_Atomic answer;

int __wrap_http_client_call(struct http_client *c, const struct http_call *call,
                            struct http_reply *reply, struct err *e);

int __wrap_http_client_call(struct http_client *c, const struct http_call *call,
                            struct http_reply *reply, struct err *e)
{
        (void)c;
        assert_string_equal(call->path, "/internal/v1/counts?tenant=*");
        atomic_fetch_add(&calls, 1);
        reply->status = atomic_load(&status);
        if (reply->status == 0)
                return err_set(e, ERR_UNAVAILABLE, "no answer");
        buffer_add_text(&reply->body, atomic_load(&answer));
        return 0;
}

static void await_version(struct live_counts *c, uint64_t version)
{
        msec deadline = clock_mono() + 20 * MSEC_SECOND;

        while (live_counts_version(c) < version) {
                assert_true(clock_mono() < deadline);
                usleep(1000);
        }
}

static void check_text(struct live_counts *c, const char *tenant, const char *want)
{
        AUTO_BUFFER out = {0};

        live_counts_write(c, tenant, &out);
        assert_string_equal(out.data, want);
}

#define COUNTS(scheduled, pending) \
        "{\"scheduled\":" scheduled ",\"pending\":" pending ",\"running\":0,\"failed\":0," \
        "\"completed\":0,\"dead\":0,\"cancelled\":0}"
#define TEXT(tenants, sums) \
        "{\"counts\":{\"as_of\":\"2026-01-01T00:00:00.000Z\",\"lag_ms\":9,\"tenants\":{" tenants \
        "},\"statuses\":" sums "}}"
#define FAILED(detail) "{\"counts\":null,\"stale\":true,\"detail\":\"status-store: " detail "\"}"

static void as_each_sees_them(void **state)
{
        struct err e = {0};

        (void)state;
        atomic_store(&status, 200);
        atomic_store(&answer, "{\"total\":6,\"tenants\":{\"acme\":{\"pending\":2,\"scheduled\":1},"
                              "\"other\":{\"pending\":3}},\"types\":{},"
                              "\"as_of\":\"2026-01-01T00:00:00.000Z\",\"lag_ms\":9}");
        struct live_counts *c = live_counts_create(NULL, &e);
        usleep(20000);
        assert_int_equal(atomic_load(&calls), 0); /* nobody wants to know */
        live_counts_want(c, true);
        await_version(c, 1);
        check_text(c, "*",
                   TEXT("\"acme\":" COUNTS("1", "2") ",\"other\":" COUNTS("0", "3"),
                        COUNTS("1", "5")));
        check_text(c, "acme", TEXT("\"acme\":" COUNTS("1", "2"), COUNTS("1", "2")));
        check_text(c, "new", TEXT("", COUNTS("0", "0")));
        atomic_store(&status, 404);
        await_version(c, 2);
        check_text(c, "*", FAILED("status 404"));
        atomic_store(&status, 200);
        atomic_store(&answer, "{}");
        await_version(c, 3);
        check_text(c, "*", FAILED("its answer cannot be read"));
        atomic_store(&status, 0);
        await_version(c, 4);
        check_text(c, "acme", FAILED("no answer"));
        live_counts_destroy(&c);
        live_counts_destroy(&c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(as_each_sees_them),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
