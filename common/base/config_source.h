/* SPDX-License-Identifier: Apache-2.0
 *
 * config_source.h: the type of a program's table of settings; for config.c, each setting's text and
 * the source it came from.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

enum config_kind {
        CONFIG_TEXT,   /* char *, owned; NULL when empty, which only an empty default allows */
        CONFIG_SECRET, /* given as the name of a file, so the key ends in _file; the field, char *,
                          gets its content without the last newline. Never printed */
        CONFIG_INT,    /* int64_t, min to max */
        CONFIG_MSEC,   /* msec, given as a duration, min to max */
        CONFIG_SIZE,   /* int64_t, bytes, given with KiB, MiB, GiB or no unit, min to max */
        CONFIG_BOOL,   /* bool: true, false, yes, no, on, off, 1, 0 */
        CONFIG_WORD,   /* int, the index of one of `words` */
};

struct config_key {
        const char *name; /* lower case with underscores; NULL ends the table */
        enum config_kind kind;
        const char *fallback; /* the default, as a user would write it; NULL: must be given */
        int64_t min, max;
        const char *const *words; /* CONFIG_WORD, NULL-terminated */
        const char *help;         /* one line, with the unit */
        size_t offset;            /* of the field in the program's struct */
};

struct config_table {
        const char *program; /* "gateway": reads the environment WARREN_GATEWAY_<KEY> */
        const char *summary; /* for --help */
        const struct config_key *keys;
};

enum { CONFIG_ORIGIN_SIZE = 160 };

struct config_value {
        char *text; /* owned; NULL: not given */
        char origin[CONFIG_ORIGIN_SIZE];
};

struct config_values {
        struct config_value *list; /* one for each key, in the table's order */
        size_t count;
};

enum config_request {
        CONFIG_REQUEST_RUN,
        CONFIG_REQUEST_HELP,
        CONFIG_REQUEST_VERSION,
        CONFIG_REQUEST_PRINT,
};

/* Reads defaults, file, environment and flags; each overrides those before it. */
int config_gather(const struct config_table *t, int argc, char **argv, struct config_values *values,
                  enum config_request *request, struct err *e) MUST_CHECK;
void config_values_fini(struct config_values *values);

/* Splits a line of a settings file, "key = value", in place and trims both parts. An empty key: the
 * line is blank or a comment. -1: no key, or no '='. */
int config_line_split(char *line, char **key, char **value, struct err *e) MUST_CHECK;

/* Such as WARREN_STATUS_STORE_PORT. */
const char *config_environment_name(const struct config_table *t, const char *key,
                                    char out[CONFIG_ORIGIN_SIZE]);
