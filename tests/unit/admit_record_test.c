/* SPDX-License-Identifier: Apache-2.0
 *
 * admit_record_test.c: records of what a gateway admitted: written, read back, and refused.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "gateway/admit_record.h"
#include "tests/unit/unit.h"

static void written_and_read_back(void **state)
{
        (void)state;
        AUTO_FREE struct admit_record *r = xcalloc(1, sizeof(*r));
        AUTO_FREE struct admit_record *back = xcalloc(1, sizeof(*back));
        AUTO_BUFFER out = {0};
        struct err e = {0};

        snprintf(r->gateway, sizeof(r->gateway), "host-a/12/9f3ac2d1");
        r->n = 7;
        r->at = 1732250000123;
        admit_list_add(&r->admitted, "acme", 12);
        admit_list_add(&r->admitted, "b-2", -1);
        admit_list_add(&r->levels, "acme", 54000);
        admit_record_write(r, &out);
        static const char want[] =
                "{\"gateway\":\"host-a/12/9f3ac2d1\",\"n\":7,\"at\":1732250000123,"
                "\"admitted\":{\"acme\":12,\"b-2\":-1},\"levels\":{\"acme\":54000}}";
        assert_int_equal(out.length, strlen(want));
        assert_memory_equal(out.data, want, strlen(want));
        assert_int_equal(admit_record_read(buffer_bytes(&out), back, &e), 0);
        assert_string_equal(back->gateway, r->gateway);
        assert_int_equal(back->n, 7);
        assert_int_equal(back->at, 1732250000123);
        assert_int_equal(back->admitted.count, 2);
        assert_string_equal(back->admitted.entries[1].tenant, "b-2");
        assert_int_equal(back->admitted.entries[1].value, -1);
        assert_int_equal(back->levels.count, 1);
        assert_int_equal(back->levels.entries[0].value, 54000);
}

/* The longest record that is written can be read. */
static void a_full_record_fits(void **state)
{
        (void)state;
        AUTO_FREE struct admit_record *r = xcalloc(1, sizeof(*r));
        AUTO_BUFFER out = {0};
        struct err e = {0};

        memset(r->gateway, 'g', sizeof(r->gateway) - 1);
        r->n = r->at = (int64_t)1 << 53;
        for (int i = 0; i < ADMIT_ENTRIES_MAX; i++) {
                char name[TENANT_SIZE];
                snprintf(name, sizeof(name), "abcdefghijklmnopqrstuvwxyz01%04u",
                         (unsigned)i % 10000);
                admit_list_add(&r->admitted, name, 1000000000);
                admit_list_add(&r->levels, name, (int64_t)1 << 53);
        }
        admit_record_write(r, &out);
        assert_int_equal(admit_record_read(buffer_bytes(&out), r, &e), 0);
        assert_int_equal(r->levels.count, ADMIT_ENTRIES_MAX);
}

static void what_is_no_record_is_refused(void **state)
{
        (void)state;
        static const struct {
                const char *json;
                bool good;
        } rows[] = {
                {"{\"gateway\":\"x\",\"n\":1,\"at\":1}", true},
                {"{\"gateway\":\"x\",\"n\":1,\"at\":1,\"later\":{\"a\":[1,null]}}", true},
                {"{\"gateway\":\"x\",\"n\":1,\"at\":1,\"admitted\":{}}", true},
                {"{\"gateway\":\"x\",\"n\":1,\"at\":1,\"admitted\":{\"a\":0}}", true},
                {"", false},
                {"null", false},
                {"[]", false},
                {"{}", false},
                {"{\"gateway\":\"x\",\"n\":1}", false},
                {"{\"gateway\":\"\",\"n\":1,\"at\":1}", false},
                {"{\"gateway\":7,\"n\":1,\"at\":1}", false},
                {"{\"gateway\":\"x\",\"n\":0,\"at\":1}", false},
                {"{\"gateway\":\"x\",\"n\":1.5,\"at\":1}", false},
                {"{\"gateway\":\"x\",\"n\":1,\"at\":9007199254740993}", false},
                {"{\"gateway\":\"x\",\"n\":1,\"at\":1,\"admitted\":[]}", false},
                {"{\"gateway\":\"x\",\"n\":1,\"at\":1,\"admitted\":{\"a\":1.5}}", false},
                {"{\"gateway\":\"x\",\"n\":1,\"at\":1,\"admitted\":{\"a\":\"1\"}}", false},
                {"{\"gateway\":\"x\",\"n\":1,\"at\":1,\"admitted\":{\"a\":1000000001}}", false},
                {"{\"gateway\":\"x\",\"n\":1,\"at\":1,\"admitted\":{\"a\":-1000000001}}", false},
                {"{\"gateway\":\"x\",\"n\":1,\"at\":1,\"admitted\":{\"\":1}}", false},
                {"{\"gateway\":\"x\",\"n\":1,\"at\":1,\"admitted\":"
                 "{\"a234567890123456789012345678901234567890\":1}}",
                 false},
                {"{\"gateway\":\"x\",\"n\":1,\"at\":1,\"levels\":{\"a\":-1}}", false},
                {"{\"gateway\":\"x\",\"gateway\":\"x\",\"n\":1,\"at\":1}", false},
        };
        AUTO_FREE struct admit_record *r = xcalloc(1, sizeof(*r));

        for (size_t i = 0; i < COUNT(rows); i++) {
                struct err e = {0};
                int read = admit_record_read(bytes_of_text(rows[i].json), r, &e);
                if ((read == 0) != rows[i].good)
                        fail_msg("%s: %s", rows[i].json, e.text);
                assert_int_equal(err_is_set(&e), !rows[i].good);
        }
}

static void too_much_is_refused(void **state)
{
        (void)state;
        AUTO_FREE struct admit_record *r = xcalloc(1, sizeof(*r));
        AUTO_BUFFER many = {0};
        AUTO_BUFFER is_long = {0};
        struct err e = {0};

        buffer_printf(&many, "{\"gateway\":\"x\",\"n\":1,\"at\":1,\"admitted\":{\"t\":1");
        for (int i = 0; i < ADMIT_ENTRIES_MAX; i++)
                buffer_printf(&many, ",\"t%d\":1", i);
        buffer_printf(&many, "}}");
        assert_int_equal(admit_record_read(buffer_bytes(&many), r, &e), -1);
        e = (struct err){0};
        buffer_printf(&is_long, "{\"gateway\":\"x\",\"n\":1,\"at\":1,\"pad\":\"%*s\"}",
                      ADMIT_RECORD_BYTES_MAX, "");
        assert_int_equal(admit_record_read(buffer_bytes(&is_long), r, &e), -1);
        assert_int_equal(e.code, ERR_INVALID);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(written_and_read_back),
                cmocka_unit_test(a_full_record_fits),
                cmocka_unit_test(what_is_no_record_is_refused),
                cmocka_unit_test(too_much_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
