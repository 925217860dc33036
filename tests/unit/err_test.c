/* SPDX-License-Identifier: Apache-2.0
 *
 * err_test.c: the first failure wins, wrapping adds in front, text is cut and never overruns.
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

#include "common/base/err.h"

static void test_first_failure_wins(void **state)
{
        struct err e = {0};

        (void)state;
        assert_false(err_is_set(&e));
        assert_int_equal(err_set(&e, ERR_FULL, "window of %d", 3), -1);
        assert_int_equal(err_set(&e, ERR_INVALID, "later"), -1);
        assert_int_equal(e.code, ERR_FULL);
        assert_string_equal(e.text, "window of 3");
        err_clear(&e);
        assert_false(err_is_set(&e));
        assert_string_equal(e.text, "");
}

static void test_wrap(void **state)
{
        struct err e = {0};

        (void)state;
        assert_int_equal(err_wrap(&e, "nothing"), -1);
        assert_false(err_is_set(&e));
        err_set(&e, ERR_TIMEOUT, "no answer");
        err_wrap(&e, "queue %s", "dead");
        assert_string_equal(e.text, "queue dead: no answer");
        assert_int_equal(e.code, ERR_TIMEOUT);
}

static void test_errno(void **state)
{
        struct err e = {0};

        (void)state;
        errno = ENOENT;
        err_set_errno(&e, "file %s", "x");
        assert_int_equal(e.code, ERR_SYSTEM);
        assert_string_equal(e.text, "file x: No such file or directory");
        assert_int_equal(errno, ENOENT);
}

static void test_long_text_is_cut(void **state)
{
        struct err e = {0};
        char text[2 * ERR_TEXT_SIZE];

        (void)state;
        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        err_set(&e, ERR_INVALID, "%s", text);
        assert_int_equal(strlen(e.text), ERR_TEXT_SIZE - 1);
        err_wrap(&e, "%s", text);
        assert_int_equal(strlen(e.text), ERR_TEXT_SIZE - 1);
        errno = EIO;
        err_clear(&e);
        err_set_errno(&e, "%s", text);
        assert_int_equal(strlen(e.text), ERR_TEXT_SIZE - 1);
}

static void test_no_error_wanted(void **state)
{
        (void)state;
        assert_int_equal(err_set(NULL, ERR_INVALID, "x"), -1);
        assert_int_equal(err_set_errno(NULL, "x"), -1);
        assert_int_equal(err_wrap(NULL, "x"), -1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_first_failure_wins),
                cmocka_unit_test(test_wrap),
                cmocka_unit_test(test_errno),
                cmocka_unit_test(test_long_text_is_cut),
                cmocka_unit_test(test_no_error_wanted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
