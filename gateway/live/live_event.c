/* SPDX-License-Identifier: Apache-2.0
 *
 * live_event.c: kinds of the feed, and an event's members.
 */
#include "gateway/live/live_event.h"

#include <string.h>

#include "common/base/json_write.h"
#include "common/base/utf8.h"
#include "common/model/fold.h"

enum { TEXT_MAX = 1024 }; /* bytes of an error, or of a progress message */

static const char *const kind_names[LIVE_KIND_COUNT] = {
        [LIVE_SUBMITTED] = "job_submitted", [LIVE_STARTED] = "job_started",
        [LIVE_COMPLETED] = "job_completed", [LIVE_FAILED] = "job_failed",
        [LIVE_RETRY] = "job_retry",         [LIVE_DLQ] = "job_dlq",
        [LIVE_PROGRESS] = "job_progress",   [LIVE_CANCELLED] = "job_cancelled",
        [LIVE_FORGOTTEN] = "job_forgotten",
};

const char *live_kind_name(enum live_kind k)
{
        return kind_names[k];
}

bool live_kind_parse(struct bytes name, enum live_kind *out)
{
        return bytes_find(name, kind_names, LIVE_KIND_COUNT, (unsigned *)out);
}

static enum live_kind waiting_kind(const struct event *e)
{
        return e->job.attempt > 0 ? LIVE_RETRY : LIVE_SUBMITTED;
}

/* False: no transition. */
static bool kind_of(const struct event *e, enum live_kind *out)
{
        switch (e->kind) {
        case EVENT_SUBMITTED:
                *out = waiting_kind(e);
                return !e->job.doubt;
        case EVENT_DUE:
                *out = waiting_kind(e);
                return true;
        case EVENT_STARTED:
        case EVENT_RESUMED:
                *out = LIVE_STARTED;
                return true;
        case EVENT_RELEASED:
                *out = LIVE_RETRY;
                return true;
        case EVENT_PROGRESS:
                *out = LIVE_PROGRESS;
                return true;
        case EVENT_FAILED:
                *out = LIVE_FAILED;
                return true;
        case EVENT_DEAD:
                *out = LIVE_DLQ;
                return true;
        case EVENT_CANCELLED:
                *out = LIVE_CANCELLED;
                return true;
        case EVENT_COMPLETED:
                *out = LIVE_COMPLETED;
                return true;
        case EVENT_REJECTED:
        case EVENT_FORGOTTEN:
                *out = LIVE_FORGOTTEN;
                return true;
        case EVENT_CANCEL_REQUESTED:
        case EVENT_MOVED:
        case EVENT_WORKER:
        case EVENT_SEEN:
        case EVENT_ACT:
        case EVENT_ACTED:
                return false;
        }
        return false;
}

static struct bytes error_of(const struct event *e)
{
        bool failed = e->has_job && (e->kind == EVENT_FAILED || e->kind == EVENT_DEAD);

        return failed ? e->job.error : (struct bytes){0};
}

/* As reads judge it of a job and of a letter. */
static bool quotes_payload(const struct event *e)
{
        struct bytes error = error_of(e);

        return error.length > 0 && (e->reason == REASON_MALFORMED || job_error_quotes_body(error));
}

bool live_tags_of(const struct event *e, struct live_tags *out)
{
        memset(out, 0, sizeof(*out));
        if (!kind_of(e, &out->kind))
                return false;
        out->shown = event_status(e, &out->status);
        out->quotes = quotes_payload(e);
        memcpy(out->id, e->id, sizeof(out->id));
        memcpy(out->tenant, e->tenant, sizeof(out->tenant));
        memcpy(out->type, e->has_job ? e->job.type : e->hint.type, sizeof(out->type));
        return true;
}

/* Cut between characters. */
static struct bytes cut(struct bytes text)
{
        size_t length = text.length;

        if (length <= TEXT_MAX)
                return text;
        for (length = TEXT_MAX; length > 0; length--) {
                if (!utf8_continues_((unsigned char)text.data[length]))
                        break;
        }
        return bytes_of(text.data, length);
}

static void put_error(const struct event *e, const struct live_tags *tags, bool masked,
                      struct buffer *out)
{
        struct bytes error = error_of(e);

        if (error.length == 0)
                return;
        if (masked && tags->quotes) {
                json_put_null(out, "error");
                json_put_int(out, "masked", 1);
        } else {
                json_put_text(out, "error", cut(error));
        }
        if (e->job.error_kind != ERROR_KIND_NONE)
                json_put_string(out, "error_kind", error_kind_word(e->job.error_kind));
}

static void put_job(const struct event *e, struct buffer *out)
{
        int64_t priority = e->has_job ? (int64_t)e->job.priority : e->hint.priority;
        msec run_at = e->has_job ? e->job.run_at : e->hint.run_at;
        bool waits = e->kind == EVENT_SUBMITTED || e->kind == EVENT_DUE || e->kind == EVENT_FAILED;

        if (priority >= 0 && (e->has_job || e->hint.type[0] != '\0'))
                json_put_string(out, "priority", priority_name((enum priority)priority));
        if (waits && run_at > 0)
                json_put_time(out, "run_at", run_at);
}

static void put_course(const struct event *e, struct buffer *out)
{
        if (e->worker.length > 0)
                json_put_text(out, "worker", e->worker);
        if (e->kind == EVENT_COMPLETED)
                json_put_int(out, "ms", e->ms);
        if (e->kind == EVENT_PROGRESS) {
                json_put_real(out, "progress", e->progress);
                if (e->message.length > 0)
                        json_put_text(out, "message", cut(e->message));
        }
        if (e->reason != REASON_NONE)
                json_put_string(out, "reason", reason_word(e->reason));
        if (e->by.length > 0)
                json_put_text(out, "by", e->by);
}

static void put_order(const struct event *e, struct buffer *out)
{
        const struct fold_key key = fold_key_of(e);
        int64_t numbers[FOLD_KEY_NUMBERS];

        fold_key_numbers(&key, numbers);
        json_begin_array(out, "order");
        for (size_t i = 0; i < FOLD_KEY_NUMBERS; i++)
                json_put_int(out, NULL, numbers[i]);
        json_end_array(out);
}

void live_event_write(const struct event *e, const struct live_tags *tags, msec now, bool masked,
                      struct buffer *out)
{
        json_begin_object(out, NULL);
        json_put_string(out, "kind", live_kind_name(tags->kind));
        json_put_string(out, "id", tags->id);
        json_put_string(out, "tenant", tags->tenant);
        json_put_text_or_null(out, "type", bytes_of_text(tags->type));
        json_put_string(out, "status", tags->shown ? status_name(tags->status) : NULL);
        json_put_time(out, "at", e->at > 0 ? e->at : now);
        json_put_int(out, "run", e->run);
        if (e->attempt > 0)
                json_put_int(out, "attempt", e->attempt);
        if (e->copy > 0)
                json_put_int(out, "copy", e->copy);
        put_job(e, out);
        put_course(e, out);
        put_error(e, tags, masked, out);
        put_order(e, out);
        json_end(out);
}
