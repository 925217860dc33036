/* SPDX-License-Identifier: Apache-2.0
 *
 * find.c: find.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/own.h"
#include "ui/cli/jobs.h"
#include "ui/cli/listing.h"

enum { BEGINNING_DIGITS = 6 };

static const struct view_column match_columns[] = {
        {"ID", "job.id", VIEW_TEXT},
        {"TENANT", "job.tenant", VIEW_TEXT},
        {"TYPE", "job.type", VIEW_TEXT},
        {"STATUS", "job.status", VIEW_STATUS},
        {"CREATED", "job.created_at", VIEW_AGE},
        {"FOUND BY", "by", VIEW_TEXT},
        {NULL, NULL, VIEW_TEXT},
};

/* How many matches there are; first becomes the first one's job, by what that was found. */
static int count_matches(struct scan_value answer, struct buffer *first, struct buffer *by)
{
        struct scan_value matches;
        struct scan_item item;
        int count = 0;

        if (!view_find(answer, "matches", &matches))
                return 0;
        for (struct scan_cursor at = scan_items(matches); scan_next(&at, &item);)
                if (count++ == 0) {
                        (void)view_add(item.value, "job.id", first);
                        (void)view_add(item.value, "by", by);
                }
        return count;
}

static enum exit_code show_matches(struct cli *c, const struct http_reply *reply, const char *by)
{
        static const char *const next[] = {"get", NULL};
        static const struct listing matches = {"matches", match_columns, next, NULL};

        enum exit_code code = listing_show(c, reply, &matches);
        if (view_is_true(api_value(reply), "more"))
                fprintf(stderr, "there are more%s\n",
                        strcmp(by, "prefix") == 0 ? ": give more digits of the id"
                                                  : ", older ones");
        return code;
}

/* Fewer hexadecimal digits than the beginning of an id needs. */
static bool is_short_beginning(const char *text)
{
        size_t length = strlen(text);

        return length < BEGINNING_DIGITS && strspn(text, "0123456789abcdefABCDEF") == length;
}

enum exit_code command_find_jobs(struct cli *c)
{
        AUTO_FREE char *path = api_path_tenant(c, "/api/v1/lookup?q=*", cli_word(c, 0));
        AUTO_BUFFER first = {0};
        AUTO_BUFFER by = {0};
        AUTO_REPLY reply = {0};
        enum exit_code code = api_get(c, API_USER, path, &reply);

        if (code != EXIT_DONE)
                return code;
        int count = count_matches(api_value(&reply), &first, &by);
        if (!view_is_true(api_value(&reply), "complete"))
                fprintf(stderr, "not all jobs were looked at: there may be more\n");
        if (c->json) {
                code = cli_print_json(c, buffer_bytes(&reply.body));
                return code == EXIT_DONE && count == 0 ? EXIT_NOT_FOUND : code;
        }
        if (count == 0)
                return cli_fail(c, EXIT_NOT_FOUND, "no job has this id, trace id or key%s",
                                is_short_beginning(cli_word(c, 0))
                                        ? "; the beginning of an id needs 6 digits"
                                        : "");
        return count == 1 ? job_get(c, first.data) : show_matches(c, &reply, by.data);
}
