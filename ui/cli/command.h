/* SPDX-License-Identifier: Apache-2.0
 *
 * command.h: the table of commands. Help and completion are made from it.
 */
#pragma once

#include "ui/cli/cli.h"

struct command {
        const char *noun;      /* "tenant"; NULL ends the table */
        const char *verb;      /* "add"; NULL: the noun is the command */
        const char *arguments; /* shown in the help: "NAME" */
        int least, most;       /* number of words */
        const char *summary;
        const struct option *options; /* or NULL */
        const char *more;             /* a paragraph of the help; or NULL */
        command_fn *run;
};

extern const struct command command_table[];
extern const struct option command_shared_options[];

/* NULL when argv names no command. *used: how many words of argv are the command's name. */
const struct command *command_find(int argc, char **argv, int *used);
/* A noun's first command in the table; NULL: there is no such noun. */
const struct command *command_first(const char *noun);
void command_help(const struct command *command, struct buffer *out);
/* Runs the command in argv, which does not contain the program's name. */
enum exit_code command_run(int argc, char **argv);
