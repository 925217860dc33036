/* SPDX-License-Identifier: Apache-2.0
 *
 * event_line.c: an event as one line of JSON, read and written.
 */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/base/json_read.h"
#include "common/base/json_write.h"
#include "common/model/event.h"
#include "common/model/job_members.h"

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
        {"moved", EVENT_MOVED, true},
        {"worker", EVENT_WORKER, false},
        {"seen", EVENT_SEEN, false},
        {"act", EVENT_ACT, false},
        {"acted", EVENT_ACTED, false},
        {"cancel_requested", EVENT_CANCEL_REQUESTED, false},
        {"cancelled", EVENT_CANCELLED, false},
        {"rejected", EVENT_REJECTED, false},
        {"buried", EVENT_DEAD, false},
        {"forgotten", EVENT_FORGOTTEN, false},
};
/* clang-format on */
enum { LINE_KIND_COUNT = sizeof(line_kinds) / sizeof(line_kinds[0]) };

bool event_is_of_job(const struct event *event)
{
        return event->kind < EVENT_WORKER;
}

/* Only a few members are read here; whoever stores such an event reads the line itself. */
static bool is_kept_raw(enum event_kind kind)
{
        return kind == EVENT_WORKER || kind == EVENT_ACT || kind == EVENT_ACTED;
}

#define COUNTER_MAX ((int64_t)1 << 53)
enum { CONTENT_DIGITS = 16 };

/* One line being read: the reader's owner. */
struct line {
        struct event *event;
        int which; /* of line_kinds; LINE_KIND_COUNT: an event of another version */
};

/* Read first: the members of another version's event are not checked. */
static int read_kind(struct json_reader *r, const struct json_place *p, void *out)
{
        struct line *l = r->owner;
        char word[32] = "";

        if (json_read_is(r, p, SCAN_STRING) != 0)
                return -1;
        (void)json_copy_text(p->value, word, sizeof(word));
        l->which = 0;
        while (l->which < LINE_KIND_COUNT && strcmp(line_kinds[l->which].word, word) != 0)
                l->which++;
        if (l->which == LINE_KIND_COUNT)
                return json_refuse(r, p, "not an event of this version");
        *(enum event_kind *)out = line_kinds[l->which].kind;
        return 0;
}

/* Ignores a result that is too long. */
static int read_result(struct json_reader *r, const struct json_place *p, void *out)
{
        return p->value.raw.length <= EVENT_RESULT_MAX ? json_read_raw(r, p, out) : 0;
}

static int read_content(struct json_reader *r, const struct json_place *p, void *out)
{
        char text[CONTENT_DIGITS + 1] = "";
        uint64_t content = 0;
        bool good = json_copy_text(p->value, text, sizeof(text)) && text[CONTENT_DIGITS - 1] != 0;

        for (size_t i = 0; good && i < CONTENT_DIGITS; i++) {
                int digit = hex_value(text[i]);
                good = digit >= 0;
                content = content << 4 | (uint64_t)digit;
        }
        *(uint64_t *)out = content;
        return good ? 0 : json_refuse(r, p, "must be %d hexadecimal digits", CONTENT_DIGITS);
}

static int read_progress(struct json_reader *r, const struct json_place *p, void *out)
{
        if (json_read_is(r, p, SCAN_NUMBER) != 0)
                return -1;
        *(double *)out = fmin(fmax(scan_real(p->value), 0), 1);
        return 0;
}

static int read_traceparent(struct json_reader *r, const struct json_place *p, void *out)
{
        char text[JOB_TRACEPARENT_SIZE];

        if (!json_copy_text(p->value, text, sizeof(text)) ||
            !traceparent_is_valid(bytes_of_text(text)))
                return json_refuse(r, p, "must be a trace context");
        memcpy(out, text, sizeof(text));
        return 0;
}

/* In a worker's event it is an array, which the store of workers reads. */
static int read_running(struct json_reader *r, const struct json_place *p, void *out)
{
        const struct line *l = r->owner;

        return l->event->kind == EVENT_WORKER ? 0 : json_read_flag(r, p, out);
}

/* An act need not be on a tenant. */
static int read_tenant(struct json_reader *r, const struct json_place *p, void *out)
{
        const struct line *l = r->owner;

        return is_kept_raw(l->event->kind) ? 0 : job_read_tenant(r, p, out);
}

/* An act's id, in the event's place for one. */
static int read_act(struct json_reader *r, const struct json_place *p, void *out)
{
        const struct line *l = r->owner;
        bool is_act = l->event->kind == EVENT_ACT || l->event->kind == EVENT_ACTED;

        return is_act ? json_read_uuid(r, p, out) : 0;
}

/* clang-format off */
#define MEMBER(field, fn, ...) {#field, fn, JSON_AT(struct event, field), __VA_ARGS__}
#define COUNTER(field) MEMBER(field, json_read_int, .least = 0, .most = COUNTER_MAX)
#define TEXT(field) MEMBER(field, json_read_bytes, .flags = JSON_NULLABLE)
#define HINT(field, fn, ...) {#field, fn, JSON_AT(struct event, hint.field), __VA_ARGS__}
#define HINT_INT(field, high) HINT(field, json_read_int, .least = 0, .most = (high))

/* In the order of writing. */
static const struct json_member line_members[] = {
        {"event", read_kind, JSON_AT(struct event, kind), .flags = JSON_REQUIRED},
        MEMBER(id, json_read_uuid),
        {"act", read_act, JSON_AT(struct event, id)},
        MEMBER(tenant, read_tenant),
        COUNTER(run),
        COUNTER(attempt),
        COUNTER(copy),
        COUNTER(at),
        COUNTER(mark),
        TEXT(worker),
        COUNTER(after),
        MEMBER(lost, json_read_flag),
        MEMBER(redelivered, json_read_flag),
        COUNTER(ms),
        MEMBER(content, read_content),
        MEMBER(result, read_result),
        MEMBER(progress, read_progress),
        TEXT(message),
        TEXT(by),
        MEMBER(running, read_running),
        TEXT(why),
        MEMBER(reason, job_read_reason),
        TEXT(burial),
        HINT(type, job_read_type),
        HINT_INT(priority, PRIORITY_COUNT - 1),
        HINT_INT(max_retries, JOB_MAX_RETRIES_MAX),
        HINT_INT(submitted_at, JOB_TIME_MAX),
        HINT_INT(run_at, JOB_TIME_MAX),
        HINT_INT(expires_at, JOB_TIME_MAX),
        HINT(traceparent, read_traceparent),
        {0},
};
/* clang-format on */

/* Of a consumer or an act. */
static enum event_verdict check_other(struct bytes line, struct event *e)
{
        bool good = e->kind == EVENT_WORKER || e->kind == EVENT_SEEN ? e->worker.length > 0
                                                                     : e->id[0] != '\0';

        if (is_kept_raw(e->kind)) {
                e->raw = line;
                e->unknown = 0; /* whoever stores it reads the other members */
        }
        if (e->kind == EVENT_SEEN && e->mark < 1)
                good = false;
        return good ? EVENT_IS : EVENT_MALFORMED;
}

static enum event_verdict check_line(int which, struct bytes line, struct event *e)
{
        if (e->worker.length >= WORKER_NAME_SIZE)
                return EVENT_MALFORMED;
        if (!event_is_of_job(e))
                return check_other(line, e);
        if (e->id[0] == '\0' || e->tenant[0] == '\0' || e->run < 1)
                return EVENT_MALFORMED;
        if (line_kinds[which].needs_attempt && e->attempt < 1)
                return EVENT_MALFORMED;
        if (e->kind == EVENT_DEAD && e->reason == REASON_NONE)
                return EVENT_MALFORMED;
        if (e->kind == EVENT_MOVED && e->copy < 1)
                return EVENT_MALFORMED;
        if (e->kind == EVENT_RELEASED && (e->after < 1 || e->worker.length == 0))
                return EVENT_MALFORMED;
        return EVENT_IS;
}

enum event_verdict event_parse(struct bytes line, struct buffer *scratch, struct event *out)
{
        struct line l = {.event = out};
        struct json_reader r = {.scratch = scratch, .owner = &l, .lenient = true};
        struct json_place root;

        if (json_read_open(&r, line, SCAN_DEPTH_WRAPPED, &root) != 0)
                return EVENT_MALFORMED;
        memset(out, 0, sizeof(*out));
        out->hint.priority = out->hint.max_retries = -1;
        buffer_clear(scratch);
        if (json_read_members(&r, &root, line_members, out) != 0)
                return l.which == LINE_KIND_COUNT ? EVENT_UNKNOWN : EVENT_MALFORMED;
        out->digest = bytes_digest(1, line);
        out->unknown = r.unknown;
        return check_line(l.which, line, out);
}

/* Writing. */

/* Raw line ends in valid JSON are whitespace, so they can become spaces. */
static void put_on_one_line(struct buffer *out, const char *name, struct bytes json)
{
        size_t at = out->length;

        json_put_raw(out, name, json);
        for (; at < out->length; at++) {
                if (out->data[at] == '\n' || out->data[at] == '\r')
                        out->data[at] = ' ';
        }
}

static void put_content(struct buffer *out, uint64_t content)
{
        char text[CONTENT_DIGITS];

        for (size_t i = CONTENT_DIGITS; i-- > 0; content >>= 4)
                text[i] = "0123456789abcdef"[content & 15];
        json_put_text(out, "content", bytes_of(text, sizeof(text)));
}

static void write_job_of(const struct event *e, struct buffer *out)
{
        if (!event_is_of_job(e)) {
                json_put_int(out, "at", e->at);
                json_put_int(out, "mark", e->mark);
                return;
        }
        json_put_string(out, "id", e->id);
        json_put_string(out, "tenant", e->tenant);
        json_put_int(out, "run", e->run);
        if (e->attempt > 0)
                json_put_int(out, "attempt", e->attempt);
        if (e->copy > 0)
                json_put_int(out, "copy", e->copy);
        json_put_int(out, "at", e->at);
}

static void write_hint(const struct event *e, struct buffer *out)
{
        const struct job_hint *h = &e->hint;

        if (h->type[0] == '\0' && e->kind != EVENT_MOVED)
                return;
        if (h->type[0] != '\0')
                json_put_string(out, "type", h->type);
        if (h->priority >= 0)
                json_put_int(out, "priority", h->priority);
        if (h->max_retries >= 0)
                json_put_int(out, "max_retries", h->max_retries);
        if (h->submitted_at > 0)
                json_put_int(out, "submitted_at", h->submitted_at);
        if (h->run_at > 0)
                json_put_int(out, "run_at", h->run_at);
        if (h->expires_at > 0)
                json_put_int(out, "expires_at", h->expires_at);
        if (h->traceparent[0] != '\0')
                json_put_string(out, "traceparent", h->traceparent);
}

static void write_rest(const struct event *e, struct buffer *out)
{
        json_put_given(out, "worker", e->worker);
        if (e->kind == EVENT_RELEASED) {
                json_put_int(out, "after", e->after);
                json_put_flag(out, "lost", e->lost);
        }
        if (e->kind == EVENT_STARTED)
                json_put_flag(out, "redelivered", e->redelivered);
        if (e->kind == EVENT_COMPLETED)
                json_put_int(out, "ms", e->ms);
        if (e->content != 0)
                put_content(out, e->content);
        if (e->result.data != NULL)
                put_on_one_line(out, "result", e->result);
        if (e->kind == EVENT_PROGRESS)
                json_put_real(out, "progress", e->progress);
        json_put_given(out, "message", e->message);
        json_put_given(out, "by", e->by);
        if (e->kind == EVENT_CANCELLED)
                json_put_flag(out, "running", e->running);
        json_put_given(out, "why", e->why);
        if (e->reason != REASON_NONE)
                json_put_string(out, "reason", reason_word(e->reason));
        json_put_given(out, "burial", e->burial);
        write_hint(e, out);
}

void event_write(const struct event *event, struct buffer *out)
{
        if (is_kept_raw(event->kind)) {
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
        json_begin(out);
        json_put_string(out, "event", word);
        write_job_of(event, out);
        write_rest(event, out);
        json_end(out);
        buffer_add_char(out, '\n');
}
