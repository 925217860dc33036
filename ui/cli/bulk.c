/* SPDX-License-Identifier: Apache-2.0
 *
 * bulk.c: an act on jobs by filter.
 */
#include "ui/cli/bulk.h"

#include <stdio.h>
#include <string.h>

#include "common/base/json_write.h"
#include "common/base/own.h"
#include "ui/cli/api.h"
#include "ui/cli/confirm.h"
#include "ui/cli/listing.h"
#include "ui/cli/operations.h"
#include "ui/cli/workers_behind.h"

/* A search that ended before all was searched may have met none of those that match. */
static bool matches_none(struct scan_value preview)
{
        return view_int(preview, "count") == 0 && !view_is_true(preview, "more");
}

/* "1 job", "1234 jobs", "more than 100000 jobs", "an unknown number of jobs". */
static void add_number(struct scan_value preview, struct buffer *out)
{
        long long count = (long long)view_int(preview, "count");

        if (count == 0 && !matches_none(preview)) {
                buffer_add_text(out, "an unknown number of jobs");
                return;
        }
        buffer_printf(out, "%s%lld job%s", view_is_true(preview, "more") ? "more than " : "", count,
                      count == 1 ? "" : "s");
}

/* A table of an object's members and their numbers, when it has `least` of them. */
static void add_table(const struct cli *c, struct scan_value preview, const char *member,
                      const char *title, size_t least, struct buffer *out)
{
        const char *const titles[] = {title, "JOBS", NULL};
        AUTO(table) t = table_create(titles);
        struct scan_value counts;
        struct scan_item item;

        if (!view_find(preview, member, &counts) || counts.kind != SCAN_OBJECT)
                return;
        for (struct scan_cursor at = scan_items(counts); scan_next(&at, &item);) {
                AUTO_BUFFER text = {0};
                table_row(t);
                table_cell(t, item.key, COLOUR_NONE);
                view_add(item.value, "", &text);
                table_cell(t, buffer_bytes(&text), COLOUR_NONE);
        }
        if (table_rows(t) < least)
                return;
        buffer_add_char(out, '\n');
        table_render(t, c->width, false, out);
}

/* A search for a text ends after some seconds. */
static void add_search(struct scan_value preview, struct buffer *out)
{
        AUTO_BUFFER text = {0};

        if (listing_add_search(preview, &text))
                buffer_printf(out, "\n%s; the operation searches all\n", text.data);
}

static void add_sample(struct scan_value preview, struct buffer *out)
{
        struct scan_value sample;
        struct scan_item item;

        if (!view_find(preview, "sample", &sample) || sample.kind != SCAN_ARRAY)
                return;
        buffer_add_text(out, "\nsome of them:\n");
        for (struct scan_cursor at = scan_items(sample); scan_next(&at, &item);) {
                AUTO_BUFFER id = {0};
                view_add(item.value, "", &id);
                buffer_add_text(out, "  ");
                show_text(out, buffer_bytes(&id));
                buffer_add_char(out, '\n');
        }
}

/* On standard error, above the question; standard output gets the outcome only. With --json: the
 * answer, on standard output. */
static enum exit_code show_preview(const struct cli *c, const struct bulk *bulk,
                                   const struct http_reply *reply, struct scan_value preview)
{
        AUTO_BUFFER out = {0};

        if (c->json)
                return cli_print_json(c, buffer_bytes(&reply->body));
        add_number(preview, &out);
        buffer_printf(&out, " %s\n", bulk->outcome);
        if (view_int(preview, "count") > 0) {
                add_table(c, preview, "by_status", "STATUS", 1, &out);
                add_table(c, preview, "by_tenant", "TENANT", 2, &out);
                add_sample(preview, &out);
        }
        add_search(preview, &out);
        fprintf(stderr, "%s", out.data);
        return EXIT_DONE;
}

static enum exit_code ask(const struct cli *c, const struct bulk *bulk, struct scan_value preview)
{
        AUTO_BUFFER number = {0};
        AUTO_BUFFER question = {0};
        const char *gap = strstr(bulk->question, "%s");

        add_number(preview, &number);
        buffer_add(&question, bulk->question, (size_t)(gap - bulk->question));
        buffer_add_text(&question, number.data);
        buffer_add_text(&question, gap + 2);
        return confirm(c, question.data, view_int(preview, "count"));
}

static enum exit_code follow(struct cli *c, const char *id, const struct http_reply *started)
{
        enum exit_code code = c->json ? cli_print_json(c, buffer_bytes(&started->body)) : EXIT_DONE;

        workers_behind_warn(c, api_value(started));
        return code == EXIT_DONE ? operation_follow(c, id) : code;
}

/* The token of the preview is the operation's id. */
static enum exit_code start(struct cli *c, const struct bulk *bulk, const char *token)
{
        struct err e = {0};
        AUTO_BUFFER body = {0};
        AUTO_REPLY reply = {0};

        json_begin(&body);
        json_put_string(&body, "token", token);
        json_end(&body);
        const struct http_call call = {
                .method = "POST", .path = bulk->path, .body = buffer_bytes(&body)};
        cli_catch_interrupts();
        int asked = api_ask(c, API_USER, &call, &reply, &e);
        if (asked < 0 && *c->stop != 0)
                return operation_interrupted(c, token, "it may have begun");
        if (asked == 0 && reply.status < 300)
                return *c->stop != 0 ? operation_interrupted(c, token, "the operation goes on")
                                     : follow(c, token, &reply);
        enum exit_code code =
                asked < 0 ? cli_fail_err(c, &e) : api_refusal(c, API_USER, &call, &reply);
        if (code == EXIT_UNREACHABLE)
                operation_note_unsure(c, token, "it may have begun");
        cli_pass_interrupt_on();
        return code;
}

enum exit_code bulk_act(struct cli *c, const struct bulk *bulk)
{
        struct scan_value preview;
        AUTO_BUFFER path = {0};
        AUTO_BUFFER token = {0};
        AUTO_REPLY reply = {0};

        operations_will_follow(c);
        buffer_add_text(&path, bulk->path);
        api_query_options(&path, &c->arguments);
        const struct http_call call = {.method = "POST", .path = path.data};
        enum exit_code code = api_call(c, API_USER, &call, &reply);
        if (code != EXIT_DONE)
                return code;
        if (!view_find(api_value(&reply), "preview", &preview) ||
            !view_add(preview, "token", &token))
                return cli_fail(c, EXIT_UNREACHABLE, "the gateway's answer has no preview");
        code = show_preview(c, bulk, &reply, preview);
        if (code != EXIT_DONE || cli_has(c, "dry-run") || matches_none(preview))
                return code;
        code = ask(c, bulk, preview);
        return code == EXIT_DONE ? start(c, bulk, token.data) : code;
}
