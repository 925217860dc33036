/* SPDX-License-Identifier: Apache-2.0
 *
 * listing.c: lists, page by page.
 */
#include "ui/cli/listing.h"

#include <stdio.h>

#include "common/base/own.h"

struct table *listing_table(struct scan_value answer, const char *member,
                            const struct view_column *columns)
{
        AUTO(table) t = view_table(columns);
        struct scan_value list;
        struct scan_item item;

        if (view_find(answer, member, &list)) {
                for (struct scan_cursor at = scan_items(list); scan_next(&at, &item);)
                        view_row(t, columns, item.value, clock_wall());
        }
        return TAKE(t);
}

void listing_add_more(struct scan_value answer, struct buffer *out)
{
        AUTO_BUFFER cursor = {0};

        if (view_add(answer, "next_cursor", &cursor))
                buffer_printf(out, "more: --cursor %s\n", cursor.data);
}

bool listing_add_search(struct scan_value answer, struct buffer *out)
{
        AUTO_BUFFER jobs = {0};
        AUTO_BUFFER until = {0};

        if (view_is_true(answer, "search.complete") || !view_add(answer, "search.jobs", &jobs) ||
            !view_add(answer, "search.until", &until))
                return false;
        buffer_printf(out, "searched %s jobs, as far as those created %s", jobs.data, until.data);
        return true;
}

static void suggest_next(const struct cli *c, const struct http_reply *reply,
                         const struct listing *l)
{
        struct scan_value list;
        struct scan_item first;
        AUTO_BUFFER name = {0};
        AUTO_BUFFER line = {0};

        if (!view_find(api_value(reply), l->member, &list))
                return;
        struct scan_cursor at = scan_items(list);
        bool any = scan_next(&at, &first);
        if (!any && l->none != NULL)
                fprintf(stderr, "%s\n", l->none);
        if (!any || l->next[0] == NULL || !view_add(first.value, l->columns[0].path, &name))
                return;
        buffer_add_text(&line, "next:");
        for (const char *const *command = l->next; *command != NULL; command++) {
                buffer_printf(&line, "%s warren %s ", command == l->next ? "" : ",", *command);
                show_text(&line, buffer_bytes(&name));
                cli_add_tenant(c, &line);
        }
        fprintf(stderr, "%s\n", line.data);
}

enum exit_code listing_show(const struct cli *c, const struct http_reply *reply,
                            const struct listing *l)
{
        AUTO_BUFFER out = {0};

        if (c->json)
                return cli_print_json(c, buffer_bytes(&reply->body));
        AUTO(table) t = listing_table(api_value(reply), l->member, l->columns);
        table_render(t, c->width, c->colours, &out);
        listing_add_more(api_value(reply), &out);
        enum exit_code code = cli_print(c, buffer_bytes(&out));
        if (code == EXIT_DONE && cli_has_reader())
                suggest_next(c, reply, l);
        return code;
}

enum exit_code listing_get(struct cli *c, enum api_role role, const char *path,
                           const struct listing *l)
{
        AUTO_BUFFER query = {0};
        AUTO_REPLY reply = {0};

        buffer_add_text(&query, path);
        api_query_options(&query, &c->arguments);
        enum exit_code code = api_get(c, role, query.data, &reply);
        return code == EXIT_DONE ? listing_show(c, &reply, l) : code;
}
