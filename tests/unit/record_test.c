/* SPDX-License-Identifier: Apache-2.0
 *
 * record_test.c: control records read and written; API keys.
 */
#include <limits.h>
#include <string.h>

#include "common/model/record.h"
#include "tests/unit/unit.h"

#define HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

/* A record that is read and written again must be the same byte for byte. */
static void records_make_the_round_trip(void **state)
{
        static const struct {
                const char *text;
                enum record_kind want;
        } rows[] = {
                {"{\"record\":\"tenant\",\"key\":\"acme\",\"v\":7,\"rate\":{\"count\":10,\"per\":"
                 "\"1m\"},\"burst\":10,\"max_running\":5,\"slots_version\":3,\"max_pending\":"
                 "100000,"
                 "\"weight\":1,\"paused\":false,\"deleted\":false}",
                 RECORD_TENANT},
                {"{\"record\":\"tenant\",\"key\":\"a-1\",\"v\":1,\"rate\":null,\"burst\":1,"
                 "\"max_running\":null,\"slots_version\":0,\"max_pending\":null,\"weight\":9,"
                 "\"paused\":true,\"deleted\":true}",
                 RECORD_TENANT},
                {"{\"record\":\"apikey\",\"key\":\"k1x2abcd\",\"v\":1,\"tenant\":\"acme\","
                 "\"sha256\":\"" HASH "\",\"scopes\":[\"submit\",\"read\"],\"expires\":null,"
                 "\"revoked\":false}",
                 RECORD_KEY},
                {"{\"record\":\"apikey\",\"key\":\"k1x2abcd\",\"v\":2,\"tenant\":null,"
                 "\"sha256\":\"" HASH "\",\"scopes\":[\"admin\"],\"expires\":1732250000123,"
                 "\"revoked\":true}",
                 RECORD_KEY},
                {"{\"record\":\"pause\",\"key\":\"type:send_email\",\"v\":2,\"paused\":true}",
                 RECORD_PAUSE},
                {"{\"record\":\"pause\",\"key\":\"type:acme/send_email\",\"v\":3,\"paused\":false,"
                 "\"paused_at\":1732250000123,\"by\":\"key k1x2y3z4\"}",
                 RECORD_PAUSE},
                {"{\"record\":\"tenant\",\"key\":\"a-1\",\"v\":2,\"rate\":null,\"burst\":1,"
                 "\"max_running\":null,\"slots_version\":0,\"max_pending\":null,\"weight\":9,"
                 "\"paused\":true,\"deleted\":false,\"paused_at\":1732250000123,"
                 "\"by\":\"key k1x2y3z4\"}",
                 RECORD_TENANT},
                {"{\"record\":\"type\",\"key\":\"send.e-mail\",\"v\":4,\"max_running\":5,"
                 "\"slots_version\":2,\"max_rate\":{\"count\":10,\"per\":\"1s\"},\"rate_version\":"
                 "3}",
                 RECORD_TYPE},
                {"{\"record\":\"type\",\"key\":\"t\",\"v\":5,\"max_running\":null,"
                 "\"slots_version\":3,\"max_rate\":null,\"rate_version\":4}",
                 RECORD_TYPE},
                {"{\"record\":\"sync\",\"key\":\"01902f5e-7b1a-7000-8000-000000000001\"}",
                 RECORD_SYNC},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                AUTO_BUFFER out = {0};
                struct record record;
                struct err e = {0};
                assert_int_equal(record_parse(bytes_of_text(rows[i].text), &record, &e), 0);
                assert_int_equal(record.kind, rows[i].want);
                record_write(&record, &out);
                assert_string_equal(out.data, rows[i].text);
        }
}

static void broken_records_are_refused(void **state)
{
        static const char *const rows[] = {
                "",
                "[]",
                "{\"record\":\"tenant\"",
                "{\"record\":\"tenant\",\"key\":\"Acme\",\"v\":1}",
                "{\"record\":\"tenant\",\"key\":\"warren-x\",\"v\":1}",
                "{\"record\":\"tenant\",\"key\":\"acme\",\"v\":-1}",
                "{\"record\":\"tenant\",\"key\":\"acme\",\"v\":1.5}",
                "{\"record\":\"tenant\",\"key\":\"acme\",\"v\":1,\"weight\":0}",
                "{\"record\":\"tenant\",\"key\":\"acme\",\"v\":1,\"max_running\":-1}",
                "{\"record\":\"tenant\",\"key\":\"acme\",\"v\":1,\"rate\":10}",
                "{\"record\":\"tenant\",\"key\":\"acme\",\"v\":1,\"rate\":{\"count\":1,\"per\":"
                "\"0s\"}}",
                "{\"record\":\"tenant\",\"key\":\"acme\",\"v\":1,\"paused\":1}",
                "{\"record\":\"apikey\",\"key\":\"k1x2abcd\",\"v\":1,\"sha256\":\"00\",\"scopes\":["
                "]}",
                "{\"record\":\"apikey\",\"key\":\"k1\",\"v\":1,\"sha256\":\"" HASH
                "\",\"scopes\":[]}",
                "{\"record\":\"apikey\",\"key\":\"k1x2abcd\",\"v\":1,\"sha256\":\"" HASH "\"}",
                "{\"record\":\"pause\",\"v\":1,\"paused\":true}",
                "{\"record\":\"sync\",\"key\":\"x\"}",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct record record;
                struct err e = {0};
                assert_int_equal(record_parse(bytes_of_text(rows[i]), &record, &e), -1);
                assert_int_equal(e.code, ERR_INVALID);
        }
}

static void what_a_record_lacks_is_as_before_there_were_limits(void **state)
{
        struct record record;
        struct err e = {0};

        (void)state;
        assert_int_equal(record_parse(bytes_of_text("{\"record\":\"tenant\",\"key\":\"acme\"}"),
                                      &record, &e),
                         0);
        assert_int_equal(record.tenant.max_running, RECORD_UNLIMITED);
        assert_int_equal(record.tenant.weight, 1);
        assert_int_equal(record.tenant.paused_at, 0);
        assert_string_equal(record.tenant.by, "");
        assert_int_equal(
                record_parse(bytes_of_text("{\"record\":\"type\",\"key\":\"t\"}"), &record, &e), 0);
        assert_int_equal(record.type.max_running, RECORD_UNLIMITED);
        assert_int_equal(record.type.rate_count, RECORD_UNLIMITED);
}

/* Who paused it is for people; a record counts without it. */
static void what_does_not_fit_leaves_it_open_who_paused(void **state)
{
        static const char *const values[] = {
                "null", "5",
                "\"operation 0190a3f0-6c1e-7d3a-9b52-3c5e0f6a1b2c, and 20 bytes more.\""};

        (void)state;
        for (size_t i = 0; i < COUNT(values); i++) {
                AUTO_BUFFER text = {0};
                struct record record;
                struct err e = {0};
                buffer_printf(&text,
                              "{\"record\":\"pause\",\"key\":\"type:a\",\"paused\":true,"
                              "\"paused_at\":null,\"by\":%s}",
                              values[i]);
                assert_int_equal(record_parse(buffer_bytes(&text), &record, &e), 0);
                assert_true(record.pause.paused);
                assert_string_equal(record.pause.by, "");
        }
}

static void records_of_a_later_version_are_told_apart(void **state)
{
        struct record record;
        struct err e = {0};

        (void)state;
        assert_int_equal(record_parse(bytes_of_text("{\"record\":\"moon\",\"v\":1}"), &record, &e),
                         0);
        assert_int_equal(record.kind, RECORD_UNKNOWN);
        assert_int_equal(record_parse(bytes_of_text("{}"), &record, &e), 0);
        assert_int_equal(record.kind, RECORD_UNKNOWN);
}

static void keys_are_split_and_matched(void **state)
{
        char text[KEY_TEXT_SIZE], id[KEY_ID_SIZE], secret[KEY_SECRET_SIZE], made[KEY_ID_SIZE];
        struct key_record record = {0};

        (void)state;
        api_key_generate(text, made, record.sha256);
        assert_int_equal(strlen(text), KEY_TEXT_SIZE - 1);
        assert_true(api_key_split(text, id, secret));
        assert_string_equal(id, made);
        assert_true(api_key_matches(&record, secret));
        secret[42] = secret[42] == 'a' ? 'b' : 'a';
        assert_false(api_key_matches(&record, secret));
}

static void other_texts_are_no_keys(void **state)
{
        static const char *const rows[] = {
                "",
                "wk_",
                "wk_k1x2abcd_0123456789012345678901234567890123456789ab",
                "wk_k1x2abcd_0123456789012345678901234567890123456789abcd",
                "xk_k1x2abcd_0123456789012345678901234567890123456789abc",
                "wk_K1x2abcd_0123456789012345678901234567890123456789abc",
                "wk_k1x2abcd-0123456789012345678901234567890123456789abc",
                "wk_k1x2abcd_012345678901234567890123456789012345678-abc",
        };
        char id[KEY_ID_SIZE], secret[KEY_SECRET_SIZE];

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
                assert_false(api_key_split(rows[i], id, secret));
        assert_true(api_key_split("wk_k1x2abcd_0123456789012345678901234567890123456789abc", id,
                                  secret));
}

static void scopes_are_read_back(void **state)
{
        static const enum scope all[] = {SCOPE_SUBMIT, SCOPE_READ, SCOPE_OPERATE, SCOPE_ADMIN};
        unsigned scope;

        (void)state;
        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
                assert_true(scope_parse(bytes_of_text(scope_name(all[i])), &scope));
                assert_int_equal(scope, all[i]);
        }
        assert_false(scope_parse(bytes_of_text("root"), &scope));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(records_make_the_round_trip),
                cmocka_unit_test(broken_records_are_refused),
                cmocka_unit_test(what_a_record_lacks_is_as_before_there_were_limits),
                cmocka_unit_test(what_does_not_fit_leaves_it_open_who_paused),
                cmocka_unit_test(records_of_a_later_version_are_told_apart),
                cmocka_unit_test(keys_are_split_and_matched),
                cmocka_unit_test(other_texts_are_no_keys),
                cmocka_unit_test(scopes_are_read_back),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
