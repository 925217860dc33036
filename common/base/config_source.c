/* SPDX-License-Identifier: Apache-2.0
 *
 * config_source.c: reads flags, environment and file.
 */
#include "common/base/config_source.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/base/utf8.h"

enum { LINE_SIZE = 8192, KEY_SIZE = 64 };

const char *config_environment_name(const struct config_table *t, const char *key,
                                    char out[CONFIG_ORIGIN_SIZE])
{
        snprintf(out, CONFIG_ORIGIN_SIZE, "WARREN_%s_%s", t->program, key);
        for (char *c = out; *c != '\0'; c++)
                *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
        return out;
}

void config_values_fini(struct config_values *values)
{
        for (size_t i = 0; i < values->count; i++)
                free(values->list[i].text);
        free(values->list);
        *values = (struct config_values){0};
}

static char *trim(char *text)
{
        while (isspace((unsigned char)*text))
                text++;
        size_t length = strlen(text);
        while (length > 0 && isspace((unsigned char)text[length - 1]))
                text[--length] = '\0';
        return text;
}

int config_line_split(char *line, char **key, char **value, struct err *e)
{
        *key = trim(line);
        *value = *key + strlen(*key);
        if (utf8_begins_with_bom(line, strlen(line)))
                return err_set(e, ERR_INVALID, "the file " UTF8_BOM_REFUSAL);
        if (**key == '\0')
                return 0;
        if (**key == '#') {
                *key = *value;
                return 0;
        }

        char *equals = strchr(*key, '=');
        if (equals == NULL || equals == *key)
                return err_set(e, ERR_INVALID, "not 'key = value'");
        *equals = '\0';
        *key = trim(*key);
        *value = trim(equals + 1);
        return 0;
}

/* NULL: there is no such key. Dashes stand for underscores. */
static struct config_value *value_of(const struct config_table *t, struct config_values *values,
                                     const char *name, size_t length)
{
        for (size_t i = 0; t->keys[i].name != NULL; i++) {
                const char *key = t->keys[i].name;
                size_t at = 0;

                while (at < length && key[at] != '\0' &&
                       (name[at] == key[at] || (name[at] == '-' && key[at] == '_')))
                        at++;
                if (at == length && key[at] == '\0')
                        return &values->list[i];
        }
        return NULL;
}

static void value_set(struct config_value *v, const char *text, const char *origin)
{
        free(v->text);
        v->text = xstrdup(text);
        snprintf(v->origin, sizeof(v->origin), "%s", origin);
}

static void take_defaults(const struct config_table *t, struct config_values *values)
{
        for (size_t i = 0; t->keys[i].name != NULL; i++) {
                if (t->keys[i].fallback != NULL)
                        value_set(&values->list[i], t->keys[i].fallback, "its default");
        }
}

static int take_line(const struct config_table *t, char *line, const char *origin,
                     struct config_values *values, struct err *e)
{
        char *key, *value;

        if (config_line_split(line, &key, &value, e) < 0)
                return err_wrap(e, "%s", origin);
        if (*key == '\0')
                return 0;
        struct config_value *v = value_of(t, values, key, strlen(key));
        if (v == NULL)
                return err_set(e, ERR_INVALID, "%s: there is no setting '%.60s'", origin, key);
        if (strncmp(v->origin, "line ", 5) == 0)
                return err_set(e, ERR_INVALID, "%s: '%s' is set already, in %s", origin, key,
                               v->origin);
        value_set(v, value, origin);
        return 0;
}

static int take_file(const struct config_table *t, const char *path, struct config_values *values,
                     struct err *e)
{
        char line[LINE_SIZE], origin[CONFIG_ORIGIN_SIZE];

        AUTO_FCLOSE FILE *file = fopen(path, "re");
        if (file == NULL)
                return err_set_errno(e, "%s", path);
        for (unsigned number = 1; fgets(line, sizeof(line), file) != NULL; number++) {
                snprintf(origin, sizeof(origin), "line %u of %.120s", number, path);
                if (strlen(line) == sizeof(line) - 1)
                        return err_set(e, ERR_TOO_LARGE, "%s: too long", origin);
                if (take_line(t, line, origin, values, e) < 0)
                        return -1;
        }
        return ferror(file) ? err_set_errno(e, "%s", path) : 0;
}

/* A variable with the program's prefix that names no key is an error. */
static int take_environment(const struct config_table *t, struct config_values *values,
                            struct err *e)
{
        char prefix[CONFIG_ORIGIN_SIZE], origin[CONFIG_ORIGIN_SIZE];
        size_t length = strlen(config_environment_name(t, "", prefix));

        for (char **variable = environ; *variable != NULL; variable++) {
                const char *equals = strchr(*variable, '=');
                char key[KEY_SIZE] = "";

                if (strncmp(*variable, prefix, length) != 0 || equals == NULL)
                        continue;
                const char *name = *variable + length;
                for (size_t i = 0; i < sizeof(key) - 1 && name + i < equals; i++)
                        key[i] = (char)tolower((unsigned char)name[i]);
                if (strcmp(key, "config") == 0)
                        continue;
                struct config_value *v = value_of(t, values, key, strlen(key));
                if (v == NULL)
                        return err_set(e, ERR_INVALID,
                                       "environment: there is no setting '%.60s' (%s%.60s)", key,
                                       prefix, name);
                value_set(v, equals + 1, config_environment_name(t, key, origin));
        }
        return 0;
}

/* Takes one flag with its value; *at advances past them. */
static int take_flag(const struct config_table *t, int argc, char **argv, int *at,
                     struct config_values *values, struct err *e)
{
        char origin[CONFIG_ORIGIN_SIZE];
        const char *flag = argv[(*at)++];

        if (strncmp(flag, "--", 2) != 0)
                return err_set(e, ERR_INVALID, "'%.60s' is no flag; see --help", flag);
        size_t length = strcspn(flag + 2, "=");
        struct config_value *v = value_of(t, values, flag + 2, length);
        if (v == NULL)
                return err_set(e, ERR_INVALID, "there is no flag '%.*s'; see --help",
                               (int)(length > 60 ? 60 : length) + 2, flag);
        snprintf(origin, sizeof(origin), "flag %.*s", (int)length + 2, flag);
        if (flag[2 + length] == '=') {
                value_set(v, flag + 2 + length + 1, origin);
                return 0;
        }
        if (*at == argc)
                return err_set(e, ERR_INVALID, "%s needs a value", origin);
        value_set(v, argv[(*at)++], origin);
        return 0;
}

/* Takes --help, --version, --print-config and --config, at any place, out of argv. */
static int take_own_flags(int *argc, char **argv, const char **file, enum config_request *request,
                          struct err *e)
{
        static const struct {
                const char *flag;
                enum config_request request;
        } requests[] = {
                {"--help", CONFIG_REQUEST_HELP},
                {"-h", CONFIG_REQUEST_HELP},
                {"--version", CONFIG_REQUEST_VERSION},
                {"--print-config", CONFIG_REQUEST_PRINT},
        };
        int kept = 1;

        for (int i = 1; i < *argc; i++) {
                size_t r = 0, count = sizeof(requests) / sizeof(requests[0]);

                while (r < count && strcmp(argv[i], requests[r].flag) != 0)
                        r++;
                if (r < count) {
                        *request = requests[r].request;
                } else if (strncmp(argv[i], "--config=", 9) == 0) {
                        *file = argv[i] + 9;
                } else if (strcmp(argv[i], "--config") == 0) {
                        if (++i == *argc)
                                return err_set(e, ERR_INVALID, "--config needs a file");
                        *file = argv[i];
                } else {
                        argv[kept++] = argv[i];
                }
        }
        *argc = kept;
        return 0;
}

int config_gather(const struct config_table *t, int argc, char **argv, struct config_values *values,
                  enum config_request *request, struct err *e)
{
        char name[CONFIG_ORIGIN_SIZE];
        const char *file = getenv(config_environment_name(t, "config", name));

        while (t->keys[values->count].name != NULL)
                values->count++;
        values->list = xcalloc(values->count, sizeof(*values->list));

        AUTO_FREE char **rest = xcalloc((size_t)argc + 1, sizeof(*rest));
        memcpy(rest, argv, (size_t)argc * sizeof(*rest));
        if (take_own_flags(&argc, rest, &file, request, e) < 0)
                return -1;
        if (*request == CONFIG_REQUEST_HELP || *request == CONFIG_REQUEST_VERSION)
                return 0;

        take_defaults(t, values);
        if (file != NULL && *file != '\0' && take_file(t, file, values, e) < 0)
                return -1;
        if (take_environment(t, values, e) < 0)
                return -1;
        for (int at = 1; at < argc;) {
                if (take_flag(t, argc, rest, &at, values, e) < 0)
                        return -1;
        }
        return 0;
}
