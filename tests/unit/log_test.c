/* SPDX-License-Identifier: Apache-2.0
 *
 * log_test.c: each line is one JSON object, whatever its values are.
 */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "common/base/log.h"

/* Standard error goes to a file during a test. */
static int kept = -1;
static FILE *caught;

static int catch_begin(void **state)
{
        (void)state;
        fflush(stderr);
        kept = dup(STDERR_FILENO);
        caught = tmpfile();
        dup2(fileno(caught), STDERR_FILENO);
        log_open("unit", LOG_LEVEL_INFO);
        return 0;
}

static int catch_end(void **state)
{
        (void)state;
        dup2(kept, STDERR_FILENO);
        close(kept);
        fclose(caught);
        return 0;
}

/* The next line, NULL at the end. The caller frees it. */
static json_t *next_line(void)
{
        char line[16384];

        if (fgets(line, sizeof(line), caught) == NULL)
                return NULL;
        json_t *object = json_loads(line, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
        assert_non_null(object);
        return object;
}

static const char *text_of(json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key));
}

static void test_fields(void **state)
{
        struct err e = {0};

        (void)state;
        err_set(&e, ERR_FULL, "full \"up\"");
        LOG_WARN("job failed", log_text("job", "x\ny"), log_int("attempt", -2),
                 log_bool("last", true), log_text("none", NULL), log_err(&e));
        rewind(caught);
        json_t *line = next_line();
        assert_string_equal(text_of(line, "level"), "warn");
        assert_string_equal(text_of(line, "program"), "unit");
        assert_string_equal(text_of(line, "msg"), "job failed");
        assert_int_equal(strlen(text_of(line, "ts")), 24);
        assert_string_equal(text_of(line, "job"), "x\ny");
        assert_string_equal(text_of(line, "error"), "full \"up\"");
        assert_int_equal(json_integer_value(json_object_get(line, "attempt")), -2);
        assert_true(json_is_true(json_object_get(line, "last")));
        assert_true(json_is_null(json_object_get(line, "none")));
        json_decref(line);
        assert_null(next_line());
}

static void test_level(void **state)
{
        (void)state;
        LOG_DEBUG("unseen");
        log_set_level(LOG_LEVEL_DEBUG);
        LOG_DEBUG("seen");
        log_set_level(LOG_LEVEL_ERROR);
        LOG_WARN("unseen");
        rewind(caught);
        json_t *line = next_line();
        assert_string_equal(text_of(line, "msg"), "seen");
        json_decref(line);
        assert_null(next_line());
}

static void test_hostile_values(void **state)
{
        char *large = malloc(100000);

        (void)state;
        memset(large, 'z', 100000);
        LOG_INFO("x", log_bytes("a", bytes_of("\xff\x00\x1b[31m\"}", 9)),
                 log_bytes("b", bytes_of(large, 100000)));
        free(large);
        rewind(caught);
        json_t *line = next_line();
        assert_int_equal(json_string_length(json_object_get(line, "b")), 4096);
        assert_int_equal(json_string_length(json_object_get(line, "a")), 11);
        json_decref(line);
        assert_null(next_line());
}

static void test_level_words(void **state)
{
        (void)state;
        assert_string_equal(log_level_words[LOG_LEVEL_ERROR], "error");
        assert_string_equal(log_level_words[LOG_LEVEL_DEBUG], "debug");
        assert_null(log_level_words[LOG_LEVEL_DEBUG + 1]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_fields, catch_begin, catch_end),
                cmocka_unit_test_setup_teardown(test_level, catch_begin, catch_end),
                cmocka_unit_test_setup_teardown(test_hostile_values, catch_begin, catch_end),
                cmocka_unit_test(test_level_words),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
