/* SPDX-License-Identifier: Apache-2.0
 *
 * command.c: finding and running a command, and its help.
 */
#include "ui/cli/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/base/own.h"
#include "ui/cli/api.h"

static bool is_named(const struct command *command, int argc, char **argv)
{
        if (argc < 1 || strcmp(command->noun, argv[0]) != 0)
                return false;
        return command->verb == NULL || (argc > 1 && strcmp(command->verb, argv[1]) == 0);
}

const struct command *command_find(int argc, char **argv, int *used)
{
        for (const struct command *at = command_table; at->noun != NULL; at++) {
                if (is_named(at, argc, argv)) {
                        *used = at->verb == NULL ? 1 : 2;
                        return at;
                }
        }
        return NULL;
}

const struct command *command_first(const char *noun)
{
        for (const struct command *at = command_table; at->noun != NULL; at++) {
                if (strcmp(at->noun, noun) == 0)
                        return at;
        }
        return NULL;
}

static void add_name(const struct command *command, struct buffer *out)
{
        buffer_add_text(out, command->noun);
        if (command->verb != NULL)
                buffer_printf(out, " %s", command->verb);
}

static void add_usage(const struct command *command, struct buffer *out)
{
        add_name(command, out);
        if (*command->arguments != '\0')
                buffer_printf(out, " %s", command->arguments);
}

static void add_option(const struct option *o, struct buffer *out)
{
        AUTO_BUFFER left = {0};

        buffer_printf(&left, "--%s%s%s", o->name, o->value == NULL ? "" : " ",
                      o->value == NULL ? "" : o->value);
        buffer_printf(out, "  %-26s %s", left.data, o->help);
        if (o->words != NULL)
                buffer_printf(out, " (%s)", o->words);
        buffer_add_char(out, '\n');
}

static void add_options(const char *title, const struct option *table, struct buffer *out)
{
        if (table == NULL)
                return;
        buffer_printf(out, "\n%s:\n", title);
        for (const struct option *o = table; o->name != NULL; o++)
                add_option(o, out);
}

/* Lists all commands, or those of one noun. */
static void list_help(const char *noun, struct buffer *out)
{
        buffer_add_text(out, "warren: jobs, tenants and dead letters of a Warren installation\n\n"
                             "Commands:\n");
        for (const struct command *at = command_table; at->noun != NULL; at++) {
                AUTO_BUFFER usage = {0};

                if (noun != NULL && strcmp(at->noun, noun) != 0)
                        continue;
                add_usage(at, &usage);
                buffer_printf(out, "  %-30s %s\n", usage.data, at->summary);
        }
        add_options("Options of every command", command_shared_options, out);
        buffer_add_text(
                out,
                "\nSettings: WARREN_URL, WARREN_API_KEY; WARREN_ADMIN_KEY (tenants, keys, limits, "
                "doctor, --tenant);\n"
                "WARREN_ADMIN_AMQP_URL, WARREN_MANAGEMENT_URL (topology, doctor). They may also "
                "be\n"
                "lines 'url = …', 'api_key = …' and so on in ~/.config/warren/config.\n"
                "Exit codes: 0 done, 1 the job failed or a check found something wrong, 2 usage,\n"
                "3 not found, 4 not allowed, 5 unreachable, 6 refused, 7 limited, 130 "
                "interrupted.\n");
}

void command_help(const struct command *command, struct buffer *out)
{
        buffer_printf(out, "%s\n\nUsage: warren ", command->summary);
        add_usage(command, out);
        buffer_add_text(out, " [options]\n");
        if (command->more != NULL)
                buffer_printf(out, "\n%s\n", command->more);
        add_options("Options", command->options, out);
        add_options("Options of every command", command_shared_options, out);
}

/* NO_COLOR (no-color.org) and TERM=dumb switch colours off. */
static void look_at_terminal(struct cli *c)
{
        struct winsize size = {0};
        const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

        c->terminal = isatty(STDOUT_FILENO) == 1;
        if (!c->terminal)
                return;
        c->width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 80;
        c->height = size.ws_row;
        c->colours = (no_colour == NULL || *no_colour == '\0') &&
                     (term == NULL || strcmp(term, "dumb") != 0);
}

static enum exit_code run_parsed(const struct command *command, struct cli *c)
{
        struct err e = {0};
        int count = c->arguments.word_count;

        if (count < command->least || count > command->most) {
                AUTO_BUFFER usage = {0};
                add_usage(command, &usage);
                return cli_fail(c, EXIT_USAGE, "usage: warren %s", usage.data);
        }
        if (settings_load(&c->settings, cli_option(c, "config"), cli_option(c, "url"), &e) < 0)
                return cli_fail(c, EXIT_USAGE, "%s", e.text);
        http_client_global_init();
        return command->run(c);
}

static enum exit_code run_command(const struct command *command, int argc, char **argv)
{
        struct cli c = {0};
        struct err e = {0};
        enum exit_code code;

        look_at_terminal(&c);
        if (arguments_parse(argc, argv, command->options, command_shared_options, &c.arguments,
                            &e) < 0) {
                AUTO_BUFFER name = {0};
                add_name(command, &name);
                return cli_fail(&c, EXIT_USAGE, "%s; see 'warren %s --help'", e.text, name.data);
        }
        c.json = cli_has(&c, "json");
        if (cli_has(&c, "help")) {
                AUTO_BUFFER help = {0};
                command_help(command, &help);
                return cli_print(&c, buffer_bytes(&help));
        }
        code = run_parsed(command, &c);
        api_close(&c);
        settings_fini(&c.settings);
        return code;
}

static bool asks_for(int argc, char **argv, const char *word)
{
        for (int i = 0; i < argc; i++) {
                if (strcmp(argv[i], word) == 0)
                        return true;
        }
        return false;
}

/* "warren --json list" means "warren list --json": moves --json to the end. */
static void move_switches(int argc, char **argv)
{
        for (int left = argc; left > 1 && strcmp(argv[0], "--json") == 0; left--) {
                char *first = argv[0];

                memmove(argv, argv + 1, (size_t)(argc - 1) * sizeof(*argv));
                argv[argc - 1] = first;
        }
}

enum exit_code command_run(int argc, char **argv)
{
        move_switches(argc, argv);

        /* "warren help submit" means "warren submit --help". */
        const bool help_first = argc > 0 && strcmp(argv[0], "help") == 0;
        if (help_first) {
                argc--;
                argv++;
        }
        int used = 0;
        const struct command *command = command_find(argc, argv, &used);
        const struct cli nothing = {0};
        AUTO_BUFFER help = {0};

        if (command != NULL && help_first) {
                command_help(command, &help);
                return cli_print(&nothing, buffer_bytes(&help));
        }
        if (command != NULL)
                return run_command(command, argc - used, argv + used);
        if (argc > 0 && strcmp(argv[0], "--version") == 0) {
                buffer_printf(&help, "warren %s\n", WARREN_VERSION);
                return cli_print(&nothing, buffer_bytes(&help));
        }
        bool noun = argc > 0 && command_first(argv[0]) != NULL;
        if (argc == 0 || asks_for(argc, argv, "--help") || asks_for(argc, argv, "-h") ||
            (noun && argc == 1)) {
                bool asked = help_first || (argc > 0 && !(noun && argc == 1));
                list_help(noun ? argv[0] : NULL, &help);
                if (asked)
                        return cli_print(&nothing, buffer_bytes(&help));
                fputs(help.data, stderr);
                return EXIT_USAGE;
        }
        return cli_fail(&nothing, EXIT_USAGE, "there is no command '%s%s%s'; see 'warren --help'",
                        argv[0], noun ? " " : "", noun ? argv[1] : "");
}
