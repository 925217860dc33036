/* SPDX-License-Identifier: Apache-2.0
 *
 * handlers_test.c: what handlers.json may contain, and where a refusal points.
 */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "consumer/runner/handlers.h"
#include "consumer/runner/text.h"

struct folder {
        char path[64];
        char file[96];
};

static int make_folder(void **state)
{
        struct folder *f = xcalloc(1, sizeof(*f));

        snprintf(f->path, sizeof(f->path), "/tmp/warren-handlers-XXXXXX");
        assert_non_null(mkdtemp(f->path));
        snprintf(f->file, sizeof(f->file), "%s/handlers.json", f->path);
        *state = f;
        return 0;
}

static int drop_folder(void **state)
{
        struct folder *f = *state;

        unlink(f->file);
        rmdir(f->path);
        free(f);
        return 0;
}

static void write_file(const struct folder *f, const char *text, size_t length)
{
        FILE *file = fopen(f->file, "w");

        assert_non_null(file);
        assert_int_equal(fwrite(text, 1, length, file), length);
        assert_int_equal(fclose(file), 0);
}

static struct handlers *load(const struct folder *f, const char *text, struct err *e)
{
        write_file(f, text, strlen(text));
        return handlers_load(f->file, e);
}

static const char everything[] =
        "{\"plugins\": {\"basic\": {\"file\": \"basic.so\", \"processes\": 8,\n"
        "   \"recycle_after\": 10000, \"memory\": \"256MiB\", \"settings\": {\"a\": "
        "1.10}}},\n"
        " \"defaults\": {\"timeout\": \"2m\", \"retry\": {\"base\": \"2s\", "
        "\"factor\": 3,\n"
        "   \"cap\": \"1h\", \"jitter\": 0.5}, \"grace\": \"1s\"},\n"
        " \"types\": {\"echo\": {\"plugin\": \"basic\", \"handler\": \"echo\", "
        "\"timeout\": \"30s\"},\n"
        "   \"report\": {\"exec\": [\"/usr/bin/python3\", \"report.py\"], "
        "\"concurrency\": 2,\n"
        "     \"memory\": \"512MiB\", \"output\": 2048, \"env\": {\"LANG\": "
        "\"C.UTF-8\", \"E\": \"\"},\n"
        "     \"retry\": {\"base\": \"5s\"}, \"on_link_loss\": \"stop\"}}}";

static void takes_everything_the_contract_names(void **state)
{
        const struct folder *f = *state;
        struct err e = {0};
        AUTO(handlers) set = load(f, everything, &e);
        assert_string_equal(e.text, "");
        assert_non_null(set);
        assert_int_equal(handlers_count(set), 2);

        char want_file[128];
        snprintf(want_file, sizeof(want_file), "%s/basic.so", f->path);
        const struct plugin *plugin = handlers_first_plugin(set);
        assert_null(plugin->next);
        assert_string_equal(plugin->name, "basic");
        assert_string_equal(plugin->file, want_file);
        assert_string_equal(plugin->settings, "{\"a\": 1.10}");
        assert_int_equal(plugin->processes, 8);
        assert_int_equal(plugin->recycle_after, 10000);
        assert_int_equal(plugin->memory, 256 << 20);

        const struct handler *echo = handlers_find(set, "echo");
        assert_int_equal(echo->kind, HANDLER_PLUGIN);
        assert_ptr_equal(echo->plugin, plugin);
        assert_string_equal(echo->plugin_handler, "echo");
        assert_int_equal(echo->timeout, 30000);
        assert_int_equal(echo->grace, 1000);
        assert_int_equal(echo->retry.base, 2000);
        assert_false(echo->stop_on_link_loss);

        const struct handler *report = handlers_find(set, "report");
        assert_int_equal(report->kind, HANDLER_EXEC);
        assert_string_equal(report->exec[1], "report.py");
        assert_null(report->exec[2]);
        assert_string_equal(report->env[0], "LANG=C.UTF-8");
        assert_string_equal(report->env[1], "E=");
        assert_null(report->env[2]);
        assert_string_equal(report->folder, f->path);
        assert_int_equal(report->concurrency, 2);
        assert_int_equal(report->memory, 512 << 20);
        assert_int_equal(report->output, 2048);
        assert_int_equal(report->timeout, 120000);
        assert_int_equal(report->retry.base, 5000);
        assert_int_equal(report->retry.cap, 3600000);
        assert_true(report->retry.factor == 3 && report->retry.jitter == 0.5);
        assert_true(report->stop_on_link_loss);
        assert_null(handlers_find(set, "nobody"));
}

static void fills_in_what_is_not_said(void **state)
{
        struct err e = {0};
        AUTO(handlers) set = load(*state, "{\"types\": {\"t\": {\"exec\": [\"true\"]}}}", &e);

        assert_non_null(set);
        const struct handler *h = handlers_find(set, "t");
        assert_int_equal(h->timeout, 300000);
        assert_int_equal(h->grace, 5000);
        assert_int_equal(h->retry.base, 1000);
        assert_int_equal(h->retry.cap, 600000);
        assert_int_equal(h->concurrency, 0);
        assert_int_equal(h->memory, 0);
        assert_int_equal(h->output, 1 << 20);
        assert_null(h->env[0]);
}

static void lives_while_it_is_referred_to(void **state)
{
        struct err e = {0};
        struct handlers *set = load(*state, "{\"types\": {\"t\": {\"exec\": [\"true\"]}}}", &e);
        struct handlers *again = handlers_ref(set);

        handlers_destroy(&set);
        assert_null(set);
        assert_non_null(handlers_find(again, "t"));
        handlers_destroy(&again);
}

#define IN_TYPE(members) \
        "{\"plugins\": {\"p\": {\"file\": \"p.so\"}},\n \"types\": {\"t\": {" members "}}}"
#define PLUGIN "\"plugin\": \"p\", \"handler\": \"h\""
#define EXEC "\"exec\": [\"true\"]"

static const struct {
        const char *text;
        const char *want; /* the text after the file's name */
} faults[] = {
        {"", ":1:1: "},
        {"{\"types\": {}", ":1:13: "},
        {"{\"types\": {}, \"types\": {}}", ":1:15: "},
        {"[]", ":1:1: /: must be an object, is an array"},
        {"{}", ":1:1: /: member \"types\" is missing"},
        {"{\"types\": []}", ":1:11: /types: must be an object, is an array"},
        {"{\"types\": {},\n  \"typos\": {}}", ":2:3: /typos: unknown member"},
        {"{\"types\": {\"Upper\": {}}}", ":1:12: /types/Upper: a job type has the form"},
        {"{\"types\": {\"a/b~c\": {}}}", ":1:12: /types/a~1b~0c: a job type has the form"},
        {"{\"types\": {\"t\": 1}}", ":1:17: /types/t: must be an object, is a number"},
        {IN_TYPE(""), ":2:17: /types/t: exactly one of"},
        {IN_TYPE(PLUGIN ", " EXEC), ":2:17: /types/t: exactly one of"},
        {IN_TYPE("\"http\": \"https://a.example\""),
         ":2:26: /types/t: handlers of kind http are not part of this version"},
        {IN_TYPE("\"plugin\": \"q\", \"handler\": \"h\""),
         ":2:28: /types/t/plugin: no plugin of this name"},
        {IN_TYPE("\"plugin\": \"p\""), ":2:17: /types/t: member \"handler\" is missing"},
        {IN_TYPE(PLUGIN ", \"memory\": 1048576"), ":2:49: /types/t/memory: unknown member"},
        {IN_TYPE(PLUGIN ", \"timeout\": \"fast\""), ":2:60: /types/t/timeout: "},
        {IN_TYPE(PLUGIN ", \"timeout\": \"25h\""),
         ":2:60: /types/t/timeout: must be from 100ms to 1d"},
        {IN_TYPE(PLUGIN ", \"timeout\": null"),
         ":2:60: /types/t/timeout: must be a string, is null"},
        {IN_TYPE(PLUGIN ", \"concurrency\": 0"),
         ":2:64: /types/t/concurrency: must be an integer from 1 to 100000"},
        {IN_TYPE(PLUGIN ", \"concurrency\": 1.5"),
         ":2:64: /types/t/concurrency: must be an integer"},
        {IN_TYPE(PLUGIN ", \"on_link_loss\": \"panic\""),
         ":2:65: /types/t/on_link_loss: must be \"finish\" or \"stop\""},
        {IN_TYPE(PLUGIN ", \"retry\": {\"factor\": 0.5}"),
         ":2:69: /types/t/retry/factor: must be from 1 to 1000"},
        {IN_TYPE(PLUGIN ", \"retry\": {\"jitter\": 2}"),
         ":2:69: /types/t/retry/jitter: must be from 0 to 1"},
        {IN_TYPE(PLUGIN ", \"retry\": {\"base\": \"20m\"}"),
         ":2:58: /types/t/retry: base must not be above cap"},
        {IN_TYPE(PLUGIN ", \"retry\": {\"tries\": 2}"),
         ":2:59: /types/t/retry/tries: unknown member"},
        {IN_TYPE("\"exec\": []"), ":2:26: /types/t/exec: must begin with a program"},
        {IN_TYPE("\"exec\": [\"a\", 1]"), ":2:32: /types/t/exec/1: must be a string, is a number"},
        {IN_TYPE("\"exec\": [\"a\\u0000b\"]"), ":2:27: /types/t/exec/0: must not hold a NUL"},
        {IN_TYPE("\"exec\": \"true\""), ":2:26: /types/t/exec: must be an array"},
        {IN_TYPE(EXEC ", \"memory\": \"1KiB\""), ":2:46: /types/t/memory: must be from"},
        {IN_TYPE(EXEC ", \"output\": \"big\""), ":2:46: /types/t/output: "},
        {IN_TYPE(EXEC ", \"env\": {\"A=B\": \"1\"}"), ":2:44: /types/t/env/A=B: not a variable"},
        {IN_TYPE(EXEC ", \"env\": {\"WARREN_JOB_ID\": \"1\"}"),
         ":2:44: /types/t/env/WARREN_JOB_ID: not a variable"},
        {IN_TYPE(EXEC ", \"env\": {\"A\": 1}"), ":2:49: /types/t/env/A: must be a string"},
        {"{\"plugins\": {\"p\": {}}, \"types\": {}}",
         ":1:19: /plugins/p: member \"file\" is missing"},
        {"{\"plugins\": {\"p\": {\"file\": \"\"}}, \"types\": {}}",
         ":1:28: /plugins/p/file: must not be empty"},
        {"{\"plugins\": {\"p\": {\"file\": \"p\", \"settings\": []}}, \"types\": {}}",
         ":1:45: /plugins/p/settings: must be an object, is an array"},
        {"{\"plugins\": {\"p\": {\"file\": \"p\", \"processes\": 9999}}, \"types\": {}}",
         ":1:46: /plugins/p/processes: must be an integer from 1 to 1024"},
        {"{\"plugins\": {\"\": {\"file\": \"p\"}}, \"types\": {}}", ":1:14: /plugins/: a plugin's"},
        {"{\"defaults\": {\"memory\": 1}, \"types\": {}}",
         ":1:15: /defaults/memory: unknown member"},
};

static void says_what_is_wrong_and_where(void **state)
{
        const struct folder *f = *state;
        for (size_t i = 0; i < COUNT(faults); i++) {
                struct err e = {0};
                char want[512];
                struct handlers *set = load(f, faults[i].text, &e);

                snprintf(want, sizeof(want), "%s%s", f->file, faults[i].want);
                if (set != NULL || strncmp(e.text, want, strlen(want)) != 0)
                        fail_msg("%s\n  want %s\n  got  %s", faults[i].text, want, e.text);
        }
}

static void refuses_what_it_cannot_read(void **state)
{
        const struct folder *f = *state;
        struct err absent = {0}, huge = {0};

        unlink(f->file);
        assert_null(handlers_load(f->file, &absent));
        assert_non_null(strstr(absent.text, "No such file"));

        size_t size = (4 << 20) + 1;
        char *spaces = xmalloc(size);
        memset(spaces, ' ', size);
        write_file(f, spaces, size);
        free(spaces);
        assert_null(handlers_load(f->file, &huge));
        assert_int_equal(huge.code, ERR_TOO_LARGE);
}

static void repairs_text(void **state)
{
        static const struct {
                const char *text;
                size_t length, max;
                const char *want;
        } cases[] = {
                {"plain", 5, 99, "plain"},
                {"a\xff"
                 "b",
                 3, 99,
                 "a\xEF\xBF\xBD"
                 "b"},
                {"a\0b", 3, 99,
                 "a\xEF\xBF\xBD"
                 "b"},
                {"\xC3\xA9\xC3", 3, 99, "\xC3\xA9\xEF\xBF\xBD"},
                {"\xC3\xA9\xC3\xA9", 4, 3, "\xC3\xA9"},
                {"", 0, 99, ""},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(cases); i++) {
                AUTO_BUFFER out = {0};
                text_repair(bytes_of(cases[i].text, cases[i].length), cases[i].max, &out);
                assert_true(bytes_equal_text(buffer_bytes(&out), cases[i].want));
        }
}

static void keeps_the_end_of_a_text(void **state)
{
        static const struct {
                const char *text;
                size_t max;
                const char *want;
        } cases[] = {
                {"plain", 99, "plain"},
                {"plain", 2, "in"},
                {"\xff\xff end", 99, "\xEF\xBF\xBD\xEF\xBF\xBD end"},
                {"\xff\xff end", 7, "\xEF\xBF\xBD end"},
                {"\xff\xff end", 6, " end"},
                {"\xC3\xA9\xC3\xA9", 3, "\xC3\xA9"},
                {"", 9, ""},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(cases); i++) {
                AUTO_BUFFER out = {0};
                text_repair_tail(bytes_of_text(cases[i].text), cases[i].max, &out);
                assert_true(bytes_equal_text(buffer_bytes(&out), cases[i].want));
        }
}

static void makes_a_result_of_any_output(void **state)
{
        static const struct {
                const char *output;
                bool want_any;
                const char *want;
        } cases[] = {
                {"", false, ""},
                {" \n", false, ""},
                {"{\"a\":\n 1.10}\n", true, "{\"a\":\n 1.10}"},
                {"42\n", true, "42"},
                {"done\n", true, "\"done\""},
                {"{\"a\":", true, "\"{\\\"a\\\":\""},
                {"a\xff", true, "\"a\xEF\xBF\xBD\""},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(cases); i++) {
                AUTO_BUFFER out = {0};
                struct bytes output = bytes_of_text(cases[i].output);
                assert_int_equal(text_to_result(output, output.length, 256, &out),
                                 cases[i].want_any);
                assert_true(bytes_equal_text(buffer_bytes(&out), cases[i].want));
        }
}

static void cuts_a_result_that_is_too_long(void **state)
{
        char output[2000];
        AUTO_BUFFER out = {0};

        (void)state;
        memset(output, '\x01', sizeof(output)); /* each takes six bytes once quoted */
        assert_true(text_to_result(bytes_of(output, sizeof(output)), 5000, 1000, &out));
        assert_int_in_range(out.length, 900, 1000);
        assert_non_null(strstr(out.data, "[cut, 5000 bytes in all]\""));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(takes_everything_the_contract_names),
                cmocka_unit_test(fills_in_what_is_not_said),
                cmocka_unit_test(lives_while_it_is_referred_to),
                cmocka_unit_test(says_what_is_wrong_and_where),
                cmocka_unit_test(refuses_what_it_cannot_read),
                cmocka_unit_test(repairs_text),
                cmocka_unit_test(keeps_the_end_of_a_text),
                cmocka_unit_test(makes_a_result_of_any_output),
                cmocka_unit_test(cuts_a_result_that_is_too_long),
        };

        return cmocka_run_group_tests_name("handlers", tests, make_folder, drop_folder);
}
