/* SPDX-License-Identifier: Apache-2.0
 *
 * event_line.c: an event as one line of JSON, read and written.
 */
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/base/json_scan.h"
#include "common/model/event.h"

/* clang-format off */
static const struct {
        const char *word;
        enum event_kind kind;
        bool needs_attempt;
} line_kinds[] = {
        {"started", EVENT_STARTED, true},
        {"completed", EVENT_COMPLETED, true},
        {"progress", EVENT_PROGRESS, true},
        {"resumed", EVENT_RESUMED, true},
        {"released", EVENT_RELEASED, true},
        {"worker", EVENT_WORKER, false},
        {"cancel_requested", EVENT_CANCEL_REQUESTED, false},
        {"cancelled", EVENT_CANCELLED, false},
        {"rejected", EVENT_REJECTED, false},
        {"buried", EVENT_DEAD, false},
        {"forgotten", EVENT_FORGOTTEN, false},
};
/* clang-format on */
enum { LINE_KIND_COUNT = sizeof(line_kinds) / sizeof(line_kinds[0]) };

#define COUNTER_MAX ((int64_t)1 << 53)

/* Reading: a member's value goes where its name says. False: not of the kind it must be. */
struct line {
        struct event *event;
        struct buffer *scratch;
        struct bytes kind; /* member "event" */
};

static bool read_text(struct line *l, struct scan_value value, struct bytes *out)
{
        if (value.kind == SCAN_NULL)
                return true;
        if (value.kind != SCAN_STRING)
                return false;
        struct bytes inner = bytes_of(value.raw.data + 1, value.raw.length - 2);
        if (memchr(inner.data, '\\', inner.length) == NULL) {
                *out = inner;
                return true;
        }
        /* scratch was reserved for the whole line: what it lent before does not move. */
        size_t before = l->scratch->length;
        scan_string(value, l->scratch);
        *out = bytes_of(l->scratch->data + before, l->scratch->length - before);
        return true;
}

static bool read_counter(struct scan_value value, int64_t *out)
{
        return value.kind == SCAN_NUMBER && scan_int(value, out) && *out >= 0 &&
               *out <= COUNTER_MAX;
}

static bool read_flag(struct scan_value value, bool *out)
{
        *out = value.kind == SCAN_TRUE;
        return value.kind == SCAN_TRUE || value.kind == SCAN_FALSE;
}

static bool read_progress(struct scan_value value, double *out)
{
        if (value.kind != SCAN_NUMBER)
                return false;
        *out = fmin(fmax(scan_real(value), 0), 1);
        return true;
}

static bool read_id(struct line *l, struct scan_value value)
{
        struct bytes text = {NULL, 0};

        return read_text(l, value, &text) && uuid_parse(text, l->event->id);
}

static bool read_tenant(struct line *l, struct scan_value value)
{
        struct bytes text = {NULL, 0};

        return read_text(l, value, &text) && tenant_name_is_valid(text) &&
               bytes_to_text(text, l->event->tenant, sizeof(l->event->tenant)) == 0;
}

static bool read_reason(struct line *l, struct scan_value value)
{
        struct bytes text = {NULL, 0};

        return read_text(l, value, &text) && reason_parse(text, &l->event->reason);
}

static bool read_result(struct scan_value value, struct bytes *out)
{
        if (value.raw.length <= EVENT_RESULT_MAX)
                *out = value.raw;
        return true;
}

static bool read_content(struct line *l, struct scan_value value, uint64_t *out)
{
        struct bytes text = {NULL, 0};

        *out = 0;
        if (!read_text(l, value, &text) || text.length != 16)
                return false;
        for (size_t i = 0; i < text.length; i++) {
                int digit = hex_value(text.data[i]);
                if (digit < 0)
                        return false;
                *out = *out << 4 | (uint64_t)digit;
        }
        return true;
}

static bool read_member(struct line *l, struct bytes key, struct scan_value value)
{
        struct event *e = l->event;

        if (scan_key_is(key, "event"))
                return read_text(l, value, &l->kind);
        if (scan_key_is(key, "id"))
                return read_id(l, value);
        if (scan_key_is(key, "tenant"))
                return read_tenant(l, value);
        if (scan_key_is(key, "run"))
                return read_counter(value, &e->run);
        if (scan_key_is(key, "attempt"))
                return read_counter(value, &e->attempt);
        if (scan_key_is(key, "at"))
                return read_counter(value, &e->at);
        if (scan_key_is(key, "after"))
                return read_counter(value, &e->after);
        if (scan_key_is(key, "worker"))
                return read_text(l, value, &e->worker);
        if (scan_key_is(key, "lost"))
                return read_flag(value, &e->lost);
        if (scan_key_is(key, "redelivered"))
                return read_flag(value, &e->redelivered);
        if (scan_key_is(key, "ms"))
                return read_counter(value, &e->ms);
        if (scan_key_is(key, "result"))
                return read_result(value, &e->result);
        if (scan_key_is(key, "content"))
                return read_content(l, value, &e->content);
        if (scan_key_is(key, "copy"))
                return read_counter(value, &e->copy);
        if (scan_key_is(key, "progress"))
                return read_progress(value, &e->progress);
        if (scan_key_is(key, "message"))
                return read_text(l, value, &e->message);
        if (scan_key_is(key, "by"))
                return read_text(l, value, &e->by);
        if (scan_key_is(key, "why"))
                return read_text(l, value, &e->why);
        if (scan_key_is(key, "running"))
                return e->kind == EVENT_WORKER || read_flag(value, &e->running);
        if (scan_key_is(key, "reason"))
                return read_reason(l, value);
        if (scan_key_is(key, "burial"))
                return read_text(l, value, &e->burial);
        e->unknown++;
        return true;
}

static int find_kind(struct scan_value object, struct buffer *scratch)
{
        struct line l = {.scratch = scratch};
        struct scan_value value;

        if (!scan_find(object, "event", &value) || !read_text(&l, value, &l.kind) ||
            l.kind.data == NULL)
                return -1;
        for (int i = 0; i < LINE_KIND_COUNT; i++) {
                if (bytes_equal_text(l.kind, line_kinds[i].word))
                        return i;
        }
        return LINE_KIND_COUNT;
}

static enum event_verdict check_line(int which, struct bytes line, struct event *e)
{
        if (e->worker.length >= WORKER_NAME_SIZE)
                return EVENT_MALFORMED;
        if (e->kind == EVENT_WORKER) {
                e->raw = line;
                e->unknown = 0; /* its members are read by who keeps workers */
                return e->worker.length > 0 ? EVENT_IS : EVENT_MALFORMED;
        }
        if (e->id[0] == '\0' || e->tenant[0] == '\0' || e->run < 1)
                return EVENT_MALFORMED;
        if (line_kinds[which].needs_attempt && e->attempt < 1)
                return EVENT_MALFORMED;
        if (e->kind == EVENT_DEAD && e->reason == REASON_NONE)
                return EVENT_MALFORMED;
        if (e->kind == EVENT_RELEASED && (e->after < 1 || e->worker.length == 0))
                return EVENT_MALFORMED;
        return EVENT_IS;
}

enum event_verdict event_parse(struct bytes line, struct buffer *scratch, struct event *out)
{
        struct scan_fault fault;
        struct scan_item item;

        if (scan_check(line, SCAN_DEPTH_WRAPPED, &fault) != 0)
                return EVENT_MALFORMED;
        struct scan_value root = scan_root(line);
        if (root.kind != SCAN_OBJECT)
                return EVENT_MALFORMED;
        memset(out, 0, sizeof(*out));
        buffer_clear(scratch);
        buffer_reserve(scratch, 2 * line.length + 2);

        int which = find_kind(root, scratch);
        if (which < 0)
                return EVENT_MALFORMED;
        if (which == LINE_KIND_COUNT)
                return EVENT_UNKNOWN;
        out->kind = line_kinds[which].kind;
        out->digest = bytes_digest(1, line);
        struct line l = {.event = out, .scratch = scratch};
        struct scan_cursor cursor = scan_items(root);
        while (scan_next(&cursor, &item)) {
                if (!read_member(&l, item.key, item.value))
                        return EVENT_MALFORMED;
        }
        return check_line(which, line, out);
}

/* Writing. Literals are added by their length: this is every job's path. */
#define ADD(out, literal) buffer_add(out, literal, sizeof(literal) - 1)

static void add_int(struct buffer *out, int64_t value)
{
        char digits[24];
        char *at = digits + sizeof(digits);
        uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

        do {
                *--at = (char)('0' + left % 10);
                left /= 10;
        } while (left > 0);
        if (value < 0)
                *--at = '-';
        buffer_add(out, at, (size_t)(digits + sizeof(digits) - at));
}

static void add_text(struct buffer *out, const char *name, struct bytes text)
{
        if (text.data == NULL)
                return;
        buffer_add(out, ",\"", 2);
        buffer_add_text(out, name);
        buffer_add(out, "\":", 2);
        buffer_add_json_string(out, text);
}

static void add_flag(struct buffer *out, const char *name, bool value)
{
        buffer_add(out, ",\"", 2);
        buffer_add_text(out, name);
        buffer_add_text(out, value ? "\":true" : "\":false");
}

/* Raw line ends in valid JSON are whitespace, so they can become spaces. */
static void add_on_one_line(struct buffer *out, struct bytes json)
{
        size_t at = out->length;

        buffer_add(out, json.data, json.length);
        for (; at < out->length; at++) {
                if (out->data[at] == '\n' || out->data[at] == '\r')
                        out->data[at] = ' ';
        }
}

static void write_job_of(const struct event *e, struct buffer *out)
{
        ADD(out, ",\"id\":\"");
        buffer_add_text(out, e->id);
        ADD(out, "\",\"tenant\":\"");
        buffer_add_text(out, e->tenant);
        ADD(out, "\",\"run\":");
        add_int(out, e->run);
        if (e->attempt > 0) {
                ADD(out, ",\"attempt\":");
                add_int(out, e->attempt);
        }
        if (e->copy > 0) {
                ADD(out, ",\"copy\":");
                add_int(out, e->copy);
        }
        ADD(out, ",\"at\":");
        add_int(out, e->at);
}

static void write_rest(const struct event *e, struct buffer *out)
{
        add_text(out, "worker", e->worker);
        if (e->kind == EVENT_RELEASED) {
                ADD(out, ",\"after\":");
                add_int(out, e->after);
                add_flag(out, "lost", e->lost);
        }
        if (e->kind == EVENT_STARTED)
                add_flag(out, "redelivered", e->redelivered);
        if (e->kind == EVENT_COMPLETED) {
                ADD(out, ",\"ms\":");
                add_int(out, e->ms);
        }
        if (e->content != 0)
                buffer_printf(out, ",\"content\":\"%016" PRIx64 "\"", e->content);
        if (e->result.data != NULL) {
                ADD(out, ",\"result\":");
                add_on_one_line(out, e->result);
        }
        if (e->kind == EVENT_PROGRESS)
                buffer_printf(out, ",\"progress\":%.6g", e->progress);
        add_text(out, "message", e->message);
        add_text(out, "by", e->by);
        if (e->kind == EVENT_CANCELLED)
                add_flag(out, "running", e->running);
        add_text(out, "why", e->why);
        if (e->kind == EVENT_DEAD)
                add_text(out, "reason", bytes_of_text(reason_word(e->reason)));
        add_text(out, "burial", e->burial);
}

void event_write(const struct event *event, struct buffer *out)
{
        if (event->kind == EVENT_WORKER) {
                buffer_add(out, event->raw.data, event->raw.length);
                buffer_add_char(out, '\n');
                return;
        }

        const char *word = NULL;
        for (int i = 0; i < LINE_KIND_COUNT && word == NULL; i++) {
                if (line_kinds[i].kind == event->kind)
                        word = line_kinds[i].word;
        }
        assert(word != NULL);
        ADD(out, "{\"event\":\"");
        buffer_add_text(out, word);
        buffer_add_char(out, '"');
        write_job_of(event, out);
        write_rest(event, out);
        ADD(out, "}\n");
}
