/* SPDX-License-Identifier: Apache-2.0
 *
 * config.c: converts the texts of settings into values; prints --help and --print-config.
 * config_source.c reads the texts.
 */
#include "common/base/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/secret.h"

int size_parse(const char *text, int64_t *out, struct err *e)
{
        static const struct {
                const char *name;
                int shift;
        } units[] = {{"", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
        char *end = NULL;

        errno = 0;
        long long value = isdigit((unsigned char)*text) ? strtoll(text, &end, 10) : -1;
        for (size_t i = 0; value >= 0 && errno == 0 && i < sizeof(units) / sizeof(units[0]); i++) {
                if (strcmp(end, units[i].name) == 0 && value <= INT64_MAX >> units[i].shift) {
                        *out = value << units[i].shift;
                        return 0;
                }
        }
        return err_set(e, ERR_INVALID,
                       "'%.40s' is not a size: a number of bytes, or one with KiB, MiB or GiB",
                       text);
}

static int bool_parse(const char *text, bool *out, struct err *e)
{
        static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
        unsigned at;

        if (!bytes_find(bytes_of_text(text), words, sizeof(words) / sizeof(words[0]), &at))
                return err_set(e, ERR_INVALID, "'%.40s' is neither true nor false", text);
        *out = at % 2 == 1;
        return 0;
}

static int int_parse(const char *text, int64_t *out, struct err *e)
{
        char *end = NULL;

        errno = 0;
        long long value = strtoll(text, &end, 10);
        bool starts = isdigit((unsigned char)*text) || *text == '-';
        if (!starts || end == text || *end != '\0' || errno != 0)
                return err_set(e, ERR_INVALID, "'%.40s' is not a whole number", text);
        *out = value;
        return 0;
}

static void add_words(struct buffer *out, const char *const *words, const char *separator)
{
        for (const char *const *w = words; *w != NULL; w++)
                buffer_printf(out, "%s%s", w == words ? "" : separator, *w);
}

static int word_parse(const char *text, const char *const *words, int *out, struct err *e)
{
        AUTO_BUFFER allowed = {0};

        for (*out = 0; words[*out] != NULL; (*out)++) {
                if (strcmp(words[*out], text) == 0)
                        return 0;
        }
        add_words(&allowed, words, ", ");
        return err_set(e, ERR_INVALID, "'%.40s' is none of: %s", text, allowed.data);
}

/* A number's limit, as a user would write it. */
static const char *limit_text(enum config_kind kind, int64_t value, char out[TIME_TEXT_SIZE])
{
        if (kind == CONFIG_MSEC)
                return duration_format(value, out);
        snprintf(out, TIME_TEXT_SIZE, "%lld", (long long)value);
        return out;
}

static int number_parse(const struct config_key *k, const char *text, int64_t *out, struct err *e)
{
        char least[TIME_TEXT_SIZE], most[TIME_TEXT_SIZE];
        int failed = k->kind == CONFIG_INT    ? int_parse(text, out, e)
                     : k->kind == CONFIG_MSEC ? duration_parse(text, out, e)
                                              : size_parse(text, out, e);

        if (failed < 0)
                return -1;
        if (*out >= k->min && *out <= k->max)
                return 0;
        return err_set(e, ERR_INVALID, "'%.40s' is not within %s and %s", text,
                       limit_text(k->kind, k->min, least), limit_text(k->kind, k->max, most));
}

/* A text may be empty where its default is. */
static bool lacks_text(const struct config_key *k, const char *text)
{
        return *text == '\0' && (k->kind == CONFIG_TEXT || k->kind == CONFIG_SECRET) &&
               (k->fallback == NULL || k->fallback[0] != '\0');
}

/* Sets k's field. */
static int convert(const struct config_key *k, const char *text, void *field, struct err *e)
{
        if (lacks_text(k, text))
                return err_set(e, ERR_INVALID, "it must not be empty");
        switch (k->kind) {
        case CONFIG_TEXT:
                *(char **)field = *text == '\0' ? NULL : xstrdup(text);
                return 0;
        case CONFIG_SECRET:
                *(char **)field = *text == '\0' ? NULL : secret_read(text, e);
                return *text != '\0' && *(char **)field == NULL ? -1 : 0;
        case CONFIG_INT:
        case CONFIG_SIZE:
        case CONFIG_MSEC:
                return number_parse(k, text, field, e);
        case CONFIG_BOOL:
                return bool_parse(text, field, e);
        case CONFIG_WORD:
                return word_parse(text, k->words, field, e);
        }
        return 0;
}

static int convert_all(const struct config_table *t, const struct config_value *values, void *out,
                       bool with_secrets, struct err *e)
{
        for (size_t i = 0; t->keys[i].name != NULL; i++) {
                const struct config_key *k = &t->keys[i];
                char origin[CONFIG_ORIGIN_SIZE];

                if (values[i].text == NULL)
                        return err_set(e, ERR_INVALID,
                                       "%s must be given (--%s, %s or the file): %s", k->name,
                                       k->name, config_environment_name(t, k->name, origin),
                                       k->help);
                if (k->kind == CONFIG_SECRET && !with_secrets)
                        continue;
                if (convert(k, values[i].text, (char *)out + k->offset, e) < 0)
                        return err_wrap(e, "%s (from %s)", k->name, values[i].origin);
        }
        return 0;
}

static void add_range(struct buffer *out, const struct config_key *k)
{
        char least[TIME_TEXT_SIZE], most[TIME_TEXT_SIZE];

        switch (k->kind) {
        case CONFIG_INT:
        case CONFIG_SIZE:
        case CONFIG_MSEC:
                buffer_printf(out, "%s to %s", limit_text(k->kind, k->min, least),
                              limit_text(k->kind, k->max, most));
                break;
        case CONFIG_WORD:
                add_words(out, k->words, "|");
                break;
        case CONFIG_BOOL:
                buffer_add_text(out, "true|false");
                break;
        case CONFIG_TEXT:
        case CONFIG_SECRET:
                break;
        }
}

static void print_key(const struct config_table *t, const struct config_key *k)
{
        char variable[CONFIG_ORIGIN_SIZE];
        AUTO_BUFFER notes = {0};

        add_range(&notes, k);
        const char *separator = notes.length > 0 ? "; " : "";
        if (k->fallback == NULL)
                buffer_printf(&notes, "%smust be given", separator);
        else if (*k->fallback != '\0')
                buffer_printf(&notes, "%sdefault %s", separator, k->fallback);

        printf("  --%s VALUE\n      %s", k->name, k->help);
        if (notes.length > 0)
                printf(" (%s)", notes.data);
        printf("\n      %s\n", config_environment_name(t, k->name, variable));
}

static void print_help(const struct config_table *t)
{
        char variable[CONFIG_ORIGIN_SIZE];

        printf("warren-%s: %s\n\n", t->program, t->summary);
        printf("Settings: flags over environment over file over defaults.\n\n");
        for (const struct config_key *k = t->keys; k->name != NULL; k++)
                print_key(t, k);
        printf("  --config FILE\n      lines 'key = value'; # begins a comment line\n      %s\n",
               config_environment_name(t, "config", variable));
        printf("  --print-config\n      print the settings in force, as such a file, and exit\n");
        printf("  --help, --version\n");
}

static void print_values(const struct config_table *t, const struct config_values *values)
{
        for (size_t i = 0; i < values->count; i++) {
                const struct config_value *v = &values->list[i];

                if (v->text == NULL)
                        printf("# %s = (must be given)\n", t->keys[i].name);
                else
                        printf("# from %s\n%s = %s\n", v->origin, t->keys[i].name, v->text);
        }
}

int config_load(const struct config_table *t, int argc, char **argv, void *out,
                enum config_action *action, struct err *e)
{
        struct config_values values __attribute__((cleanup(config_values_fini))) = {0};
        enum config_request request = CONFIG_REQUEST_RUN;

        *action = CONFIG_EXIT;
        if (config_gather(t, argc, argv, &values, &request, e) < 0)
                return -1;
        switch (request) {
        case CONFIG_REQUEST_HELP:
                print_help(t);
                return 0;
        case CONFIG_REQUEST_VERSION:
                printf("warren-%s %s\n", t->program, WARREN_VERSION);
                return 0;
        case CONFIG_REQUEST_PRINT:
                print_values(t, &values);
                return convert_all(t, values.list, out, false, e);
        case CONFIG_REQUEST_RUN:
                *action = CONFIG_RUN;
                return convert_all(t, values.list, out, true, e);
        }
        return 0;
}

void config_fini(const struct config_table *t, void *out)
{
        for (const struct config_key *k = t->keys; k->name != NULL; k++) {
                char **field = (char **)(void *)((char *)out + k->offset);

                if (k->kind != CONFIG_TEXT && k->kind != CONFIG_SECRET)
                        continue;
                if (*field != NULL && k->kind == CONFIG_SECRET)
                        explicit_bzero(*field, strlen(*field));
                free(*field);
                *field = NULL;
        }
}
