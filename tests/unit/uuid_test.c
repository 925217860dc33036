/* SPDX-License-Identifier: Apache-2.0
 *
 * uuid_test.c: version 7 UUIDs: form, order, uniqueness across threads; version 8 UUIDs made from
 * what they name; parsing.
 */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/uuid.h"

enum { MANY = 400000, THREADS = 4 };

static void test_form_and_order(void **state)
{
        char last[UUID_SIZE] = "", next[UUID_SIZE], parsed[UUID_SIZE];
        msec before = clock_wall();

        (void)state;
        /* More than the counter of one millisecond holds, so time is borrowed from the next one. */
        for (int i = 0; i < MANY; i++) {
                uuid7(next);
                assert_true(strcmp(last, next) < 0);
                memcpy(last, next, sizeof(last));
        }
        assert_true(uuid_parse(bytes_of_text(next), parsed));
        assert_string_equal(parsed, next);
        assert_int_equal(next[14], '7');
        assert_non_null(strchr("89ab", next[19]));
        assert_true(uuid7_time(next) >= before);
}

static char (*made)[UUID_SIZE];

static void *make_share(void *first)
{
        char(*at)[UUID_SIZE] = first;

        for (int i = 0; i < MANY / THREADS; i++)
                uuid7(at[i]);
        return NULL;
}

static int by_text(const void *a, const void *b)
{
        return strcmp(a, b);
}

static void test_threads_share_nothing(void **state)
{
        pthread_t threads[THREADS];

        (void)state;
        made = calloc(MANY, UUID_SIZE);
        for (int i = 0; i < THREADS; i++)
                assert_int_equal(
                        pthread_create(&threads[i], NULL, make_share, made + i * (MANY / THREADS)),
                        0);
        for (int i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        qsort(made, MANY, UUID_SIZE, by_text);
        for (int i = 1; i < MANY; i++)
                assert_true(strcmp(made[i - 1], made[i]) < 0);
        free(made);
}

static void test_parse(void **state)
{
        static const struct {
                const char *text, *want; /* NULL: refused */
        } table[] = {
                {"01930000-0000-7000-8000-000000000000", "01930000-0000-7000-8000-000000000000"},
                {"ABCDEF01-2345-4789-ABCD-EF0123456789", "abcdef01-2345-4789-abcd-ef0123456789"},
                {"00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000000"},
                {"01930000-0000-7000-8000-00000000000", NULL},
                {"01930000-0000-7000-8000-0000000000000", NULL},
                {"01930000000-0-7000-8000-000000000000", NULL},
                {"01930000-0000-7000-8000-00000000000g", NULL},
                {"{1930000-0000-7000-8000-00000000000}", NULL},
                {"", NULL},
        };
        char out[UUID_SIZE];

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                bool got = uuid_parse(bytes_of_text(table[i].text), out);
                assert_int_equal(got, table[i].want != NULL);
                if (got)
                        assert_string_equal(out, table[i].want);
        }
        assert_false(uuid_parse(bytes_of("01930000-0000-7000-8000-0000000000\0000", 36), out));
}

static void test_made_of_parts(void **state)
{
        static const struct {
                struct bytes parts[2];
                bool want_same; /* the same UUID as the first row */
        } rows[] = {
                {{{"ab", 2}, {"c", 1}}, true},  {{{"ab", 2}, {"c", 1}}, true},
                {{{"a", 1}, {"bc", 2}}, false}, {{{"abc", 3}, {NULL, 0}}, false},
                {{{"ab", 2}, {"d", 1}}, false},
        };
        char first[UUID_SIZE], next[UUID_SIZE], parsed[UUID_SIZE];

        (void)state;
        uuid8_of(rows[0].parts, 2, first);
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                uuid8_of(rows[i].parts, 2, next);
                assert_int_equal(strcmp(first, next) == 0, rows[i].want_same);
                assert_true(uuid_parse(bytes_of_text(next), parsed));
                assert_int_equal(next[14], '8');
                assert_non_null(strchr("89ab", next[19]));
        }
        /* SHA-256 over each part's length in eight bytes, high byte first, and the part. It is the
         * same on any machine. */
        assert_string_equal(first, "601d5476-e2cc-8e2c-87a2-bba7a3226597");
}

static void test_time(void **state)
{
        (void)state;
        assert_int_equal(uuid7_time("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"),
                         INT64_C(1645557742000));
        assert_int_equal(uuid7_time("017f22e2-79b0-4cc3-98c4-dc0c0c07398f"), -1);
        assert_int_equal(uuid7_time("nonsense"), -1);
}

static void ids_are_packed(void **state)
{
        static const char id[] = "01902f5e-7b1a-7000-8000-0123456789ab";
        static const char *const wrong[] = {"01902f5e-7b1a-7000-8000-0123456789a",
                                            "01902f5e-7b1a-7000-8000-0123456789abc",
                                            "01902f5e-7b1a-7000-8000+0123456789ab", ""};
        unsigned char packed[UUID_BYTES];
        char text[UUID_SIZE];

        (void)state;
        assert_true(uuid_pack(bytes_of_text(id), packed));
        uuid_unpack(packed, text);
        assert_string_equal(text, id);
        for (size_t i = 0; i < COUNT(wrong); i++)
                assert_false(uuid_pack(bytes_of_text(wrong[i]), packed));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_form_and_order), cmocka_unit_test(test_threads_share_nothing),
                cmocka_unit_test(test_parse),          cmocka_unit_test(test_time),
                cmocka_unit_test(test_made_of_parts),  cmocka_unit_test(ids_are_packed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
