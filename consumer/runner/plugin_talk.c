/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_talk.c: what is said to a plugin host, and what its words do to its state.
 */
#include "consumer/runner/plugin_talk.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/model/event.h"
#include "consumer/include/warren/handler.h"
#include "consumer/runner/text.h"

static void write_more(uv_poll_t *poll, int status, int events)
{
        struct plugin_host *h = poll->data;
        ssize_t sent = write(h->telling.fd, h->out.data, h->out.length);

        (void)status;
        (void)events;
        if (sent > 0)
                buffer_drop(&h->out, (size_t)sent);
        if (h->out.length == 0 || (sent < 0 && errno != EAGAIN && errno != EINTR)) {
                buffer_fini(&h->out);
                watched_stop(&h->telling);
        }
}

static void keep_unsent(struct plugin_host *h, const struct iovec *v, size_t count, size_t sent)
{
        for (size_t i = 0; i < count; i++) {
                size_t skip = sent < v[i].iov_len ? sent : v[i].iov_len;
                buffer_add(&h->out, (const char *)v[i].iov_base + skip, v[i].iov_len - skip);
                sent -= skip;
        }
        if (h->out.length > 0)
                watched_start(&h->telling, UV_WRITABLE, write_more);
}

int talk_send(struct plugin_host *h, enum wire_kind kind, const struct bytes parts[TALK_PARTS_MAX],
              struct err *e)
{
        struct wire_header header = {.kind = (uint32_t)kind};
        struct iovec vector[1 + TALK_PARTS_MAX] = {{&header, sizeof(header)}};
        size_t total = 0;

        for (size_t i = 0; i < TALK_PARTS_MAX; i++) {
                vector[1 + i] = (struct iovec){(void *)parts[i].data, parts[i].length};
                total += parts[i].length;
        }
        if (total > WIRE_REQUEST_MAX)
                return err_set(e, ERR_TOO_LARGE, "%zu bytes are too many for a plugin host", total);
        header.length = (uint32_t)total;

        ssize_t sent = 0;
        if (h->out.length == 0)
                sent = writev(h->telling.fd, vector, 1 + TALK_PARTS_MAX);
        if (sent < 0 && errno != EAGAIN)
                return err_set_errno(e, "plugin %s: cannot write to its host", h->spec.plugin);
        keep_unsent(h, vector, 1 + TALK_PARTS_MAX, sent > 0 ? (size_t)sent : 0);
        return 0;
}

/* The texts of a job frame, one after the other, each with its NUL. */
static size_t put_text(char *at, const char *text)
{
        size_t size = strlen(text) + 1;

        memcpy(at, text, size);
        return size;
}

int talk_send_job(struct plugin_host *h, const struct run_request *q, struct err *e)
{
        const struct job *job = q->job;
        const struct wire_job head = {
                .sequence = h->sequence,
                .redelivered = q->redelivered,
                .run = job->run,
                .attempt = job->attempt + 1,
                .max_retries = job->max_retries,
                .deadline_ms = clock_wall() + q->timeout,
                .payload_length = job->payload.length,
        };
        char texts[HANDLER_NAME_SIZE + UUID_SIZE + TENANT_SIZE + JOB_TYPE_SIZE +
                   JOB_TRACEPARENT_SIZE];
        size_t length = put_text(texts, q->handler->plugin_handler);

        length += put_text(texts + length, job->id);
        length += put_text(texts + length, job->tenant);
        length += put_text(texts + length, job->type);
        length += put_text(texts + length, job->traceparent);

        const struct bytes parts[TALK_PARTS_MAX] = {
                bytes_of(&head, sizeof(head)),
                bytes_of(texts, length),
                job->payload,
        };
        return talk_send(h, WIRE_JOB, parts, e);
}

static void breaks_protocol(struct plugin_host *h, const char *what)
{
        struct err why = {0};

        err_set(&why, ERR_PROTOCOL, "plugin %s: its host broke the protocol: %s", h->spec.plugin,
                what);
        host_kill(h, &why);
}

static void hear_ready(struct plugin_host *h, struct bytes body)
{
        if (h->state == HOST_LEAVING)
                return;
        if (h->state != HOST_STARTING || (body.length > 0 && body.data[body.length - 1] != '\0')) {
                breaks_protocol(h, "ready");
                return;
        }
        uv_timer_stop(&h->timer);
        h->state = HOST_IDLE;
        h->spec.on->ready(h->spec.owner, h, body);
}

static void hear_failed(struct plugin_host *h, struct bytes body)
{
        AUTO_BUFFER text = {0};

        if (h->state != HOST_STARTING && h->state != HOST_LEAVING) {
                breaks_protocol(h, "failed");
                return;
        }
        text_repair(text_trim(body), ERR_TEXT_SIZE / 2, &text);
        err_set(&h->fault, ERR_INVALID, "plugin %s: %s", h->spec.plugin,
                text.length > 0 ? text.data : "no reason given");
        host_kill(h, NULL);
}

/* A copy of what the host has written last; false when it is writing now. */
static bool copy_latest(struct wire_latest *from, struct wire_latest *out, uint32_t *version)
{
        *version = atomic_load_explicit(&from->version, memory_order_acquire);
        out->sequence = from->sequence;
        out->done = from->done;
        uint32_t length = atomic_load_explicit(&from->length, memory_order_relaxed);
        out->length = length < sizeof(out->text) ? length : sizeof(out->text);
        memcpy(out->text, from->text, out->length);
        atomic_thread_fence(memory_order_acquire);
        return *version % 2 == 0 &&
               *version == atomic_load_explicit(&from->version, memory_order_relaxed);
}

static void tell_latest(struct plugin_host *h, const struct wire_latest *latest, uint32_t version)
{
        struct run *run = &h->run;
        AUTO_BUFFER text = {0};

        if (version == h->latest_heard)
                return;
        h->latest_heard = version;
        if (latest->sequence != h->sequence || !isfinite(latest->done) || run->on->progress == NULL)
                return;
        text_repair(bytes_of(latest->text, latest->length), WIRE_TEXT_MAX, &text);
        double done = latest->done < 0 ? 0 : latest->done > 1 ? 1 : latest->done;
        run->on->progress(run->owner, done,
                          text.length > 0 ? buffer_bytes(&text) : bytes_of(NULL, 0));
}

void talk_look_last(struct plugin_host *h)
{
        struct wire_latest latest;
        uint32_t version;

        if (copy_latest(&h->page->latest, &latest, &version))
                tell_latest(h, &latest, version);
}

/* In this order: what is being written meanwhile, or later, is told of. */
void talk_look(struct plugin_host *h)
{
        if (h->state != HOST_BUSY)
                return;
        atomic_store(&h->page->told, 0);
        talk_look_last(h);
}

static void hear_progress(struct plugin_host *h, struct bytes body)
{
        struct wire_progress head;
        struct wire_latest latest;
        uint32_t version;

        if (body.length != sizeof(head)) {
                breaks_protocol(h, "progress");
                return;
        }
        memcpy(&head, body.data, sizeof(head));
        if (head.sequence != h->sequence || h->state != HOST_BUSY)
                return;
        if (copy_latest(&h->page->latest, &latest, &version))
                tell_latest(h, &latest, version);
        else
                talk_look(h);
}

static enum log_level level_of(uint32_t level)
{
        switch (level) {
        case WARREN_LOG_ERROR:
                return LOG_LEVEL_ERROR;
        case WARREN_LOG_WARN:
                return LOG_LEVEL_WARN;
        case WARREN_LOG_INFO:
                return LOG_LEVEL_INFO;
        }
        return LOG_LEVEL_DEBUG;
}

static void hear_log(struct plugin_host *h, struct bytes body)
{
        struct wire_log head;

        if (body.length < sizeof(head)) {
                breaks_protocol(h, "log");
                return;
        }
        memcpy(&head, body.data, sizeof(head));
        if (h->state != HOST_BUSY || head.sequence != h->sequence)
                return;
        LOG_AT(level_of(head.level), "a handler says", log_text("plugin", h->spec.plugin),
               log_text("type", h->run.handler->type),
               log_bytes("text", bytes_of(body.data + sizeof(head), body.length - sizeof(head))));
}

/* What the handler returned, before what we did to it is considered. */
static void outcome_of(struct plugin_host *h, const struct wire_end *head, struct bytes error,
                       struct run_end *out)
{
        enum error_kind kind = head->memory_refused ? ERROR_KIND_MEMORY : ERROR_KIND_ERROR;

        switch (head->outcome) {
        case WARREN_DONE:
                out->outcome = OUTCOME_DONE;
                return;
        case WARREN_STOPPED:
                if (h->run.ending != RUN_GOES_ON) {
                        out->outcome = OUTCOME_STOPPED;
                        return;
                }
                run_fails(&h->run, out, kind,
                          bytes_of_text("it stopped though nothing asked it to"));
                return;
        case WARREN_RETRY:
        case WARREN_PERMANENT:
                run_fails(&h->run, out, kind, error);
                if (head->outcome == WARREN_PERMANENT)
                        out->outcome = OUTCOME_PERMANENT;
                return;
        }
        run_fails(&h->run, out, kind, bytes_of_text("it returned what is no outcome"));
}

/* The handler ended by itself: after a timeout only what is final counts. */
static void judge(struct plugin_host *h, const struct wire_end *head, struct bytes error,
                  struct bytes result, struct run_end *out)
{
        outcome_of(h, head, error, out);
        if (h->run.ending == RUN_TIMED_OUT &&
            (out->outcome == OUTCOME_RETRY || out->outcome == OUTCOME_STOPPED))
                run_fails_by_timeout(&h->run, out, error);
        if (out->outcome == OUTCOME_RETRY && head->retry_after > 0)
                out->retry_after =
                        head->retry_after < RETRY_AFTER_MAX ? head->retry_after : RETRY_AFTER_MAX;
        if (out->outcome != OUTCOME_DONE || result.length == 0)
                return;

        /* From a process that a plugin may have corrupted: judged again. */
        struct buffer *text = &h->run.runner->text;
        buffer_clear(text);
        if (text_to_result(result, result.length, EVENT_RESULT_MAX, text))
                out->result = buffer_bytes(text);
}

static void hear_end(struct plugin_host *h, struct bytes body)
{
        struct wire_end head;
        struct run_end end = {0};

        if (body.length < sizeof(head)) {
                breaks_protocol(h, "end");
                return;
        }
        memcpy(&head, body.data, sizeof(head));
        if (h->state != HOST_BUSY || head.sequence != h->sequence ||
            (uint64_t)head.error_length + head.result_length != body.length - sizeof(head)) {
                breaks_protocol(h, "end");
                return;
        }

        const char *texts = body.data + sizeof(head);
        struct bytes error = bytes_of(texts, head.error_length);
        struct bytes result = bytes_of(texts + head.error_length, head.result_length);
        talk_look_last(h);
        judge(h, &head, error, result, &end);
        uv_timer_stop(&h->timer);
        h->state = HOST_IDLE;
        h->served++;
        if (head.memory_refused)
                host_leave(h);
        else
                h->spec.on->idle(h->spec.owner, h);
        run_finish(&h->run, &end);
}

static void hear_frame(struct plugin_host *h, uint32_t kind, struct bytes body)
{
        switch (kind) {
        case WIRE_READY:
                hear_ready(h, body);
                return;
        case WIRE_FAILED:
                hear_failed(h, body);
                return;
        case WIRE_PROGRESS:
                hear_progress(h, body);
                return;
        case WIRE_LOG:
                hear_log(h, body);
                return;
        case WIRE_END:
                hear_end(h, body);
                return;
        }
        breaks_protocol(h, "a frame of no known kind");
}

/* Hears the whole frames in text; how many bytes those were. */
static size_t hear_frames(struct plugin_host *h, struct bytes text)
{
        struct wire_header header;
        size_t used = 0;

        while (!h->end_is_near && text.length - used >= sizeof(header)) {
                memcpy(&header, text.data + used, sizeof(header));
                if (header.length > WIRE_REPLY_MAX) {
                        breaks_protocol(h, "a frame too long");
                        break;
                }
                if (text.length - used - sizeof(header) < header.length)
                        break;
                used += sizeof(header) + header.length;
                hear_frame(h, header.kind,
                           bytes_of(text.data + used - header.length, header.length));
        }
        return used;
}

/* Frames that came whole are heard where they were read. */
static void hear(struct plugin_host *h, struct bytes text)
{
        if (h->in.length == 0) {
                size_t used = hear_frames(h, text);
                buffer_add(&h->in, text.data + used, text.length - used);
                return;
        }
        buffer_add(&h->in, text.data, text.length);
        buffer_drop(&h->in, hear_frames(h, buffer_bytes(&h->in)));
}

/* False when there is nothing more to hear now. */
static bool hear_once(struct plugin_host *h)
{
        struct runner *r = h->spec.runner;

        if (h->end_is_near)
                return false;
        ssize_t got = read(h->hearing.fd, r->scratch, sizeof(r->scratch));
        if (got > 0) {
                hear(h, bytes_of(r->scratch, (size_t)got));
                return true;
        }
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
                return false;
        /* Its end of the pipe is closed, so it is dying, or made itself useless. */
        watched_stop(&h->hearing);
        if (h->state != HOST_LEAVING)
                host_kill(h, NULL);
        return false;
}

void talk_hear_all(struct plugin_host *h)
{
        while (hear_once(h))
                continue;
}

/* One read a turn: a level-triggered poll comes back when there is more. */
void talk_on_readable(uv_poll_t *poll, int status, int events)
{
        (void)status;
        (void)events;
        hear_once(poll->data);
}
