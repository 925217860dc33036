/* SPDX-License-Identifier: Apache-2.0
 *
 * diagnosis.c: collecting findings and printing them.
 */
#include "ui/cli/diagnosis.h"

#include <stdlib.h>

#include "common/base/json_write.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "ui/cli/table.h"

static const struct {
        const char *word, *shown;
        enum colour colour;
} healths[] = {
        [HEALTH_OK] = {"ok", "ok", COLOUR_GREEN},
        [HEALTH_WRONG] = {"wrong", "WRONG", COLOUR_RED},
        [HEALTH_UNKNOWN] = {"unknown", "unknown", COLOUR_YELLOW},
        [HEALTH_FIXED] = {"fixed", "fixed", COLOUR_GREEN},
};

struct diagnosis {
        struct table *table;
        struct buffer json; /* elements, with commas */
        struct buffer remedies;
        unsigned wrong, unknown, fixed;
};

struct diagnosis *diagnosis_create(void)
{
        static const char *const titles[] = {"CHECK", "STATE", "FOUND", NULL};
        struct diagnosis *d = xcalloc(1, sizeof(*d));

        d->table = table_create(titles);
        return d;
}

void diagnosis_destroy(struct diagnosis **d)
{
        struct diagnosis *old = TAKE(*d);

        if (old == NULL)
                return;
        table_destroy(&old->table);
        buffer_fini(&old->json);
        buffer_fini(&old->remedies);
        free(old);
}

static void add_remedy(struct diagnosis *d, const char *check, const char *remedy)
{
        buffer_printf(&d->remedies, "%s: ", check);
        show_text(&d->remedies, bytes_of_text(remedy));
        buffer_add_char(&d->remedies, '\n');
}

void diagnosis_add(struct diagnosis *d, const char *check, enum health health, const char *problem,
                   const char *remedy)
{
        d->wrong += health == HEALTH_WRONG;
        d->unknown += health == HEALTH_UNKNOWN;
        d->fixed += health == HEALTH_FIXED;
        table_row(d->table);
        table_cell_text(d->table, check);
        table_cell(d->table, bytes_of_text(healths[health].shown), healths[health].colour);
        table_cell_text(d->table, problem);
        if (remedy != NULL)
                add_remedy(d, check, remedy);
        json_begin_object(&d->json, NULL);
        json_put_string(&d->json, "check", check);
        json_put_string(&d->json, "state", healths[health].word);
        json_put_string(&d->json, "problem", problem);
        json_put_string(&d->json, "remedy", remedy);
        json_end(&d->json);
}

unsigned diagnosis_wrong(const struct diagnosis *d)
{
        return d->wrong;
}

static void add_verdict(const struct diagnosis *d, const struct cli *c, struct buffer *out)
{
        buffer_add_char(out, '\n');
        if (d->remedies.length > 0)
                buffer_printf(out, "What to do:\n%s\n", d->remedies.data);
        if (d->wrong > 0)
                show_coloured(out, "Something is wrong.", COLOUR_RED, c->colours);
        else if (d->unknown > 0)
                show_coloured(out,
                              d->fixed > 0 ? "What was found is fixed, but not everything could be "
                                             "checked."
                                           : "Nothing wrong was found, but not everything could be "
                                             "checked.",
                              COLOUR_YELLOW, c->colours);
        else if (d->fixed > 0)
                show_coloured(out, "What was wrong is fixed.", COLOUR_GREEN, c->colours);
        else
                show_coloured(out, "All is well.", COLOUR_GREEN, c->colours);
        buffer_add_char(out, '\n');
}

enum exit_code diagnosis_print(const struct diagnosis *d, const struct cli *c)
{
        AUTO_BUFFER out = {0};

        if (c->json) {
                json_begin(&out);
                json_put_flag(&out, "healthy", d->wrong == 0);
                json_begin_array(&out, "checks");
                buffer_add(&out, d->json.data, d->json.length);
                json_end_array(&out);
                json_end(&out);
                buffer_add_char(&out, '\n');
        } else {
                table_render(d->table, 0, c->colours, &out);
                add_verdict(d, c, &out);
        }
        bool failed = d->wrong > 0 || (d->unknown > 0 && cli_has(c, "fix"));
        enum exit_code code = cli_print(c, buffer_bytes(&out));
        return code == EXIT_DONE && failed ? EXIT_JOB_FAILED : code;
}
