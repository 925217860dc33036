/* SPDX-License-Identifier: Apache-2.0
 *
 * arguments.h: parses a command's words and options by its table. Pure.
 */
#pragma once

#include <stdbool.h>

#include "common/base/err.h"

struct option {
        const char *name;  /* without its dashes; NULL ends the table */
        const char *value; /* its value's name in the help, which for a time, a duration or a
                            * number says what is accepted; NULL: a switch */
        const char *help;
        const char *words; /* the allowed values, separated by spaces; NULL: any */
        /* The member of the request's body, or the parameter of its query, that gets the value (a
         * switch: true). NULL: the command reads the option itself. */
        const char *member;
        bool number;  /* in a body: a number when it is one, else a text */
        bool several; /* of `words`, with commas between */
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

/* Reads argv[0..argc). Options are looked up in own, then in shared. "--" ends the options; a lone
 * "-" is a word. ERR_INVALID: an unknown option, one given twice, or a wrong value. */
int arguments_parse(int argc, char **argv, const struct option *own, const struct option *shared,
                    struct arguments *out, struct err *e) MUST_CHECK;
/* Its value, "" for a switch; NULL when it was not given. */
const char *arguments_option(const struct arguments *a, const char *name);
