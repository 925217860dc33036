/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_output.c: refused jobs, the summary, and the command that goes on.
 */
#include "ui/cli/batch_output.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/base/json_write.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "ui/cli/table.h"

void batch_refusals_init(struct batch_refusals *r, const char *path, const char *input)
{
        *r = (struct batch_refusals){0};
        if (path != NULL)
                r->path = xstrdup(path);
        else if (input != NULL)
                r->path = xasprintf("%s.refused", input);
}

void batch_refusals_fini(struct batch_refusals *r)
{
        if (r->file != NULL && r->file != stderr)
                fclose(r->file);
        free(r->path);
        *r = (struct batch_refusals){0};
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

static void add_summary(const struct batch_counts *counts, const struct batch_refusals *r,
                        struct buffer *out)
{
        buffer_printf(out, "%llu accepted", (unsigned long long)counts->accepted);
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

static void add_summary_json(const struct batch_counts *counts, const struct batch_refusals *r,
                             const char *key, struct buffer *out)
{
        json_begin(out);
        json_put_int(out, "accepted", (int64_t)counts->accepted);
        json_put_int(out, "earlier", (int64_t)counts->earlier);
        json_put_int(out, "replayed", (int64_t)counts->replayed);
        json_put_int(out, "refused", (int64_t)counts->refused);
        json_put_string(out, "refused_file", counts->refused > 0 ? r->path : NULL);
        json_put_string(out, "key", key);
        json_end(out);
        buffer_add_char(out, '\n');
}

enum exit_code batch_summary(const struct cli *c, const struct batch_counts *counts,
                             const struct batch_refusals *r, const char *key)
{
        AUTO_BUFFER out = {0};

        if (c->json)
                add_summary_json(counts, r, key, &out);
        else
                add_summary(counts, r, &out);
        enum exit_code code = cli_print(c, buffer_bytes(&out));
        return code == EXIT_DONE && counts->refused > 0 ? EXIT_REFUSED : code;
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

void batch_resume_command(const struct cli *c, const char *key, struct buffer *out)
{
        static const char *const kept[] = {"batch", "refused", "url", "config"};

        buffer_add_text(out, "warren submit");
        for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
                if (!cli_has(c, kept[i]))
                        continue;
                buffer_printf(out, " --%s", kept[i]);
                add_word(cli_option(c, kept[i]), out);
        }
        if (key != NULL) {
                buffer_add_text(out, " --key");
                add_word(key, out);
        }
}
