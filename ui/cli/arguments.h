/* SPDX-License-Identifier: Apache-2.0
 *
 * arguments.h: a command's words and options, read against its table. Pure.
 */
#ifndef WARREN_CLI_ARGUMENTS_H
#define WARREN_CLI_ARGUMENTS_H

#include <stdbool.h>

#include "common/base/err.h"

struct option {
        const char *name;  /* long form without its dashes; NULL ends the table */
        const char *value; /* what stands for its value in the help; NULL: a switch */
        const char *help;
        const char *words; /* the values there are, with spaces; NULL: any */
};

enum { OPTIONS_MAX = 24, WORDS_MAX = 100 };

struct arguments {
        /* Borrowed from argv. */
        const char *words[WORDS_MAX];
        int word_count;
        struct {
                const struct option *option;
                const char *value; /* "" for a switch */
        } given[OPTIONS_MAX];
        int given_count;
};

/* Reads argv[0..argc). Options are looked for in own, then in shared; a word "--" ends them; a lone
 * "-" is a word. An option given twice is refused. ERR_INVALID else. */
int arguments_parse(int argc, char **argv, const struct option *own, const struct option *shared,
                    struct arguments *out, struct err *e) MUST_CHECK;
/* NULL when it was not given. */
const char *arguments_option(const struct arguments *a, const char *name);
bool arguments_has(const struct arguments *a, const char *name);

#endif
