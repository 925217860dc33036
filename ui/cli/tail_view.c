/* SPDX-License-Identifier: Apache-2.0
 *
 * tail_view.c: an event, a gap, counts.
 */
#include "ui/cli/tail_view.h"

#include <string.h>

#include "common/base/json_write.h"
#include "common/base/own.h"
#include "common/http/websocket_frames.h"
#include "ui/cli/count_table.h"
#include "ui/cli/view.h"

enum {
        KIND_WIDTH = 9,        /* "submitted" */
        COLUMN_WIDTH_MAX = 24, /* wider names push what follows aside */
        CLOCK_AT = 11,         /* in 2026-01-01T00:00:30.000Z */
};
static const char kind_prefix[] = "job_";

/* Adds text, and spaces up to the widest that was shown before. */
static void add_column(struct scan_value event, const char *path, unsigned *widest,
                       struct buffer *out)
{
        AUTO_BUFFER text = {0};
        AUTO_BUFFER shown = {0};

        if (!view_add(event, path, &text) || text.length == 0)
                buffer_add_char(&text, '-');
        show_text(&shown, buffer_bytes(&text));
        unsigned width = show_width(buffer_bytes(&shown));
        if (width > *widest)
                *widest = width < COLUMN_WIDTH_MAX ? width : COLUMN_WIDTH_MAX;
        buffer_add_text(out, "  ");
        buffer_add(out, shown.data, shown.length);
        if (width < *widest)
                buffer_printf(out, "%*s", (int)(*widest - width), "");
}

static void add_time(const struct tail_look *look, struct scan_value event, struct buffer *out)
{
        AUTO_BUFFER at = {0};

        view_add(event, "at", &at);
        bool is_short = look->terminal && at.length > CLOCK_AT && at.data[CLOCK_AT - 1] == 'T';
        struct bytes shown = buffer_bytes(&at);
        show_text(out, is_short ? bytes_of(at.data + CLOCK_AT, at.length - CLOCK_AT) : shown);
}

/* job_failed as "failed", in the colour of the status that it leads to. */
static void add_kind(const struct tail_look *look, struct scan_value event, struct buffer *out)
{
        size_t prefix = sizeof(kind_prefix) - 1;
        AUTO_BUFFER kind = {0};
        AUTO_BUFFER status = {0};

        if (!view_add(event, "kind", &kind))
                buffer_add_char(&kind, '-');
        view_add(event, "status", &status);
        if (bytes_begin_with(buffer_bytes(&kind), kind_prefix))
                buffer_drop(&kind, prefix);
        buffer_add_text(out, "  ");
        show_coloured(out, kind.data, view_status_colour(buffer_bytes(&status)), look->colours);
        if (kind.length < KIND_WIDTH)
                buffer_printf(out, "%*s", (int)(KIND_WIDTH - kind.length), "");
}

/* "try 2", "run 2 try 1"; nothing for what is usual. */
static void add_try(struct scan_value event, struct buffer *out)
{
        int64_t run = view_int(event, "run"), attempt = view_int(event, "attempt");

        if (run > 1)
                buffer_printf(out, "  run %lld", (long long)run);
        if (attempt > 1 || (run > 1 && attempt == 1))
                buffer_printf(out, "  try %lld", (long long)attempt);
}

static void add_progress(struct scan_value event, struct buffer *out)
{
        struct scan_value value;

        if (view_find(event, "progress", &value) && value.kind == SCAN_NUMBER)
                buffer_printf(out, "  %.0f %%", 100 * scan_real(value));
}

static void add_duration(struct scan_value event, struct buffer *out)
{
        int64_t ms = view_int(event, "ms");

        if (ms < 0)
                return;
        buffer_add_text(out, "  in ");
        view_add_span(ms, out);
}

/* When it starts, or starts again. A log keeps the time, people read how long it is until then. */
static void add_start(const struct tail_look *look, struct scan_value event, msec now,
                      struct buffer *out)
{
        AUTO_BUFFER when = {0};

        if (!view_is(event, "status", "scheduled") && !view_is(event, "status", "failed"))
                return;
        if (look->terminal)
                view_add_age(event, "run_at", now, &when);
        else
                view_add(event, "run_at", &when);
        if (when.length > 0)
                buffer_printf(out, "  %s%s",
                              view_is(event, "status", "failed") ? "next try " : "starts ",
                              when.data);
}

static void add_member(struct scan_value event, const char *path, const char *before,
                       struct buffer *out)
{
        AUTO_BUFFER text = {0};

        if (view_add(event, path, &text) && text.length > 0)
                buffer_printf(out, "  %s%s", before, text.data);
}

static void add_details(const struct tail_look *look, struct scan_value event, msec now,
                        struct buffer *out)
{
        add_try(event, out);
        add_progress(event, out);
        add_member(event, "message", "", out);
        add_duration(event, out);
        add_start(look, event, now, out);
        add_member(event, "worker", "", out);
        add_member(event, "by", "by ", out);
        add_member(event, "reason", "", out);
        add_member(event, "error", "", out);
        if (view_int(event, "masked") > 0)
                buffer_add_text(out, "  (error masked)");
}

void tail_add_event(struct tail_look *look, struct scan_value event, msec now, struct buffer *out)
{
        const unsigned before = sizeof("00:00:00.000Z") + 1 + KIND_WIDTH;
        unsigned id_width = 0, room = 2 * look->width;
        AUTO_BUFFER details = {0};
        AUTO_BUFFER shown = {0};

        add_time(look, event, out);
        add_kind(look, event, out);
        if (look->tenants)
                add_column(event, "tenant", &look->tenant_width, &shown);
        add_column(event, "type", &look->type_width, &shown);
        add_column(event, "id", &id_width, &shown);
        add_details(look, event, now, &details);
        show_text(&shown, buffer_bytes(&details));
        if (look->width > 0)
                show_cut(&shown, room > before ? room - before : 1);
        buffer_add(out, shown.data, shown.length);
        buffer_add_char(out, '\n');
}

void tail_add_json(struct scan_value event, int64_t offset, struct buffer *out)
{
        struct bytes raw = event.raw;
        size_t begin = out->length;
        bool whole = event.kind == SCAN_OBJECT && offset >= 0;

        if (whole) {
                bool empty = bytes_equal_text(raw, "{}");
                buffer_printf(out, "{\"offset\":%lld%s", (long long)offset, empty ? "" : ",");
                raw = bytes_of(raw.data + 1, raw.length - 1);
        }
        show_json(out, raw);
        /* Between the tokens of JSON a space does what a line break does. */
        for (size_t at = begin; at < out->length; at++) {
                if (out->data[at] == '\n' || out->data[at] == '\r')
                        out->data[at] = ' ';
        }
        buffer_add_char(out, '\n');
}

static void add_why(struct scan_value gap, struct buffer *out)
{
        static const struct {
                const char *why, *text;
        } reasons[] = {
                {"restarted", "the gateway was restarted"},
                {"old_offset", "the gateway no longer has them"},
                {"rewound", "the event stream was replaced or has lost its end"},
                {"behind", "the gateway did not keep up"},
                {"reconnected", "the connection was lost"},
        };
        AUTO_BUFFER why = {0};

        if (!view_add(gap, "why", &why) || why.length == 0)
                return;
        for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
                if (bytes_equal_text(buffer_bytes(&why), reasons[i].why)) {
                        buffer_printf(out, ": %s", reasons[i].text);
                        return;
                }
        }
        buffer_printf(out, ": %s", why.data);
}

/* An offset is that of a message of the stream, which may hold several events, of any tenant. While
 * the broker is away nothing is missed yet: events come later, or another gap tells. */
void tail_add_gap(const struct tail_look *look, struct scan_value gap, struct buffer *out)
{
        int64_t from = view_int(gap, "from"), to = view_int(gap, "to");

        if (view_is(gap, "why", "broker")) {
                buffer_add_text(out, "no events for now: the gateway cannot read the event stream");
                return;
        }
        bool known = from >= 0 && to > from;
        if (known && look->tenants && !look->filtered) {
                buffer_printf(out, "missed about %lld event%s", (long long)(to - from),
                              to - from == 1 ? "" : "s");
        } else {
                buffer_add_text(out, "may have missed events");
                if (known)
                        buffer_printf(out, " (offsets %lld to %lld)", (long long)from,
                                      (long long)to);
        }
        add_why(gap, out);
}

static size_t count_items(struct scan_value container)
{
        struct scan_item item;
        size_t count = 0;

        for (struct scan_cursor at = scan_items(container); scan_next(&at, &item);)
                count++;
        return count;
}

/* There are two lines above the table, its titles, and the cursor's line below. */
void tail_add_table(const struct tail_look *look, struct scan_value counts, struct buffer *out)
{
        const size_t around = 4;
        size_t room = look->height == 0       ? SIZE_MAX
                      : look->height > around ? look->height - around
                                              : 1;
        struct scan_value all, tenants;
        struct scan_item item;
        AUTO(table) t = count_table_create("TENANT");
        bool several = view_find(counts, "tenants", &tenants) && count_items(tenants) != 1;

        if (several && view_find(counts, "statuses", &all))
                count_table_row(t, bytes_of_text("all"), all);
        if (view_find(counts, "tenants", &tenants)) {
                for (struct scan_cursor at = scan_items(tenants);
                     table_rows(t) < room && scan_next(&at, &item);)
                        count_table_row(t, item.key, item.value);
        }
        table_render(t, look->width, look->colours, out);
}

void tail_add_line(struct scan_value counts, struct buffer *out)
{
        struct scan_value all;
        struct scan_item item;
        AUTO_BUFFER text = {0};

        if (!view_find(counts, "statuses", &all))
                return;
        for (struct scan_cursor at = scan_items(all); scan_next(&at, &item);) {
                buffer_add_text(&text, "  ");
                buffer_add(&text, item.key.data, item.key.length);
                buffer_add_char(&text, ' ');
                view_add(item.value, "", &text);
        }
        show_text(out, buffer_bytes(&text));
        buffer_add_char(out, '\n');
}

void tail_judge_close(unsigned code, struct bytes reason, struct err *e)
{
        enum { SILENT = 1008, KEY_ENDED = 4001, TOO_SLOW = 4008 };

        switch (code) {
        case KEY_ENDED:
                err_set(e, ERR_FORBIDDEN, "the feed ended: its key is no longer valid");
                return;
        case CLOSE_GOING_AWAY:
                err_set(e, ERR_UNAVAILABLE, "the gateway stops");
                return;
        case SILENT:
                err_set(e, ERR_UNAVAILABLE, "the gateway heard nothing for too long");
                return;
        case TOO_SLOW:
                err_set(e, ERR_UNAVAILABLE, "events were not taken fast enough");
                return;
        default:
                err_set(e, ERR_UNAVAILABLE, "the gateway closed the feed with %u%s%.*s", code,
                        reason.length > 0 ? ": " : "", (int)reason.length,
                        reason.length > 0 ? reason.data : "");
        }
}
