/* SPDX-License-Identifier: Apache-2.0
 *
 * history.c: packs and unpacks entries. The form is stored: another one needs another version.
 */
#include "status-store/projection/history.h"

#include <string.h>

#include "status-store/projection/varint.h"

enum { VERSION = 1, TEXT_MAX = 127, DIGEST_BYTES = 4 };
/* Of the first byte, beside the version. */
enum { LEFT_OUT = 0x80, HAS_GAP = 0x40, HEAD_FLAGS = LEFT_OUT | HAS_GAP };

enum {
        HAS_WORKER = 1,
        HAS_BY = 2,
        HAS_WHY = 4,
        HAS_REASON = 8,
        HAS_ERROR_KIND = 16,
        HAS_RUN_AT = 32,
        IS_LOST = 64,
};

struct entry {
        enum event_kind kind;
        unsigned flags;
        msec at;
        int64_t run, attempt, copy;
        uint32_t digest;
        struct bytes rest; /* what the flags name, packed */
};

enum { REST_MAX = 3 * (1 + TEXT_MAX) + 2 + VARINT_MAX };

/* A history being changed. */
struct entries {
        struct entry all[HISTORY_MAX + 1];
        size_t count;
        unsigned head; /* HEAD_FLAGS */
};

/* Kinds that are bounded apart, and of each how many are kept at both ends. */
enum bounded { BOUNDED_OTHER, BOUNDED_DUE, BOUNDED_PROGRESS };
static const struct {
        size_t first, last;
} bounds[] = {
        [BOUNDED_OTHER] = {16, 31},
        [BOUNDED_DUE] = {4, 12},
        [BOUNDED_PROGRESS] = {0, 1},
};

static enum bounded bounded_as(enum event_kind kind)
{
        if (kind == EVENT_PROGRESS)
                return BOUNDED_PROGRESS;
        return kind == EVENT_DUE ? BOUNDED_DUE : BOUNDED_OTHER;
}

static bool take_byte(struct bytes *in, unsigned *out)
{
        if (in->length == 0)
                return false;
        *out = (unsigned char)in->data[0];
        *in = bytes_of(in->data + 1, in->length - 1);
        return true;
}

static bool take_bytes(struct bytes *in, size_t length, struct bytes *out)
{
        if (in->length < length)
                return false;
        *out = bytes_of(in->data, length);
        *in = bytes_of(in->data + length, in->length - length);
        return true;
}

static bool take_text(struct bytes *in, bool has, struct bytes *out)
{
        unsigned length = 0;
        return !has || (take_byte(in, &length) && take_bytes(in, length, out));
}

static bool take_rest(struct bytes *in, unsigned flags, struct history_entry *out)
{
        unsigned reason = 0;
        unsigned error_kind = 0;
        uint64_t run_at = 0;
        if (!take_text(in, (flags & HAS_WORKER) != 0, &out->worker) ||
            !take_text(in, (flags & HAS_BY) != 0, &out->by) ||
            !take_text(in, (flags & HAS_WHY) != 0, &out->why) ||
            ((flags & HAS_REASON) != 0 && !take_byte(in, &reason)) ||
            ((flags & HAS_ERROR_KIND) != 0 && !take_byte(in, &error_kind)) ||
            ((flags & HAS_RUN_AT) != 0 && !varint_get(in, &run_at)))
                return false;
        out->reason = (enum reason)reason;
        out->error_kind = (enum error_kind)error_kind;
        out->run_at = (msec)run_at;
        out->lost = (flags & IS_LOST) != 0;
        return true;
}

/* Takes one from the front; `before`: the time of the one before. False: it is cut or unknown. */
static bool take_entry(struct bytes *in, msec before, struct entry *out, struct history_entry *said)
{
        unsigned kind = 0;
        uint64_t at = 0;
        uint64_t v[3] = {0};
        struct bytes digest;
        if (!take_byte(in, &kind) || kind >= EVENT_KIND_COUNT || !take_byte(in, &out->flags) ||
            !varint_get(in, &at) || !varint_get(in, &v[0]) || !varint_get(in, &v[1]) ||
            !varint_get(in, &v[2]) || !take_bytes(in, DIGEST_BYTES, &digest))
                return false;
        out->kind = (enum event_kind)kind;
        out->at = before + (msec)at;
        out->run = (int64_t)v[0];
        out->attempt = (int64_t)v[1];
        out->copy = (int64_t)v[2];
        memcpy(&out->digest, digest.data, DIGEST_BYTES);
        const char *rest = in->data;
        if (!take_rest(in, out->flags, said))
                return false;
        out->rest = bytes_of(rest, (size_t)(in->data - rest));
        return true;
}

/* False: the bytes are of no known version. */
static bool take_head(struct bytes *in, unsigned *flags)
{
        unsigned head = 0;
        if (!take_byte(in, &head))
                return false;
        *flags = head & HEAD_FLAGS;
        return (head & ~(unsigned)HEAD_FLAGS) == VERSION;
}

static void unpack(struct bytes in, struct entries *out)
{
        struct history_entry said;
        msec before = 0;
        bool some = in.length > 0;
        out->count = 0;
        out->head = 0;
        if (!take_head(&in, &out->head)) {
                out->head = some ? HEAD_FLAGS : 0;
                return;
        }
        while (in.length > 0 && out->count < HISTORY_MAX &&
               take_entry(&in, before, &out->all[out->count], &said))
                before = out->all[out->count++].at;
}

static void pack(const struct entries *h, struct buffer *out)
{
        msec before = 0;
        buffer_add_char(out, (char)(VERSION | h->head));
        for (size_t i = 0; i < h->count; i++) {
                const struct entry *one = &h->all[i];
                unsigned char head[2 + 4 * VARINT_MAX + DIGEST_BYTES];
                size_t n = 0;
                head[n++] = (unsigned char)one->kind;
                head[n++] = (unsigned char)one->flags;
                n += varint_put(head + n, (uint64_t)(one->at - before));
                n += varint_put(head + n, (uint64_t)one->run);
                n += varint_put(head + n, (uint64_t)one->attempt);
                n += varint_put(head + n, (uint64_t)one->copy);
                memcpy(head + n, &one->digest, DIGEST_BYTES);
                buffer_add(out, head, n + DIGEST_BYTES);
                buffer_add(out, one->rest.data, one->rest.length);
                before = one->at;
        }
}

static unsigned put_text(unsigned char *out, size_t *n, struct bytes text, unsigned flag)
{
        size_t length = text.length < TEXT_MAX ? text.length : TEXT_MAX;
        if (length == 0)
                return 0;
        out[(*n)++] = (unsigned char)length;
        memcpy(out + *n, text.data, length);
        *n += length;
        return flag;
}

/* The time until which the job waits after the event. */
static msec run_at_of(const struct event *e)
{
        if (e->kind == EVENT_MOVED)
                return e->hint.run_at;
        bool waits = e->has_job && (e->scheduled || e->soon);
        return waits ? e->job.run_at : 0;
}

/* Writes what the event says into `rest`, REST_MAX bytes. */
static struct entry entry_of(const struct event *e, msec at, unsigned char *rest)
{
        /* A message keeps the kind of its last error on its way. */
        bool failed = e->has_job && (e->kind == EVENT_FAILED || e->kind == EVENT_DEAD);
        enum error_kind error_kind = failed ? e->job.error_kind : ERROR_KIND_NONE;
        msec run_at = run_at_of(e);
        size_t n = 0;
        unsigned flags = put_text(rest, &n, e->worker, HAS_WORKER);
        flags |= put_text(rest, &n, e->by, HAS_BY);
        flags |= put_text(rest, &n, e->why, HAS_WHY);
        if (e->reason != REASON_NONE) {
                flags |= HAS_REASON;
                rest[n++] = (unsigned char)e->reason;
        }
        if (error_kind != ERROR_KIND_NONE) {
                flags |= HAS_ERROR_KIND;
                rest[n++] = (unsigned char)error_kind;
        }
        if (run_at > 0) {
                flags |= HAS_RUN_AT;
                n += varint_put(rest + n, (uint64_t)run_at);
        }
        return (struct entry){.kind = e->kind,
                              .flags = flags | (e->lost ? IS_LOST : 0),
                              .at = at,
                              .run = e->run,
                              .attempt = e->attempt,
                              .copy = e->copy,
                              .digest = (uint32_t)e->digest,
                              .rest = bytes_of(rest, n)};
}

static int compare_numbers(int64_t a, int64_t b)
{
        return a < b ? -1 : a > b;
}

static bool is_same(const struct entry *a, const struct entry *b)
{
        return a->digest == b->digest && a->kind == b->kind && a->run == b->run &&
               a->attempt == b->attempt && a->copy == b->copy;
}

/* Events of one millisecond are in the order in which a job lives, those of no attempt last. */
static bool precedes(const struct entry *a, const struct entry *b)
{
        const int64_t x[] = {a->at,   a->run,  a->attempt > 0 ? a->attempt : INT64_MAX,
                             a->kind, a->copy, a->digest};
        const int64_t y[] = {b->at,   b->run,  b->attempt > 0 ? b->attempt : INT64_MAX,
                             b->kind, b->copy, b->digest};
        int order = 0;
        for (size_t i = 0; i < sizeof(x) / sizeof(x[0]) && order == 0; i++)
                order = compare_numbers(x[i], y[i]);
        return order < 0;
}

static void remove_at(struct entries *h, size_t at)
{
        memmove(&h->all[at], &h->all[at + 1], (h->count - at - 1) * sizeof(h->all[0]));
        h->count--;
}

static bool is_kept_out(const struct entries *h, const struct entry *one)
{
        for (size_t i = 0; i < h->count; i++) {
                bool forgotten = h->all[i].kind == EVENT_FORGOTTEN && h->all[i].run >= one->run &&
                                 one->kind != EVENT_FORGOTTEN;
                if (forgotten || is_same(&h->all[i], one))
                        return true;
        }
        return false;
}

static void forget(struct entries *h, int64_t run)
{
        for (size_t i = h->count; i > 0; i--)
                if (h->all[i - 1].run <= run && h->all[i - 1].kind != EVENT_FORGOTTEN)
                        remove_at(h, i - 1);
}

static void insert(struct entries *h, const struct entry *one)
{
        size_t at = h->count;
        while (at > 0 && precedes(one, &h->all[at - 1]))
                at--;
        memmove(&h->all[at + 1], &h->all[at], (h->count - at) * sizeof(h->all[0]));
        h->all[at] = *one;
        h->count++;
}

/* Removes the one behind the first ones when there are too many that are bounded so. */
static void bound(struct entries *h, enum bounded as)
{
        size_t number = 0;
        size_t victim = 0;
        for (size_t i = 0; i < h->count; i++) {
                if (bounded_as(h->all[i].kind) != as)
                        continue;
                if (number++ == bounds[as].first)
                        victim = i;
        }
        if (number <= bounds[as].first + bounds[as].last)
                return;
        remove_at(h, victim);
        if (as != BOUNDED_PROGRESS)
                h->head |= LEFT_OUT;
}

/* A delay queue does not change when a message was published: that was before it came due. */
static msec time_of(const struct event *e, msec at)
{
        bool due = e->kind == EVENT_DUE && e->job.due_at > 0 && !e->job.from_outside;
        return due ? e->job.due_at : at;
}

/* A consumer sent the job away for a moment, and it is back: once a second, perhaps for hours. */
static bool is_end_of_hop(const struct event *e)
{
        return e->kind == EVENT_DUE && e->job.hop;
}

/* A consumer finds a job that was cancelled, and cannot say by whom. */
static bool is_bare_cancel(const struct entry *one)
{
        return one->kind == EVENT_CANCELLED &&
               (one->flags & (HAS_BY | HAS_WORKER | HAS_REASON)) == 0;
}

static bool is_said_cancel(const struct entry *one)
{
        return one->kind == EVENT_CANCELLED && (one->flags & HAS_BY) != 0;
}

/* Of two tellings of one cancel the one that says by whom is kept. True: `one` is the other. */
static bool merge_cancels(struct entries *h, const struct entry *one)
{
        for (size_t i = h->count; i > 0; i--) {
                const struct entry *old = &h->all[i - 1];
                if (old->run != one->run)
                        continue;
                if (is_bare_cancel(one) && is_said_cancel(old))
                        return true;
                if (is_said_cancel(one) && is_bare_cancel(old))
                        remove_at(h, i - 1);
        }
        return false;
}

/* From here on it has no gap: without this it would be taken for one of before there were any. */
static bool begin_empty(struct buffer *history)
{
        if (history->length > 0)
                return false;
        buffer_add_char(history, VERSION);
        return true;
}

bool history_add(struct buffer *history, const struct event *e, msec at)
{
        unsigned char rest[REST_MAX];
        struct entries h;
        AUTO_BUFFER packed = {0};
        if (is_end_of_hop(e))
                return begin_empty(history);
        unpack(buffer_bytes(history), &h);
        const struct entry one = entry_of(e, time_of(e, at), rest);
        if (is_kept_out(&h, &one) || merge_cancels(&h, &one))
                return false;
        if (e->kind == EVENT_FORGOTTEN)
                forget(&h, e->run);
        insert(&h, &one);
        bound(&h, bounded_as(e->kind));
        pack(&h, &packed);
        bool changed = !bytes_equal(buffer_bytes(&packed), buffer_bytes(history));
        if (changed)
                buffer_set(history, buffer_bytes(&packed));
        return changed;
}

void history_note_gap(struct buffer *history)
{
        if (history->length == 0)
                buffer_add_char(history, VERSION);
        history->data[0] |= (char)HEAD_FLAGS;
}

bool history_has_gap(struct bytes history)
{
        unsigned head = 0;
        return !take_head(&history, &head) || (head & HAS_GAP) != 0;
}

bool history_each(struct bytes history, history_fn *each, void *owner)
{
        unsigned head = 0;
        msec before = 0;
        if (!take_head(&history, &head))
                return false;
        while (history.length > 0) {
                struct entry one;
                struct history_entry said = {0};
                if (!take_entry(&history, before, &one, &said))
                        return false;
                said.kind = one.kind;
                said.at = before = one.at;
                said.run = one.run;
                said.attempt = one.attempt;
                said.copy = one.copy;
                each(owner, &said);
        }
        return (head & LEFT_OUT) == 0;
}

const char *history_word(enum event_kind kind)
{
        static const char *const words[EVENT_KIND_COUNT] = {
                [EVENT_SUBMITTED] = "submitted",
                [EVENT_REJECTED] = "rejected",
                [EVENT_DUE] = "due",
                [EVENT_CANCEL_REQUESTED] = "cancel_requested",
                [EVENT_STARTED] = "started",
                [EVENT_PROGRESS] = "progress",
                [EVENT_RESUMED] = "resumed",
                [EVENT_RELEASED] = "released",
                [EVENT_FAILED] = "failed",
                [EVENT_DEAD] = "dead",
                [EVENT_CANCELLED] = "cancelled",
                [EVENT_COMPLETED] = "completed",
                [EVENT_FORGOTTEN] = "forgotten",
                [EVENT_MOVED] = "moved",
        };
        return words[kind] != NULL ? words[kind] : "";
}
