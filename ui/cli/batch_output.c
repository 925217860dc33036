/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_output.c: refused jobs, the summary, and the next command.
 */
#include "ui/cli/batch_output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/json_write.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "ui/cli/batch_state.h"
#include "ui/cli/table.h"

void batch_refusals_init(struct batch_refusals *r, const char *path, const char *input)
{
        *r = (struct batch_refusals){0};
        if (path != NULL)
                r->path = xstrdup(path);
        else if (input != NULL)
                r->path = xasprintf("%s.refused", input);
        r->own = path == NULL && input != NULL;
}

void batch_refusals_fini(struct batch_refusals *r)
{
        if (r->file != NULL && r->file != stderr)
                fclose(r->file);
        free(r->path);
        *r = (struct batch_refusals){0};
}

/* The file was not there before it was opened. Its path may be a link, which stays. */
static void remove_made(const char *path)
{
        AUTO_FREE char *made = realpath(path, NULL);

        if (made != NULL)
                unlink(made);
}

int batch_refusals_check(const struct batch_refusals *r, const char *input, struct err *e)
{
        if (r->path == NULL)
                return 0;
        struct stat info;
        bool there = stat(r->path, &info) == 0;
        if (there && S_ISFIFO(info.st_mode))
                return 0; /* an open would wait, a close would end it for its reader */
        AUTO_FCLOSE FILE *file = fopen(r->path, "ae");
        if (file == NULL)
                return err_set_errno(e, "%s", r->path);
        /* Now it exists, so one of two names for the state is not missed. */
        bool taken = batch_state_is(input, fileno(file));
        if (!there)
                remove_made(r->path);
        return taken ? err_set(e, ERR_INVALID,
                               "refused jobs cannot be written to %s: it says how far the batch is "
                               "submitted",
                               r->path)
                     : 0;
}

void batch_refusals_delete(const struct batch_refusals *r)
{
        if (r->own)
                unlink(r->path);
}

static int sync_refusals(const struct batch_refusals *r, struct err *e)
{
        if (fdatasync(fileno(r->file)) == 0 || errno == EINVAL || errno == EROFS)
                return 0; /* a pipe, a terminal and the like cannot be synced */
        return err_set_errno(e, "%s", r->path);
}

int batch_refusals_write(struct batch_refusals *r, struct bytes lines, struct err *e)
{
        if (lines.length == 0)
                return 0;
        if (r->file == NULL)
                r->file = r->path == NULL ? stderr : fopen(r->path, r->again ? "ae" : "we");
        if (r->file == NULL)
                return err_set_errno(e, "%s", r->path);
        if (fwrite(lines.data, 1, lines.length, r->file) != lines.length || fflush(r->file) != 0)
                return err_set_errno(e, "%s", r->path == NULL ? "standard error" : r->path);
        return r->path == NULL ? 0 : sync_refusals(r, e);
}

static void add_counts(const struct batch_counts *counts, const struct batch_refusals *r,
                       const struct batch_end *end, struct buffer *out)
{
        buffer_printf(out, "%llu %s", (unsigned long long)counts->accepted,
                      end->dry ? "would be accepted" : "accepted");
        if (counts->earlier > 0)
                buffer_printf(out, " (%llu by an earlier run)",
                              (unsigned long long)counts->earlier);
        if (counts->replayed > 0)
                buffer_printf(out, " (%llu were there already)",
                              (unsigned long long)counts->replayed);
        buffer_printf(out, ", %llu refused", (unsigned long long)counts->refused);
        if (counts->refused > 0 && r->path != NULL) {
                buffer_add_text(out, ": ");
                show_text(out, bytes_of_text(r->path));
        }
        buffer_add_char(out, '\n');
}

static void put_counts(const struct batch_counts *counts, const struct batch_refusals *r,
                       const struct batch_end *end, struct buffer *out)
{
        json_put_int(out, "accepted", (int64_t)counts->accepted);
        json_put_int(out, "earlier", (int64_t)counts->earlier);
        json_put_int(out, "replayed", (int64_t)counts->replayed);
        json_put_int(out, "refused", (int64_t)counts->refused);
        json_put_string(out, "refused_file", counts->refused > 0 ? r->path : NULL);
        json_put_string(out, "key", end->key);
        json_put_string(out, "next", end->command);
        if (end->dry)
                json_put_flag(out, "dry_run", true);
}

static void print_next(const struct batch_end *end)
{
        AUTO_BUFFER line = {0};

        if (end->next == NULL)
                return;
        show_block(&line, bytes_of_text(end->next));
        buffer_add_text(&line, ": ");
        show_text(&line, bytes_of_text(end->command));
        fprintf(stderr, "  %s\n", line.data);
}

enum exit_code batch_summary(const struct cli *c, const struct batch_counts *counts,
                             const struct batch_refusals *r, const struct batch_end *end)
{
        AUTO_BUFFER out = {0};

        if (c->json) {
                json_begin(&out);
                put_counts(counts, r, end, &out);
                json_end(&out);
                buffer_add_char(&out, '\n');
        } else {
                add_counts(counts, r, end, &out);
        }
        enum exit_code code = cli_print(c, buffer_bytes(&out));
        if (!c->json)
                print_next(end);
        return code == EXIT_DONE && counts->refused > 0 ? EXIT_REFUSED : code;
}

enum exit_code batch_stopped(const struct cli *c, const struct batch_counts *counts,
                             const struct batch_refusals *r, const struct batch_end *end)
{
        AUTO_BUFFER out = {0};

        if (c->json) {
                json_begin(&out);
                json_put_given(&out, "error", bytes_of_text(end->why));
                json_put_int(&out, "exit", end->code);
                put_counts(counts, r, end, &out);
                json_end(&out);
                fprintf(stderr, "%s\n", out.data);
                return end->code;
        }
        if (end->why != NULL)
                cli_fail(c, end->code, "%s", end->why);
        add_counts(counts, r, end, &out);
        fprintf(stderr, "  %s", out.data);
        print_next(end);
        return end->code;
}

void batch_add_url(const char *url, struct buffer *out)
{
        const char *host = strstr(url, "://");

        host = host == NULL ? url : host + 3;
        const char *login = memrchr(host, '@', strcspn(host, "/?#"));
        buffer_add(out, url, (size_t)(host - url));
        if (login != NULL)
                buffer_add_text(out, "LOGIN:PASSWORD");
        buffer_add_text(out, login != NULL ? login : host);
}

/* A word for a shell, in quotes when it needs them. */
static void add_word(const char *word, struct buffer *out)
{
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                    "_-./:=@%+,";

        buffer_add_char(out, ' ');
        if (*word != '\0' && word[strspn(word, plain)] == '\0') {
                buffer_add_text(out, word);
                return;
        }
        buffer_add_char(out, '\'');
        for (const char *at = word; *at != '\0'; at++) {
                if (*at == '\'')
                        buffer_add_text(out, "'\\'");
                buffer_add_char(out, *at);
        }
        buffer_add_char(out, '\'');
}

/* An option of the next command. */
static void add_option(const struct cli *c, const char *name, enum batch_rerun rerun,
                       struct buffer *out)
{
        AUTO_BUFFER value = {0};

        if (strcmp(name, "url") == 0)
                batch_add_url(cli_option(c, name), &value);
        else if (strcmp(name, "batch") == 0 && rerun == BATCH_FROM_STANDARD_INPUT)
                buffer_add_char(&value, '-');
        else
                buffer_add_text(&value, cli_option(c, name));
        buffer_printf(out, " --%s", name);
        add_word(value.data, out);
}

void batch_add_command(const struct cli *c, enum batch_rerun rerun, const char *key,
                       struct buffer *out)
{
        static const char *const kept[] = {"batch", "refused", "url", "config"};

        buffer_add_text(out, "warren submit");
        for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
                if (cli_has(c, kept[i]))
                        add_option(c, kept[i], rerun, out);
        }
        if (rerun == BATCH_RESTART)
                buffer_add_text(out, " --restart");
        if (key != NULL) {
                buffer_add_text(out, " --key");
                add_word(key, out);
        }
        if (rerun == BATCH_FROM_STANDARD_INPUT) {
                buffer_add_text(out, " <");
                add_word(cli_option(c, "batch"), out);
        }
}
