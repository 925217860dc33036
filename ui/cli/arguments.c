/* SPDX-License-Identifier: Apache-2.0
 *
 * arguments.c: parsing words and options.
 */
#include "ui/cli/arguments.h"

#include <string.h>

#include "common/base/clock.h"

#define DIGITS "0123456789"

static int check_time(const char *text, struct err *e)
{
        msec at;

        return time_parse(text, &at, e);
}

static int check_duration(const char *text, struct err *e)
{
        msec duration;

        return duration_parse(text, &duration, e);
}

static int check_number(const char *text, struct err *e)
{
        enum { DIGITS_MAX = 18 };
        size_t length = strlen(text);

        if (length == 0 || length > DIGITS_MAX || strspn(text, DIGITS) != length)
                return err_set(e, ERR_INVALID, "must be a whole number");
        return 0;
}

static int check_limit(const char *text, struct err *e)
{
        struct err ignored = {0};

        if (strcmp(text, "unlimited") == 0 || check_number(text, &ignored) == 0)
                return 0;
        return err_set(e, ERR_INVALID, "must be a whole number, or unlimited");
}

static int check_rate(const char *text, struct err *e)
{
        size_t digits = strspn(text, DIGITS);
        struct err ignored = {0};

        if (strcmp(text, "unlimited") == 0 ||
            (digits > 0 && text[digits] == '/' && check_duration(text + digits + 1, &ignored) == 0))
                return 0;
        return err_set(e, ERR_INVALID, "must be unlimited or <count>/<duration>, like 10/1m");
}

static int check_when(const char *text, struct err *e)
{
        struct err ignored = {0};

        if (check_duration(text, &ignored) == 0 || check_time(text, &ignored) == 0)
                return 0;
        return err_set(e, ERR_INVALID, "must be a duration like 30s, or a time as in RFC 3339");
}

static int check_time_or_now(const char *text, struct err *e)
{
        return strcmp(text, "now") == 0 ? 0 : check_time(text, e);
}

/* The forms of values, by their names in the help. */
static const struct {
        const char *value;
        int (*check)(const char *text, struct err *e);
} forms[] = {
        {"TIME", check_time},         {"TIME|now", check_time_or_now},
        {"DURATION", check_duration}, {"WHEN", check_when},
        {"N", check_number},          {"N|unlimited", check_limit},
        {"N/DURATION", check_rate},
};

static int check_form(const struct option *o, const char *value, struct err *e)
{
        for (size_t i = 0; o->value != NULL && i < sizeof(forms) / sizeof(forms[0]); i++) {
                if (strcmp(forms[i].value, o->value) == 0 && forms[i].check(value, e) != 0)
                        return err_wrap(e, "--%s", o->name);
        }
        return 0;
}

static const struct option *find(const struct option *table, const char *name, size_t length)
{
        for (const struct option *o = table; o != NULL && o->name != NULL; o++) {
                if (strlen(o->name) == length && memcmp(o->name, name, length) == 0)
                        return o;
        }
        return NULL;
}

static bool is_one_of(const char *words, const char *value, size_t length)
{
        for (const char *at = words; *at != '\0';) {
                size_t word = strcspn(at, " ");
                if (word == length && memcmp(at, value, length) == 0)
                        return true;
                at += word;
                at += strspn(at, " ");
        }
        return false;
}

static bool is_allowed(const struct option *o, const char *value)
{
        for (const char *at = value; o->several; at++) {
                size_t length = strcspn(at, ",");
                if (!is_one_of(o->words, at, length))
                        return false;
                at += length;
                if (*at == '\0')
                        return true;
        }
        return is_one_of(o->words, value, strlen(value));
}

static int add_option(struct arguments *out, const struct option *o, const char *value,
                      struct err *e)
{
        if (o == NULL)
                return err_set(e, ERR_INVALID, "there is no option -h");
        if (arguments_option(out, o->name) != NULL)
                return err_set(e, ERR_INVALID, "--%s is given twice", o->name);
        if (out->given_count == OPTIONS_MAX)
                return err_set(e, ERR_INVALID, "too many options");
        if (o->words != NULL && !is_allowed(o, value))
                return err_set(e, ERR_INVALID, "--%s must be %s: %s", o->name,
                               o->several ? "of these, with commas between" : "one of", o->words);
        if (o->words == NULL && check_form(o, value, e) != 0)
                return -1;
        out->given[out->given_count].option = o;
        out->given[out->given_count++].value = value;
        return 0;
}

/* argv[*at] begins with two dashes. */
static int take_option(int argc, char **argv, int *at, const struct option *own,
                       const struct option *shared, struct arguments *out, struct err *e)
{
        const char *name = argv[(*at)++] + 2;
        size_t length = strcspn(name, "=");
        const char *inline_value = name[length] == '=' ? name + length + 1 : NULL;
        const struct option *o = find(own, name, length);

        if (o == NULL)
                o = find(shared, name, length);
        if (o == NULL)
                return err_set(e, ERR_INVALID, "there is no option --%.60s", name);
        if (o->value == NULL && inline_value != NULL)
                return err_set(e, ERR_INVALID, "--%s takes no value", o->name);
        if (o->value == NULL)
                return add_option(out, o, "", e);
        if (inline_value != NULL)
                return add_option(out, o, inline_value, e);
        if (*at == argc)
                return err_set(e, ERR_INVALID, "--%s needs a value (%s)", o->name, o->value);
        return add_option(out, o, argv[(*at)++], e);
}

static int add_word(struct arguments *out, const char *word, struct err *e)
{
        if (out->word_count == WORDS_MAX)
                return err_set(e, ERR_INVALID,
                               "'%.60s' is one argument too many: there may be %d; cancel and "
                               "run-now take filters for more",
                               word, WORDS_MAX);
        out->words[out->word_count++] = word;
        return 0;
}

int arguments_parse(int argc, char **argv, const struct option *own, const struct option *shared,
                    struct arguments *out, struct err *e)
{
        bool words_only = false;

        for (int at = 0; at < argc;) {
                const char *text = argv[at];

                if (!words_only && strcmp(text, "--") == 0) {
                        words_only = true;
                        at++;
                } else if (!words_only && strcmp(text, "-h") == 0) {
                        at++;
                        if (add_option(out, find(shared, "help", 4), "", e) < 0)
                                return -1;
                } else if (!words_only && strncmp(text, "--", 2) == 0) {
                        if (take_option(argc, argv, &at, own, shared, out, e) < 0)
                                return -1;
                } else if (!words_only && text[0] == '-' && text[1] != '\0') {
                        return err_set(e, ERR_INVALID, "there is no option %.60s", text);
                } else if (add_word(out, argv[at++], e) < 0) {
                        return -1;
                }
        }
        return 0;
}

const char *arguments_option(const struct arguments *a, const char *name)
{
        for (int i = 0; i < a->given_count; i++) {
                if (strcmp(a->given[i].option->name, name) == 0)
                        return a->given[i].value;
        }
        return NULL;
}
