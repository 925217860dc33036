/* SPDX-License-Identifier: Apache-2.0
 *
 * event.c: reads events from the messages of stream `events`.
 */
#include "common/model/event.h"

#include <string.h>

#include "common/model/delay.h"

static uint64_t message_digest(const struct message *m)
{
        uint64_t digest = bytes_digest(1, m->exchange);

        digest = bytes_digest(digest, m->routing_key);
        digest = bytes_digest(digest, m->body);
        if (m->properties.data != NULL)
                return bytes_digest(digest, m->properties);
        digest = bytes_digest(digest, m->message_id);
        digest = bytes_digest(digest, m->type);
        for (size_t i = 0; i < m->header_count; i++) {
                const struct header *h = &m->headers[i];
                digest = bytes_digest(digest, h->name);
                digest = bytes_digest(digest, h->text);
                digest = bytes_digest(digest, bytes_of(&h->number, sizeof(h->number)));
        }
        return digest;
}

uint64_t event_content(const struct job *job)
{
        const int64_t numbers[] = {job->priority, job->timeout};
        uint64_t digest = bytes_digest(1, bytes_of_text(job->type));

        digest = bytes_digest(digest, bytes_of((const char *)numbers, sizeof(numbers)));
        digest = bytes_digest(digest, job->payload);
        return digest != 0 ? digest : 1;
}

static void copy_name(struct bytes name, char *out, size_t size)
{
        memset(out, 0, size);
        if (bytes_to_text(name, out, size) != 0)
                out[0] = '\0';
}

void event_worker(const struct event *event, char out[WORKER_NAME_SIZE])
{
        copy_name(event->worker, out, WORKER_NAME_SIZE);
}

void event_by(const struct event *event, char out[ACT_BY_SIZE])
{
        copy_name(event->by, out, ACT_BY_SIZE);
}

/* `work` and hold.* feed no stream: their messages come in packs. */
static bool is_submission(struct bytes exchange)
{
        return bytes_begin_with(exchange, "jobs.") || bytes_equal_text(exchange, "work");
}

static bool is_delay(struct bytes exchange)
{
        return bytes_begin_with(exchange, "delay.") || bytes_begin_with(exchange, "hold.");
}

static enum event_verdict judge_delayed(struct event *out)
{
        if (out->job.hop)
                return EVENT_SKIP;
        /* A copy keeps the number of attempts that were made. */
        if (out->job.attempt > 0 && out->job.moved == MOVED_NOT) {
                out->kind = EVENT_FAILED;
                out->attempt = out->job.attempt;
        } else {
                out->kind = EVENT_SUBMITTED;
        }
        out->scheduled = true;
        return EVENT_IS;
}

static enum event_verdict judge_due(struct event *out)
{
        /* Without x-due-at it did not come from a delay queue: it moves to another lane. With more
         * time left than a consumer holds it for, it goes to another bucket. */
        if (out->job.due_at == 0 || out->job.due_at + DELAY_HOLD_LONGEST < out->job.run_at)
                return EVENT_SKIP;
        out->kind = EVENT_DUE;
        return EVENT_IS;
}

/* Why the broker buried it. A stream drops x-death, the reliable header; a publisher can forge this
 * one, and then `buried` corrects it. A service's message has no expiration, but its first death
 * was in a delay queue. */
static enum reason broker_reason(const struct message *m, const struct job *job)
{
        struct bytes first = message_header_text(m, "x-first-death-reason");

        return job->from_outside && bytes_equal_text(first, "expired") ? REASON_EXPIRED
                                                                       : REASON_DELIVERY_LIMIT;
}

static enum event_verdict judge_dead(const struct message *m, struct event *out)
{
        out->kind = EVENT_DEAD;
        out->reason = out->job.reason;
        if (out->reason != REASON_NONE) {
                out->attempt = out->job.attempt;
                return EVENT_IS;
        }
        /* Buried by the broker, which does not change x-queued-at. */
        out->reason = broker_reason(m, &out->job);
        out->at = 0;
        return EVENT_IS;
}

static enum event_verdict event_of_job_message(const struct message *m,
                                               const struct job_limits *limits, struct event *out)
{
        memset(out, 0, offsetof(struct event, job));
        memset((char *)out + offsetof(struct event, worker), 0,
               sizeof(*out) - offsetof(struct event, worker));
        /* now is 0: the same stream must give the same events at any time. Only jobs from outside
         * on jobs.* have a run_at that depends on `now`, and their events do not use it. */
        if (job_decode(m, limits, 0, &out->job, NULL) != 0)
                return EVENT_MALFORMED;
        out->has_job = true;
        memcpy(out->id, out->job.id, sizeof(out->id));
        memcpy(out->tenant, out->job.tenant, sizeof(out->tenant));
        out->run = out->job.run;
        out->attempt = out->job.attempt + 1;
        out->copy = out->job.copy;
        out->at = out->job.queued_at;
        out->digest = message_digest(m);
        out->content = event_content(&out->job);
        if (is_submission(m->exchange)) {
                out->kind = EVENT_SUBMITTED;
                out->soon = !out->job.from_outside && out->job.run_at > out->job.submitted_at;
                return EVENT_IS;
        }
        if (is_delay(m->exchange))
                return judge_delayed(out);
        return bytes_equal_text(m->exchange, "due") ? judge_due(out) : judge_dead(m, out);
}

static bool carries_a_job(const struct message *m)
{
        return is_submission(m->exchange) || is_delay(m->exchange) ||
               bytes_equal_text(m->exchange, "due") || bytes_equal_text(m->exchange, "dead");
}

static void take_event(const struct event *event, enum event_verdict verdict, event_fn *on,
                       void *owner, uint64_t *skipped)
{
        switch (verdict) {
        case EVENT_IS:
                on(owner, event);
                break;
        case EVENT_SKIP:
                break;
        case EVENT_UNKNOWN:
        case EVENT_MALFORMED:
                (*skipped)++;
                break;
        }
}

static void events_of_lines(struct bytes body, event_fn *on, void *owner, uint64_t *skipped)
{
        AUTO_BUFFER scratch = {0};
        struct event event;

        while (body.length > 0) {
                const char *end = memchr(body.data, '\n', body.length);
                size_t length = end == NULL ? body.length : (size_t)(end - body.data);
                struct bytes line = bytes_of(body.data, length);
                if (length > 0) {
                        enum event_verdict verdict = event_parse(line, &scratch, &event);
                        take_event(&event, verdict, on, owner, skipped);
                        *skipped += verdict == EVENT_IS ? event.unknown : 0;
                }
                size_t used = end == NULL ? length : length + 1;
                body = bytes_of(body.data + used, body.length - used);
        }
}

void events_of_message(const struct message *m, const struct job_limits *limits, event_fn *on,
                       void *owner, uint64_t *skipped)
{
        struct event event;

        if (bytes_equal_text(m->exchange, "events")) {
                if (bytes_equal_text(m->content_type, EVENTS_CONTENT_TYPE))
                        events_of_lines(m->body, on, owner, skipped);
                else
                        (*skipped)++;
                return;
        }
        if (!carries_a_job(m)) {
                (*skipped)++;
                return;
        }
        take_event(&event, event_of_job_message(m, limits, &event), on, owner, skipped);
}
