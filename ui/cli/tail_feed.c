/* SPDX-License-Identifier: Apache-2.0
 *
 * tail_feed.c: one function for each kind of message.
 */
#include "ui/cli/tail_feed.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/json_write.h"
#include "ui/cli/table.h"
#include "ui/cli/view.h"

enum { DEPTH_MAX = 16, NOTE_SIZE = 1024 };
#define CLEAR_SCREEN "\x1b[H\x1b[2J"

void tail_feed_fini(struct tail_feed *f)
{
        buffer_fini(&f->out);
        buffer_fini(&f->notes);
        buffer_fini(&f->last);
}

void tail_feed_note(struct tail_feed *f, const char *format, ...)
{
        char text[NOTE_SIZE];
        AUTO_BUFFER json = {0};
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        if (f->json) {
                json_begin(&json);
                json_put_string(&json, "note", text);
                json_end(&json);
                show_json(&f->notes, buffer_bytes(&json));
        } else {
                show_text(&f->notes, bytes_of_text(text));
        }
        buffer_add_char(&f->notes, '\n');
}

void tail_feed_connect(struct tail_feed *f)
{
        f->greeted = f->owes = false;
        f->asked = f->offset;
}

/* The known offset stays, with its mark, when the member is null or missing. */
static void take_offset(struct tail_feed *f, struct scan_value of, const char *member)
{
        if (view_int(of, member) < 0)
                return;
        f->offset = view_int(of, member);
        f->mark = view_int(of, "mark");
}

/* What happens from now on is told; before the first hello, nothing is. */
static void tell_beginning(struct tail_feed *f, struct scan_value hello)
{
        AUTO_BUFFER tenant = {0};

        view_add(hello, "tenant", &tenant);
        if (f->look.tenants || tenant.length == 0)
                tail_feed_note(f, "following jobs of all tenants");
        else
                tail_feed_note(f, "following jobs of %s", tenant.data);
}

static void take_hello(struct tail_feed *f, struct scan_value hello)
{
        bool resumed = view_is_true(hello, "resumed");
        bool counts = view_is(hello, "mode", "counts");

        f->again = f->began;
        f->began = f->greeted = true;
        f->look.tenants = view_is(hello, "tenant", "*");
        take_offset(f, hello, "offset"); /* none while the stream cannot be read */
        if (!f->again)
                tell_beginning(f, hello);
        else if (resumed || counts)
                tail_feed_note(f, counts ? "reconnected" : "reconnected; nothing was missed");
        f->owes = !resumed && !counts && (f->again || f->asked >= 0);
}

/* message: with the member "gap". */
static void tell_gap(struct tail_feed *f, struct scan_value message, struct scan_value gap)
{
        AUTO_BUFFER text = {0};

        tail_add_gap(&f->look, gap, &text);
        if (f->json)
                tail_add_json(message, -1, &f->out);
        else
                tail_feed_note(f, "%s%s", f->owes && f->again ? "reconnected; " : "", text.data);
        f->owes = false;
}

static void take_gap(struct tail_feed *f, struct scan_value message, struct scan_value gap)
{
        tell_gap(f, message, gap);
        take_offset(f, gap, "to");
}

/* The feed does not say what lies between, so everything may. */
static void tell_owed(struct tail_feed *f)
{
        struct scan_value gap;
        AUTO_BUFFER text = {0};

        if (!f->owes)
                return;
        json_begin(&text);
        json_begin_object(&text, "gap");
        if (f->asked >= 0)
                json_put_int(&text, "from", f->asked);
        else
                json_put_null(&text, "from");
        json_put_null(&text, "to");
        json_put_string(&text, "why", "reconnected");
        json_end(&text);
        json_end(&text);
        struct scan_value message = scan_root(buffer_bytes(&text));
        if (view_find(message, "gap", &gap))
                tell_gap(f, message, gap);
}

void tail_feed_rest(struct tail_feed *f)
{
        if (f->greeted)
                tell_owed(f);
}

static void take_dropped(struct tail_feed *f, struct scan_value message)
{
        AUTO_BUFFER count = {0};

        if (f->json)
                tail_add_json(message, -1, &f->out);
        else if (view_add(message, "dropped", &count))
                tail_feed_note(f, "%s events were left out: they were not taken fast enough",
                               count.data);
}

/* Whoever goes on after a line's offset misses nothing: only the last event of a message has the
 * message's, those before it have that of the message before. */
static void take_events(struct tail_feed *f, struct scan_value message, struct scan_value events,
                        msec now)
{
        struct scan_cursor at = scan_items(events);
        struct scan_item item, next;
        int64_t before = f->offset;
        bool more = scan_next(&at, &next);

        take_offset(f, message, "offset");
        while (more) {
                item = next;
                more = scan_next(&at, &next);
                if (f->json)
                        tail_add_json(item.value, more ? before : f->offset, &f->out);
                else
                        tail_add_event(&f->look, item.value, now, &f->out);
        }
}

static void tell_stale(struct tail_feed *f, struct scan_value message)
{
        AUTO_BUFFER text = {0};

        buffer_add_text(&text, "no counts now: ");
        if (!view_add(message, "detail", &text))
                buffer_add_text(&text, "the gateway does not say why");
        if (!f->stale)
                tail_feed_note(f, "%s", text.data);
        f->stale = true;
}

static void draw_counts(struct tail_feed *f, struct scan_value counts, struct bytes as_of)
{
        buffer_add_text(&f->out, CLEAR_SCREEN "jobs by status at ");
        show_text(&f->out, as_of);
        buffer_add_text(&f->out, "; Ctrl-C to end\n\n");
        tail_add_table(&f->look, counts, &f->out);
}

static void take_counts(struct tail_feed *f, struct scan_value message, struct scan_value counts)
{
        AUTO_BUFFER as_of = {0};
        AUTO_BUFFER line = {0};

        if (f->json) {
                tail_add_json(message, -1, &f->out);
                return;
        }
        if (counts.kind != SCAN_OBJECT) {
                tell_stale(f, message);
                return;
        }
        f->stale = false;
        view_add(counts, "as_of", &as_of);
        if (f->look.terminal) {
                draw_counts(f, counts, buffer_bytes(&as_of));
                return;
        }
        tail_add_line(counts, &line);
        if (line.length == 0 || bytes_equal(buffer_bytes(&line), buffer_bytes(&f->last)))
                return;
        buffer_set(&f->last, buffer_bytes(&line));
        show_text(&f->out, buffer_bytes(&as_of));
        buffer_add(&f->out, line.data, line.length);
}

static void take_error(struct tail_feed *f, struct scan_value error)
{
        AUTO_BUFFER detail = {0};

        if (view_add(error, "detail", &detail))
                tail_feed_note(f, "the gateway: %s", detail.data);
}

/* A message without a known member is of a later version. */
static void take_message(struct tail_feed *f, struct scan_value message, msec now)
{
        struct scan_value value;

        if (view_find(message, "hello", &value)) {
                take_hello(f, value);
        } else if (view_find(message, "gap", &value)) {
                take_gap(f, message, value);
        } else if (view_find(message, "error", &value)) {
                take_error(f, value);
        } else if (view_find(message, "dropped", &value)) {
                tell_owed(f);
                take_dropped(f, message);
        } else if (view_find(message, "events", &value)) {
                tell_owed(f);
                take_events(f, message, value, now);
        } else if (view_find(message, "counts", &value)) {
                take_counts(f, message, value);
        }
}

int tail_feed_take(struct tail_feed *f, struct bytes message, msec now, struct err *e)
{
        struct scan_fault fault;

        if (scan_check(message, DEPTH_MAX, &fault) < 0)
                return err_set(e, ERR_PROTOCOL, "a message is not JSON: %s", fault.detail);
        struct scan_value root = scan_root(message);
        struct scan_value hello;
        if (root.kind != SCAN_OBJECT)
                return err_set(e, ERR_PROTOCOL, "a message is no JSON object");
        if (!f->greeted && !view_find(root, "hello", &hello))
                return err_set(e, ERR_PROTOCOL, "the first message is not a live feed's");
        take_message(f, root, now);
        return 0;
}
