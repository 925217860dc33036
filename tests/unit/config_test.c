/* SPDX-License-Identifier: Apache-2.0
 *
 * config_test.c: which source overrides which; what is refused, with its name and origin.
 */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/config.h"
#include "common/base/secret.h"

struct settings {
        char *name, *token, *url;
        int64_t port, memory;
        msec timeout;
        bool primary;
        int mode;
};

static const char *const modes[] = {"fast", "slow", NULL};

#define FIELD(name_) .offset = offsetof(struct settings, name_)
static const struct config_key keys[] = {
        {.name = "name", .kind = CONFIG_TEXT, .fallback = "", .help = "a name", FIELD(name)},
        {.name = "token_file", .kind = CONFIG_SECRET, .fallback = "", .help = "t", FIELD(token)},
        {.name = "url", .kind = CONFIG_TEXT, .fallback = "amqp://x", .help = "a URL", FIELD(url)},
        {.name = "port",
         .kind = CONFIG_INT,
         .fallback = NULL,
         .min = 1,
         .max = 65535,
         .help = "where it listens",
         FIELD(port)},
        {.name = "memory",
         .kind = CONFIG_SIZE,
         .fallback = "1MiB",
         .min = 1024,
         .max = INT64_C(1) << 30,
         .help = "m",
         FIELD(memory)},
        {.name = "timeout",
         .kind = CONFIG_MSEC,
         .fallback = "5s",
         .min = 1,
         .max = MSEC_HOUR,
         .help = "t",
         FIELD(timeout)},
        {.name = "primary", .kind = CONFIG_BOOL, .fallback = "no", .help = "p", FIELD(primary)},
        {.name = "mode",
         .kind = CONFIG_WORD,
         .fallback = "fast",
         .words = modes,
         .help = "m",
         FIELD(mode)},
        {0},
};
static const struct config_table table = {
        .program = "unit-test", .summary = "a program of tests", .keys = keys};

enum { ARGUMENTS_MAX = 12 };

static int load(const char *const *flags, struct settings *out, enum config_action *action,
                struct err *e)
{
        char *argv[ARGUMENTS_MAX] = {(char[]){"program"}};
        int argc = 1;

        for (; flags[argc - 1] != NULL; argc++)
                argv[argc] = (char *)(uintptr_t)flags[argc - 1];
        return config_load(&table, argc, argv, out, action, e);
}

#define FLAGS(...) ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static char folder[64];

static const char *file_with(const char *content, mode_t mode, char path[PATH_MAX])
{
        snprintf(path, PATH_MAX, "%s/file", folder);
        unlink(path);
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, content, strlen(content)), (ssize_t)strlen(content));
        assert_int_equal(fchmod(fd, mode), 0);
        close(fd);
        return path;
}

static int folder_make(void **state)
{
        (void)state;
        snprintf(folder, sizeof(folder), "/tmp/warren-config-XXXXXX");
        return mkdtemp(folder) == NULL ? -1 : 0;
}

static int folder_remove(void **state)
{
        char path[PATH_MAX + 8];

        (void)state;
        snprintf(path, sizeof(path), "%s/file", folder);
        unlink(path);
        return rmdir(folder);
}

static void test_defaults(void **state)
{
        struct settings s = {0};
        struct err e = {0};
        enum config_action action;

        (void)state;
        assert_int_equal(load(FLAGS("--port", "80"), &s, &action, &e), 0);
        assert_int_equal(action, CONFIG_RUN);
        assert_null(s.name);
        assert_null(s.token);
        assert_int_equal(s.port, 80);
        assert_int_equal(s.memory, 1 << 20);
        assert_int_equal(s.timeout, 5000);
        assert_false(s.primary);
        assert_int_equal(s.mode, 0);
        config_fini(&table, &s);
}

static void test_flags_over_environment_over_file(void **state)
{
        struct settings s = {0};
        struct err e = {0};
        enum config_action action;
        char path[PATH_MAX];

        (void)state;
        file_with("# a comment\n\n port = 1 \nname = of the # file\ntimeout=1m\nmode = slow\n",
                  0644, path);
        setenv("WARREN_UNIT_TEST_PORT", "2", 1);
        setenv("WARREN_UNIT_TEST_TIMEOUT", "2m", 1);
        setenv("WARREN_OTHER_PORT", "nothing of ours", 1);
        int got = load(FLAGS("--config", path, "--port=3", "--primary", "on"), &s, &action, &e);
        unsetenv("WARREN_UNIT_TEST_PORT");
        unsetenv("WARREN_UNIT_TEST_TIMEOUT");
        assert_string_equal(e.text, "");
        assert_int_equal(got, 0);
        assert_int_equal(s.port, 3);
        assert_int_equal(s.timeout, 120000);
        assert_string_equal(s.name, "of the # file");
        assert_int_equal(s.mode, 1);
        assert_true(s.primary);
        config_fini(&table, &s);
}

static void test_refusals(void **state)
{
        static const struct {
                const char *const flags[5];
                const char *want; /* part of the text */
        } cases[] = {
                {{"--prt", "80"}, "there is no flag '--prt'"},
                {{"--port"}, "--port needs a value"},
                {{"stray"}, "'stray' is no flag"},
                {{"--port", "0"}, "port (from flag --port): '0' is not within 1 and 65535"},
                {{"--port", "65536"}, "not within"},
                {{"--port", "8x"}, "not a whole number"},
                {{"--port", ""}, "not a whole number"},
                {{"--port", "99999999999999999999"}, "not a whole number"},
                {{"--port=1", "--memory", "1MB"}, "not a size"},
                {{"--port=1", "--memory", "9999999999GiB"}, "not a size"},
                {{"--port=1", "--memory", "2GiB"}, "not within"},
                {{"--port=1", "--timeout", "2h"}, "is not within 1ms and 1h"},
                {{"--port=1", "--timeout", "soon"}, "not a duration"},
                {{"--port=1", "--primary", "maybe"}, "neither true nor false"},
                {{"--port=1", "--mode", "medium"}, "'medium' is none of: fast, slow"},
                {{"--port=1", "--token_file", "/nonexistent/x"}, "No such file"},
                {{"--port=1", "--url", ""}, "url (from flag --url): it must not be empty"},
                {{"--config"}, "--config needs a file"},
                {{"--config", "/nonexistent/x"}, "/nonexistent/x: No such file"},
                {{NULL}, "port must be given (--port, WARREN_UNIT_TEST_PORT or the file)"},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(cases); i++) {
                struct settings s = {0};
                struct err e = {0};
                enum config_action action;
                assert_int_equal(load(cases[i].flags, &s, &action, &e), -1);
                if (strstr(e.text, cases[i].want) == NULL)
                        fail_msg("case %zu: '%s' lacks '%s'", i, e.text, cases[i].want);
                config_fini(&table, &s);
        }
}

static void test_file_refusals(void **state)
{
        static const struct {
                const char *content, *want;
        } cases[] = {
                {"port = 1\nwhat = 2\n", "line 2 of"},
                {"port = 1\nport = 2\n", "'port' is set already, in line 1"},
                {"\xef\xbb\xbfport = 1\n", "byte order mark"},
                {"port\n", "not 'key = value'"},
                {" = 1\n", "line 1 of"},
                {"# = 1\n\n  \nport 1\n", "line 4 of"},
                {"port = x\n", "port (from line 1 of"},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(cases); i++) {
                struct settings s = {0};
                struct err e = {0};
                enum config_action action;
                char path[PATH_MAX];
                file_with(cases[i].content, 0600, path);
                assert_int_equal(load(FLAGS("--config", path), &s, &action, &e), -1);
                if (strstr(e.text, cases[i].want) == NULL)
                        fail_msg("case %zu: '%s' lacks '%s'", i, e.text, cases[i].want);
                config_fini(&table, &s);
        }
}

static void test_unknown_variable(void **state)
{
        struct settings s = {0};
        struct err e = {0};
        enum config_action action;

        (void)state;
        setenv("WARREN_UNIT_TEST_PROT", "2", 1);
        assert_int_equal(load(FLAGS("--port=1"), &s, &action, &e), -1);
        unsetenv("WARREN_UNIT_TEST_PROT");
        assert_non_null(strstr(e.text, "WARREN_UNIT_TEST_PROT"));
        config_fini(&table, &s);
}

static void test_help_needs_nothing(void **state)
{
        struct settings s = {0};
        struct err e = {0};
        enum config_action action;

        (void)state;
        assert_int_equal(load(FLAGS("--help"), &s, &action, &e), 0);
        assert_int_equal(action, CONFIG_EXIT);
        assert_int_equal(load(FLAGS("--version"), &s, &action, &e), 0);
        assert_int_equal(action, CONFIG_EXIT);
        assert_int_equal(load(FLAGS("--port=1", "--print-config"), &s, &action, &e), 0);
        assert_int_equal(action, CONFIG_EXIT);
        config_fini(&table, &s);
}

static void test_secrets(void **state)
{
        static const struct {
                const char *content;
                mode_t mode;
                const char *want, *error;
        } cases[] = {
                {"s3cret\n", 0600, "s3cret", NULL},
                {"two\nlines\n\n", 0640, "two\nlines\n", NULL},
                {"s3cret", 0604, NULL, "others can read it"},
                {"", 0600, NULL, "empty"},
                {"\n", 0600, NULL, "empty"},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(cases); i++) {
                struct err e = {0};
                char path[PATH_MAX];
                char *got = secret_read(file_with(cases[i].content, cases[i].mode, path), &e);
                if (cases[i].want != NULL) {
                        assert_non_null(got);
                        assert_string_equal(got, cases[i].want);
                } else {
                        assert_null(got);
                        assert_non_null(strstr(e.text, cases[i].error));
                }
                free(got);
        }
        struct err e = {0};
        assert_null(secret_read("/dev/zero", &e));
        assert_non_null(strstr(e.text, "not a regular file"));
}

static void test_secret_too_large(void **state)
{
        struct err e = {0};
        char path[PATH_MAX], content[5000];

        (void)state;
        memset(content, 'x', sizeof(content) - 1);
        content[sizeof(content) - 1] = '\0';
        assert_null(secret_read(file_with(content, 0600, path), &e));
        assert_int_equal(e.code, ERR_TOO_LARGE);
        content[4096] = '\0';
        char *got = secret_read(file_with(content, 0600, path), &e);
        assert_non_null(got);
        assert_int_equal(strlen(got), 4096);
        free(got);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_flags_over_environment_over_file),
                cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_file_refusals),
                cmocka_unit_test(test_unknown_variable),
                cmocka_unit_test(test_help_needs_nothing),
                cmocka_unit_test(test_secrets),
                cmocka_unit_test(test_secret_too_large),
        };

        return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
