/* SPDX-License-Identifier: Apache-2.0
 *
 * cli_arguments_test.c: words and options of the command, and the table they are read against.
 */
#include "tests/unit/unit.h"

#include <string.h>

#include "ui/cli/command.h"

static const struct option own[] = {
        {"wait", .help = "a switch"},
        {"limit", "TEXT", .help = "a value"},
        {"priority", "NAME", "a word", .words = "high low"},
        {"status", "NAME", "words", .words = "dead failed", .several = true},
        {"count", "N", .help = "a number"},
        {"at", "TIME", .help = "a time"},
        {"in", "DURATION", .help = "a duration"},
        {"by", "WHEN", .help = "a time or a duration"},
        {"most", "N|unlimited", .help = "a limit"},
        {"rate", "N/DURATION", .help = "a rate"},
        {0},
};

enum { ARGUMENTS_MAX = 8 };

static int parse(const char *const *given, struct arguments *out, struct err *e)
{
        char *argv[ARGUMENTS_MAX + 1] = {NULL};
        int argc = 0;

        for (; given[argc] != NULL; argc++)
                argv[argc] = (char *)(uintptr_t)given[argc];
        return arguments_parse(argc, argv, own, command_shared_options, out, e);
}

static void test_accepts(void **state)
{
        static const struct {
                const char *given[ARGUMENTS_MAX];
                const char *words[WORDS_MAX];
                const char *limit;
                bool wait, json;
        } table[] = {
                {{NULL}, {NULL}, NULL, false, false},
                {{"a", "b"}, {"a", "b"}, NULL, false, false},
                {{"a", "--wait", "b"}, {"a", "b"}, NULL, true, false},
                {{"--limit", "5", "a"}, {"a"}, "5", false, false},
                {{"--limit=5", "--json"}, {NULL}, "5", false, true},
                {{"--limit="}, {NULL}, "", false, false},
                {{"--limit", "--wait"}, {NULL}, "--wait", false, false},
                {{"--", "--wait"}, {"--wait"}, NULL, false, false},
                {{"a", "-"}, {"a", "-"}, NULL, false, false},
                {{"--status", "dead", "a"}, {"a"}, NULL, false, false},
                {{"--status", "dead,failed"}, {NULL}, NULL, false, false},
                {{"--count", "5", "--at", "2027-01-31T09:00:00Z", "--in", "1h30m"},
                 {NULL},
                 NULL,
                 false,
                 false},
                {{"--by", "90", "--most", "unlimited", "--rate", "10/1m"},
                 {NULL},
                 NULL,
                 false,
                 false},
                {{"--priority", "low", "{\"a\": 1}"}, {"{\"a\": 1}"}, NULL, false, false},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct arguments a = {0};
                struct err e = {0};
                assert_int_equal(parse(table[i].given, &a, &e), 0);
                for (int w = 0; w < WORDS_MAX; w++) {
                        if (table[i].words[w] == NULL)
                                assert_true(w >= a.word_count);
                        else
                                assert_string_equal(a.words[w], table[i].words[w]);
                }
                assert_int_equal(arguments_option(&a, "wait") != NULL, table[i].wait);
                assert_int_equal(arguments_option(&a, "json") != NULL, table[i].json);
                const char *limit = arguments_option(&a, "limit");
                assert_int_equal(limit == NULL, table[i].limit == NULL);
                if (limit != NULL)
                        assert_string_equal(limit, table[i].limit);
        }
}

static void test_refuses(void **state)
{
        static const struct {
                const char *given[ARGUMENTS_MAX];
                const char *want;
        } table[] = {
                {{"--what"}, "there is no option --what"},
                {{"--limi"}, "there is no option --limi"},
                {{"--limits", "1"}, "there is no option --limits"},
                {{"-x"}, "there is no option -x"},
                {{"--limit"}, "--limit needs a value (TEXT)"},
                {{"--priority", "high,low"}, "--priority must be one of: high low"},
                {{"--status", "dead,"},
                 "--status must be of these, with commas between: dead failed"},
                {{"--status", "dead,lost"},
                 "--status must be of these, with commas between: dead failed"},
                {{"--wait=1"}, "--wait takes no value"},
                {{"--wait", "--wait"}, "--wait is given twice"},
                {{"--priority", "lo"}, "--priority must be one of: high low"},
                {{"--priority", "high low"}, "--priority must be one of"},
                {{"--priority="}, "--priority must be one of"},
                {{"--count", "-1"}, "--count: must be a whole number"},
                {{"--count="}, "--count: must be a whole number"},
                {{"--at", "tomorrow"}, "--at: "},
                {{"--in", "soon"}, "--in: "},
                {{"--by", "soon"}, "--by: must be a duration like 30s, or a time"},
                {{"--most", "all"}, "--most: must be a whole number, or unlimited"},
                {{"--rate", "10"}, "--rate: must be unlimited or"},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct arguments a = {0};
                struct err e = {0};
                assert_int_equal(parse(table[i].given, &a, &e), -1);
                if (strstr(e.text, table[i].want) == NULL)
                        fail_msg("case %zu: '%s' lacks '%s'", i, e.text, table[i].want);
        }
}

static void test_words_are_bounded(void **state)
{
        static char word[] = "a", last[] = "e";
        char *argv[WORDS_MAX + 1];
        struct arguments a = {0};
        struct err e = {0};

        (void)state;
        for (int i = 0; i < WORDS_MAX; i++)
                argv[i] = word;
        argv[WORDS_MAX] = last;
        assert_int_equal(arguments_parse(WORDS_MAX, argv, NULL, command_shared_options, &a, &e), 0);
        assert_int_equal(a.word_count, WORDS_MAX);
        a = (struct arguments){0};
        assert_int_equal(arguments_parse(WORDS_MAX + 1, argv, NULL, command_shared_options, &a, &e),
                         -1);
        assert_non_null(strstr(e.text, "'e' is one argument too many: there may be 100; cancel"));
}

static void test_finds_commands(void **state)
{
        static const struct {
                const char *noun, *verb;
                int want; /* words used; 0: none found */
        } table[] = {
                {"submit", "x", 1},  {"tenant", "add", 2},  {"tenant", "frob", 0},
                {"tenant", NULL, 0}, {"dlq", "requeue", 2}, {"frob", NULL, 0},
                {"run-now", "x", 1}, {"operation", "x", 1}, {"operations", NULL, 1},
                {"pause", NULL, 1},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                char *argv[] = {(char *)(uintptr_t)table[i].noun, (char *)(uintptr_t)table[i].verb,
                                NULL};
                int used = 0;
                const struct command *found =
                        command_find(table[i].verb == NULL ? 1 : 2, argv, &used);
                assert_int_equal(used, table[i].want);
                assert_int_equal(found != NULL, table[i].want > 0);
        }
}

/* Names are looked up in order, so a name that repeats or hides another makes one unreachable. */
static void test_table_is_sound(void **state)
{
        (void)state;
        for (const struct command *a = command_table; a->noun != NULL; a++) {
                assert_true(a->run != NULL && a->summary != NULL && a->least <= a->most);
                assert_true(a->most <= WORDS_MAX);
                for (const struct command *b = command_table; b < a; b++) {
                        if (strcmp(a->noun, b->noun) != 0)
                                continue;
                        assert_true(a->verb != NULL && b->verb != NULL);
                        assert_string_not_equal(a->verb, b->verb);
                }
                for (const struct option *o = a->options; o != NULL && o->name != NULL; o++) {
                        for (const struct option *s = command_shared_options; s->name != NULL; s++)
                                assert_string_not_equal(o->name, s->name);
                }
        }
}

static void test_every_help_names_every_option(void **state)
{
        (void)state;
        for (const struct command *a = command_table; a->noun != NULL; a++) {
                AUTO_BUFFER help = {0};
                command_help(a, &help);
                for (const struct option *o = a->options; o != NULL && o->name != NULL; o++) {
                        assert_non_null(strstr(help.data, o->name));
                        assert_non_null(strstr(help.data, o->help));
                }
                assert_non_null(strstr(help.data, "--json"));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_accepts),
                cmocka_unit_test(test_refuses),
                cmocka_unit_test(test_words_are_bounded),
                cmocka_unit_test(test_finds_commands),
                cmocka_unit_test(test_table_is_sound),
                cmocka_unit_test(test_every_help_names_every_option),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
