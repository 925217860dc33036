/* SPDX-License-Identifier: Apache-2.0
 *
 * config_print.c: --help and --print-config, from the table.
 */
#include "common/base/config_source.h"

#include <stdio.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"

static void add_range(struct buffer *out, const struct config_key *k)
{
        char least[TIME_TEXT_SIZE], most[TIME_TEXT_SIZE];

        switch (k->kind) {
        case CONFIG_MSEC:
                buffer_printf(out, "%s to %s", duration_format(k->min, least),
                              duration_format(k->max, most));
                break;
        case CONFIG_INT:
        case CONFIG_SIZE:
                buffer_printf(out, "%lld to %lld", (long long)k->min, (long long)k->max);
                break;
        case CONFIG_WORD:
                for (const char *const *w = k->words; *w != NULL; w++)
                        buffer_printf(out, "%s%s", w == k->words ? "" : "|", *w);
                break;
        case CONFIG_BOOL:
                buffer_add_text(out, "true|false");
                break;
        case CONFIG_TEXT:
        case CONFIG_SECRET:
                break;
        }
}

static void print_key(const struct config_table *t, const struct config_key *k)
{
        char variable[CONFIG_ORIGIN_SIZE];
        AUTO_BUFFER notes = {0};

        add_range(&notes, k);
        const char *separator = notes.length > 0 ? "; " : "";
        if (k->fallback == NULL)
                buffer_printf(&notes, "%smust be given", separator);
        else if (*k->fallback != '\0')
                buffer_printf(&notes, "%sdefault %s", separator, k->fallback);

        printf("  --%s VALUE\n      %s", k->name, k->help);
        if (notes.length > 0)
                printf(" (%s)", notes.data);
        printf("\n      %s\n", config_environment_name(t, k->name, variable));
}

void config_print_help(const struct config_table *t)
{
        char variable[CONFIG_ORIGIN_SIZE];

        printf("warren-%s: %s\n\n", t->program, t->summary);
        printf("Settings: flags over environment over file over defaults.\n\n");
        for (const struct config_key *k = t->keys; k->name != NULL; k++)
                print_key(t, k);
        printf("  --config FILE\n      lines 'key = value'; # begins a comment line\n      %s\n",
               config_environment_name(t, "config", variable));
        printf("  --print-config\n      print the settings in force, as such a file, and exit\n");
        printf("  --help, --version\n");
}

void config_print_values(const struct config_table *t, const struct config_values *values)
{
        for (size_t i = 0; i < values->count; i++) {
                const struct config_value *v = &values->list[i];

                if (v->text == NULL)
                        printf("# %s = (must be given)\n", t->keys[i].name);
                else
                        printf("# from %s\n%s = %s\n", v->origin, t->keys[i].name, v->text);
        }
}
