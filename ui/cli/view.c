/* SPDX-License-Identifier: Apache-2.0
 *
 * view.c: showing members of answers.
 */
#include "ui/cli/view.h"

#include <stdio.h>
#include <string.h>

#include "common/base/own.h"

enum { COLUMNS_MAX = 16 };

/* "1m32s", "5h": the smaller unit is left out when it is 0. */
static void add_two_units(struct buffer *out, long long count, int per, const char *units)
{
        buffer_printf(out, "%lld%c", count / per, units[0]);
        if (count % per > 0)
                buffer_printf(out, "%lld%c", count % per, units[1]);
}

void view_add_span(msec span, struct buffer *out)
{
        long long tenths = (span + 50) / 100;
        long long seconds = (span + MSEC_SECOND / 2) / MSEC_SECOND;
        long long minutes = (span + MSEC_MINUTE / 2) / MSEC_MINUTE;

        if (span < MSEC_SECOND)
                buffer_printf(out, "%lldms", (long long)span);
        else if (tenths < 100)
                buffer_printf(out, "%lld.%llds", tenths / 10, tenths % 10);
        else if (seconds < 60)
                buffer_printf(out, "%llds", seconds);
        else if (seconds < 3600)
                add_two_units(out, seconds, 60, "ms");
        else if (minutes < 48 * 60)
                add_two_units(out, minutes, 60, "hm");
        else
                buffer_printf(out, "%lldd", (long long)((span + MSEC_DAY / 2) / MSEC_DAY));
}

bool view_add_progress(struct scan_value job, struct buffer *out)
{
        struct scan_value value;
        AUTO_BUFFER message = {0};

        if (!view_find(job, "progress.value", &value) || value.kind != SCAN_NUMBER)
                return false;
        buffer_printf(out, "%.0f %%", 100 * scan_real(value));
        if (view_add(job, "progress.message", &message) && message.length > 0) {
                buffer_add_text(out, "  ");
                buffer_add(out, message.data, message.length);
        }
        return true;
}

void view_add_age(struct scan_value object, const char *path, msec now, struct buffer *out)
{
        AUTO_BUFFER text = {0};
        msec at;

        if (!view_add(object, path, &text))
                return;
        if (time_parse(text.data, &at, NULL) < 0) {
                buffer_add(out, text.data, text.length);
        } else if (at > now) {
                buffer_add_text(out, "in ");
                view_add_span(at - now, out);
        } else {
                view_add_span(now - at, out);
                buffer_add_text(out, " ago");
        }
}

enum colour view_status_colour(struct bytes status)
{
        static const struct {
                const char *word;
                enum colour colour;
        } colours[] = {
                {"completed", COLOUR_GREEN}, {"running", COLOUR_BLUE},   {"failed", COLOUR_YELLOW},
                {"dead", COLOUR_RED},        {"cancelled", COLOUR_GREY}, {"scheduled", COLOUR_GREY},
                {"replayed", COLOUR_GREEN},  {"discarded", COLOUR_GREY},
        };

        for (size_t i = 0; i < sizeof(colours) / sizeof(colours[0]); i++) {
                if (bytes_equal_text(status, colours[i].word))
                        return colours[i].colour;
        }
        return COLOUR_NONE;
}

bool view_job_has_ended(struct scan_value job)
{
        return view_is(job, "status", "completed") || view_is(job, "status", "dead") ||
               view_is(job, "status", "cancelled");
}

static void add_list(struct scan_value item, const char *path, struct buffer *out)
{
        struct scan_value list;
        struct scan_item at;

        if (!view_find(item, path, &list) || list.kind != SCAN_ARRAY) {
                view_add(item, path, out);
                return;
        }
        for (struct scan_cursor cursor = scan_items(list); scan_next(&cursor, &at);) {
                if (out->length > 0)
                        buffer_add_char(out, ',');
                view_add(at.value, "", out);
        }
}

/* A value of an AMQP table. A time comes as {"timestamp": seconds}. */
static void add_amqp_value(struct scan_value value, struct buffer *out)
{
        char text[TIME_TEXT_SIZE];
        int64_t seconds = view_int(value, "timestamp");
        bool is_time = value.kind == SCAN_OBJECT && seconds >= 0 && seconds < INT32_MAX;

        if (is_time)
                buffer_printf(out, "\"%s\"", time_format(seconds * MSEC_SECOND, text));
        else
                buffer_add(out, value.raw.data, value.raw.length);
}

static void add_amqp(struct scan_value item, const char *path, struct buffer *out)
{
        struct scan_value table;
        struct scan_item at;

        if (!view_find(item, path, &table) || table.kind != SCAN_OBJECT) {
                view_add(item, path, out);
                return;
        }
        buffer_add_char(out, '{');
        for (struct scan_cursor cursor = scan_items(table); scan_next(&cursor, &at);) {
                if (out->data[out->length - 1] != '{')
                        buffer_add_char(out, ',');
                buffer_add_char(out, '"');
                buffer_add(out, at.key.data, at.key.length);
                buffer_add_text(out, "\":");
                add_amqp_value(at.value, out);
        }
        buffer_add_char(out, '}');
}

static void add_by_kind(const struct view_column *column, struct scan_value item, msec now,
                        struct buffer *out)
{
        struct scan_value flag;

        switch (column->kind) {
        case VIEW_AGE:
                view_add_age(item, column->path, now, out);
                break;
        case VIEW_SPAN:
                if (view_int(item, column->path) >= 0)
                        view_add_span(view_int(item, column->path), out);
                break;
        case VIEW_TEXT:
        case VIEW_STATUS:
                view_add(item, column->path, out);
                break;
        case VIEW_PROGRESS:
                if (!view_is(item, "status", "completed"))
                        view_add_progress(item, out);
                break;
        case VIEW_ERROR:
                if (!view_add(item, column->path, out) || out->length == 0)
                        view_add(item, "reason", out);
                break;
        case VIEW_LIST:
                add_list(item, column->path, out);
                break;
        case VIEW_FLAG:
                if (view_find(item, column->path, &flag))
                        buffer_add_text(out, flag.kind == SCAN_TRUE ? "yes" : "no");
                break;
        case VIEW_MARK:
                if (view_is_true(item, column->path))
                        buffer_add_text(out, "yes");
                break;
        case VIEW_COUNT:
                if (view_int(item, column->path) > 0)
                        view_add(item, column->path, out);
                break;
        case VIEW_AMQP:
                add_amqp(item, column->path, out);
                break;
        }
}

struct table *view_table(const struct view_column *columns)
{
        const char *titles[COLUMNS_MAX + 1] = {NULL};

        for (size_t i = 0; i < COLUMNS_MAX && columns[i].title != NULL; i++)
                titles[i] = columns[i].title;
        return table_create(titles);
}

void view_row(struct table *t, const struct view_column *columns, struct scan_value item, msec now)
{
        table_row(t);
        for (const struct view_column *c = columns; c->title != NULL; c++) {
                AUTO_BUFFER text = {0};
                add_by_kind(c, item, now, &text);
                struct bytes shown = buffer_bytes(&text);
                table_cell(t, shown,
                           c->kind == VIEW_STATUS ? view_status_colour(shown) : COLOUR_NONE);
        }
}

void view_cell(struct table *t, struct scan_value of, const char *path, const char *none)
{
        AUTO_BUFFER text = {0};

        if (!view_add(of, path, &text) || text.length == 0)
                buffer_add_text(&text, none);
        table_cell(t, buffer_bytes(&text), COLOUR_NONE);
}

void view_add_title(const char *title, bool colours, struct buffer *out)
{
        AUTO_BUFFER padded = {0};

        buffer_printf(&padded, "%-16s", title);
        show_coloured(out, padded.data, COLOUR_GREY, colours);
}

void view_fields(const struct view_column *columns, struct scan_value item, msec now, bool colours,
                 struct buffer *out)
{
        for (const struct view_column *c = columns; c->title != NULL; c++) {
                AUTO_BUFFER text = {0};

                add_by_kind(c, item, now, &text);
                if (text.length == 0)
                        continue;
                view_add_title(c->title, colours, out);
                if (c->kind == VIEW_STATUS)
                        show_coloured(out, text.data, view_status_colour(buffer_bytes(&text)),
                                      colours);
                else
                        show_block(out, buffer_bytes(&text));
                buffer_add_char(out, '\n');
        }
}
