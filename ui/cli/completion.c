/* SPDX-License-Identifier: Apache-2.0
 *
 * completion.c: completion scripts, made from the table of commands.
 */
#include <string.h>

#include "common/base/own.h"
#include "ui/cli/command.h"

static void add_nouns(struct buffer *out)
{
        for (const struct command *at = command_table; at->noun != NULL; at++) {
                if (command_first(at->noun) == at)
                        buffer_printf(out, "%s%s", at == command_table ? "" : " ", at->noun);
        }
}

static void add_verbs(const char *noun, struct buffer *out)
{
        for (const struct command *at = command_table; at->noun != NULL; at++) {
                if (strcmp(at->noun, noun) == 0 && at->verb != NULL)
                        buffer_printf(out, " %s", at->verb);
        }
}

static void add_option_names(const struct option *table, struct buffer *out)
{
        for (const struct option *o = table; o != NULL && o->name != NULL; o++)
                buffer_printf(out, " --%s", o->name);
}

/* bash: a case for each noun with verbs, one for each command's options, one for each option's
 * words. */
static void add_cases(struct buffer *out)
{
        buffer_add_text(out, "  case \"$noun\" in\n");
        for (const struct command *at = command_table; at->noun != NULL; at++) {
                if (command_first(at->noun) != at || at->verb == NULL)
                        continue;
                buffer_printf(out, "    %s) verbs=\"", at->noun);
                add_verbs(at->noun, out);
                buffer_add_text(out, "\" ;;\n");
        }
        buffer_add_text(out, "  esac\n  [ -z \"$verbs\" ] && verb=\"\"\n"
                             "  case \"$noun $verb\" in\n");
        for (const struct command *at = command_table; at->noun != NULL; at++) {
                buffer_printf(out, "    \"%s %s\") options=\"", at->noun,
                              at->verb == NULL ? "" : at->verb);
                add_option_names(at->options, out);
                buffer_add_text(out, "\" ;;\n");
        }
        buffer_add_text(out, "  esac\n");
}

static void add_words(struct buffer *out)
{
        buffer_add_text(out, "  case \"$noun $verb $before\" in\n");
        for (const struct command *at = command_table; at->noun != NULL; at++) {
                for (const struct option *o = at->options; o != NULL && o->name != NULL; o++) {
                        if (o->words != NULL)
                                buffer_printf(out, "    \"%s %s --%s\") words=\"%s\" ;;\n",
                                              at->noun, at->verb == NULL ? "" : at->verb, o->name,
                                              o->words);
                }
        }
        buffer_add_text(out, "    \"completion  completion\") words=\"bash zsh fish\" ;;\n"
                             "    \"priority  \"[0-9a-f]*) [ \"$COMP_CWORD\" -eq 3 ] && "
                             "words=\"critical high medium low\" ;;\n"
                             "  esac\n");
}

static bool is_path(const struct option *o)
{
        return o->value != NULL && (strcmp(o->value, "FILE") == 0 || strcmp(o->value, "DIR") == 0);
}

static void add_path_names(const struct option *table, struct buffer *out)
{
        for (const struct option *o = table; o != NULL && o->name != NULL; o++) {
                if (is_path(o))
                        buffer_printf(out, "|--%s", o->name);
        }
}

/* bash: after an option whose value is a path, files. */
static void add_paths(struct buffer *out)
{
        AUTO_BUFFER names = {0};

        for (const struct command *at = command_table; at->noun != NULL; at++)
                add_path_names(at->options, &names);
        add_path_names(command_shared_options, &names);
        buffer_printf(out,
                      "  case \"$before\" in\n"
                      "    %s) COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n"
                      "  esac\n",
                      names.data + 1);
}

static void add_bash(struct buffer *out)
{
        buffer_add_text(out, "_warren() {\n"
                             "  local word=\"${COMP_WORDS[COMP_CWORD]}\"\n"
                             "  local before=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
                             "  local noun=\"\" verb=\"\" verbs=\"\" options=\"\" words=\"\"\n"
                             "  [ \"$COMP_CWORD\" -gt 1 ] && noun=\"${COMP_WORDS[1]}\"\n"
                             "  [ \"$COMP_CWORD\" -gt 2 ] && verb=\"${COMP_WORDS[2]}\"\n");
        add_paths(out);
        add_cases(out);
        add_words(out);
        buffer_add_text(out, "  if [ -n \"$words\" ]; then :\n"
                             "  elif [ \"$COMP_CWORD\" -eq 1 ]; then words=\"");
        add_nouns(out);
        buffer_add_text(out, " --help --version\"\n"
                             "  elif [ -n \"$verbs\" ] && [ \"$COMP_CWORD\" -eq 2 ]; then "
                             "words=\"$verbs\"\n"
                             "  else words=\"$options");
        add_option_names(command_shared_options, out);
        buffer_add_text(out, "\"\n"
                             "  fi\n"
                             "  case \"$word\" in\n"
                             "    @*) COMPREPLY=($(compgen -P @ -f -- \"${word#@}\")) ;;\n"
                             "    [!-]*,*) COMPREPLY=($(compgen -P \"${word%,*},\" -W \"$words\" "
                             "-- \"${word##*,}\")) ;;\n"
                             "    *) COMPREPLY=($(compgen -W \"$words\" -- \"$word\")) ;;\n"
                             "  esac\n"
                             "}\n"
                             "complete -F _warren warren\n");
}

/* zsh runs bash's script. */
static void add_zsh(struct buffer *out)
{
        buffer_add_text(out, "autoload -U +X compinit && compinit\n"
                             "autoload -U +X bashcompinit && bashcompinit\n");
        add_bash(out);
}

static void add_fish_text(const char *text, struct buffer *out)
{
        buffer_add_char(out, '\'');
        for (const char *c = text; *c != '\0'; c++) {
                if (*c == '\'' || *c == '\\')
                        buffer_add_char(out, '\\');
                buffer_add_char(out, *c);
        }
        buffer_add_text(out, "'");
}

static void add_fish_option(const struct option *o, const char *condition, struct buffer *out)
{
        buffer_printf(out, "complete -c warren %s %s -l %s -d ", is_path(o) ? "-F" : "-f",
                      condition, o->name);
        add_fish_text(o->help, out);
        if (o->value != NULL)
                buffer_add_text(out, " -r");
        if (o->words != NULL) {
                buffer_add_text(out, " -a ");
                add_fish_text(o->words, out);
        }
        buffer_add_char(out, '\n');
}

static void add_fish_command(const struct command *at, struct buffer *out)
{
        AUTO_BUFFER condition = {0};
        bool first = command_first(at->noun) == at;

        if (first) {
                buffer_printf(out, "complete -c warren -f -n __fish_use_subcommand -a %s -d ",
                              at->noun);
                add_fish_text(at->verb == NULL ? at->summary : "", out);
                buffer_add_char(out, '\n');
        }
        buffer_printf(&condition, "-n '__fish_seen_subcommand_from %s", at->noun);
        if (at->verb != NULL) {
                buffer_printf(out, "complete -c warren -f %s; and not __fish_seen_subcommand_from",
                              condition.data);
                add_verbs(at->noun, out);
                buffer_printf(out, "' -a %s -d ", at->verb);
                add_fish_text(at->summary, out);
                buffer_add_char(out, '\n');
                buffer_printf(&condition, "; and __fish_seen_subcommand_from %s", at->verb);
        }
        buffer_add_char(&condition, '\'');
        for (const struct option *o = at->options; o != NULL && o->name != NULL; o++)
                add_fish_option(o, condition.data, out);
}

static void add_fish(struct buffer *out)
{
        for (const struct command *at = command_table; at->noun != NULL; at++)
                add_fish_command(at, out);
        for (const struct option *o = command_shared_options; o->name != NULL; o++)
                add_fish_option(o, "", out);
        buffer_add_text(out, "complete -c warren -f -n '__fish_seen_subcommand_from completion' "
                             "-a 'bash zsh fish'\n");
}

enum exit_code command_completion(struct cli *c)
{
        static const struct {
                const char *shell;
                void (*add)(struct buffer *out);
        } shells[] = {{"bash", add_bash}, {"zsh", add_zsh}, {"fish", add_fish}};
        AUTO_BUFFER out = {0};

        for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
                if (strcmp(shells[i].shell, cli_word(c, 0)) == 0) {
                        shells[i].add(&out);
                        return cli_print(c, buffer_bytes(&out));
                }
        }
        return cli_fail(c, EXIT_USAGE, "the shell must be bash, zsh or fish");
}
