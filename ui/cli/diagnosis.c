/* SPDX-License-Identifier: Apache-2.0
 *
 * diagnosis.c: findings as a table, with what to do; or as JSON.
 */
#include "ui/cli/diagnosis.h"

#include "common/base/json_write.h"
#include "common/base/own.h"
#include "ui/cli/table.h"

static const struct {
        const char *shown;
        enum colour colour;
} states[] = {
        [FINDING_OK] = {"ok", COLOUR_GREEN},
        [FINDING_WRONG] = {"WRONG", COLOUR_RED},
        [FINDING_UNKNOWN] = {"unknown", COLOUR_YELLOW},
        [FINDING_FIXED] = {"fixed", COLOUR_GREEN},
};

static void add_table(const struct findings *f, const struct cli *c, struct buffer *out)
{
        static const char *const titles[] = {"CHECK", "STATE", "FOUND", NULL};
        AUTO(table) t = table_create(titles);

        for (size_t i = 0; i < findings_count(f); i++) {
                const struct finding *found = findings_at(f, i);
                table_row(t);
                table_cell_text(t, found->name);
                table_cell(t, bytes_of_text(states[found->state].shown),
                           states[found->state].colour);
                table_cell_text(t, found->problem);
        }
        table_render(t, 0, c->colours, out);
}

static void add_remedies(const struct findings *f, struct buffer *out)
{
        bool any = false;

        for (size_t i = 0; i < findings_count(f); i++) {
                const struct finding *found = findings_at(f, i);
                if (found->remedy == NULL)
                        continue;
                buffer_add_text(out, any ? "" : "What to do:\n");
                any = true;
                show_text(out, bytes_of_text(found->name));
                buffer_add_text(out, ": ");
                show_text(out, bytes_of_text(found->remedy));
                buffer_add_char(out, '\n');
        }
        if (any)
                buffer_add_char(out, '\n');
}

static void add_verdict(const struct findings *f, const struct cli *c, struct buffer *out)
{
        bool fixed = findings_in(f, FINDING_FIXED) > 0;

        if (findings_in(f, FINDING_WRONG) > 0)
                show_coloured(out, "Something is wrong.", COLOUR_RED, c->colours);
        else if (findings_in(f, FINDING_UNKNOWN) > 0)
                show_coloured(out,
                              fixed ? "What was found is fixed, but not everything could be "
                                      "checked."
                                    : "Nothing wrong was found, but not everything could be "
                                      "checked.",
                              COLOUR_YELLOW, c->colours);
        else if (fixed)
                show_coloured(out, "What was wrong is fixed.", COLOUR_GREEN, c->colours);
        else
                show_coloured(out, "All is well.", COLOUR_GREEN, c->colours);
        buffer_add_char(out, '\n');
}

enum exit_code diagnosis_print(const struct findings *f, const struct cli *c)
{
        bool wrong = findings_in(f, FINDING_WRONG) > 0;
        bool unknown = findings_in(f, FINDING_UNKNOWN) > 0;
        AUTO_BUFFER out = {0};

        if (c->json) {
                json_begin(&out);
                json_put_flag(&out, "healthy", !wrong);
                json_put_string(&out, "verdict", verdict_name(findings_verdict(f)));
                findings_write_checks(f, &out);
                json_end(&out);
                buffer_add_char(&out, '\n');
        } else {
                add_table(f, c, &out);
                buffer_add_char(&out, '\n');
                add_remedies(f, &out);
                add_verdict(f, c, &out);
        }
        bool failed = wrong || (unknown && cli_has(c, "fix"));
        enum exit_code code = cli_print(c, buffer_bytes(&out));
        return code == EXIT_DONE && failed ? EXIT_JOB_FAILED : code;
}
