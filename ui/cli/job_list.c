/* SPDX-License-Identifier: Apache-2.0
 *
 * job_list.c: list.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/base/own.h"
#include "ui/cli/jobs.h"
#include "ui/cli/listing.h"

enum { FIELDS_MAX = 32, FIELD_SIZE = 32 };

/* The columns of --fields. */
struct fields {
        struct view_column columns[FIELDS_MAX + 1];
        char titles[FIELDS_MAX][FIELD_SIZE], paths[FIELDS_MAX][FIELD_SIZE];
        int count;
};

/* As the list shows the member anyway, else as a text. */
static enum view_kind kind_of(const char *path)
{
        for (const struct view_column *c = job_columns; c->title != NULL; c++)
                if (strcmp(c->path, path) == 0)
                        return c->kind;
        return VIEW_TEXT;
}

/* The gateway has checked the names. */
static void add_field(struct fields *f, const char *name, size_t length)
{
        if (f->count == FIELDS_MAX || length >= FIELD_SIZE)
                return;
        char *title = f->titles[f->count];
        char *path = f->paths[f->count];
        for (size_t i = 0; i < length; i++) {
                path[i] = name[i];
                title[i] = name[i] == '_' ? ' ' : (char)toupper((unsigned char)name[i]);
        }
        path[length] = title[length] = '\0';
        f->columns[f->count++] = (struct view_column){title, path, kind_of(path)};
}

static void read_fields(struct fields *f, const char *list)
{
        for (const char *at = list; at != NULL;) {
                size_t length = strcspn(at, ",");
                add_field(f, at, length);
                at = at[length] == ',' ? at + length + 1 : NULL;
        }
}

static enum exit_code print_count(const struct cli *c, struct scan_value answer)
{
        bool capped = view_is_true(answer, "count_is_capped");
        AUTO_BUFFER count = {0};
        AUTO_BUFFER line = {0};

        if (!view_add(answer, "count", &count))
                return EXIT_DONE;
        buffer_printf(&line, "count: %s%s\n", capped ? "more than " : "", count.data);
        return cli_print(c, buffer_bytes(&line));
}

static void show_search(struct scan_value answer)
{
        AUTO_BUFFER text = {0};

        if (listing_add_search(answer, &text))
                fprintf(stderr, "%s\n", text.data);
}

enum exit_code command_list(struct cli *c)
{
        static const char *const next[] = {"get", NULL};
        const char *wanted = arguments_option(&c->arguments, "fields");
        struct fields fields = {0};
        struct listing jobs = {"jobs", job_columns, next, "no such jobs"};
        AUTO_BUFFER path = {0};
        AUTO_REPLY reply = {0};

        read_fields(&fields, wanted);
        if (wanted != NULL)
                jobs.columns = fields.columns;
        if (fields.count > 0 && strcmp(fields.paths[0], "id") != 0)
                jobs.next = &next[1]; /* no command takes what the first column shows */
        buffer_add_text(&path, "/api/v1/jobs");
        api_query_options(&path, &c->arguments);
        enum exit_code code = api_get(c, API_USER, path.data, &reply);
        if (code == EXIT_DONE)
                code = listing_show(c, &reply, &jobs);
        if (code != EXIT_DONE || c->json)
                return code;
        show_search(api_value(&reply));
        return print_count(c, api_value(&reply));
}
