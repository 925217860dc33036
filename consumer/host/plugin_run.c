/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_run.c: runs one job in the host: the functions a handler may call, and the answer.
 */
#include "consumer/host/plugin.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/json_scan.h"
#include "common/base/utf8.h"

enum {
        RESULT_MAX = 64 * 1024,
        LOG_BURST = 32, /* log frames sent at once; then one each LOG_EVERY */
};
#define LOG_EVERY ((msec)50)

struct call {
        struct warren_job job; /* first: call_of relies on it */
        struct wire_page *page;
        uint32_t sequence;
        struct buffer result;
        size_t error_length;
        int64_t retry_after;
        /* Log frames that may be sent now: a token bucket, filled by one each LOG_EVERY. */
        int64_t log_left;
        msec log_at;
        char error[WIRE_TEXT_MAX]; /* last: it is not cleared */
};

static struct call *call_of(const struct warren_job *job)
{
        return (struct call *)job;
}

static bool may_log(struct call *c)
{
        msec now = clock_mono();
        int64_t more = (now - c->log_at) / LOG_EVERY;

        if (more > 0) {
                c->log_left += more;
                c->log_at = now;
        }
        if (c->log_left > LOG_BURST)
                c->log_left = LOG_BURST;
        if (c->log_left == 0)
                return false;
        c->log_left--;
        return true;
}

/* At most WIRE_TEXT_MAX bytes, not cut within a character. */
static size_t cut_length(const char *text)
{
        size_t length = text == NULL ? 0 : strnlen(text, WIRE_TEXT_MAX + 1);

        if (length <= WIRE_TEXT_MAX)
                return length;
        length--;
        while (length > WIRE_TEXT_MAX - 4 && utf8_continues_((unsigned char)text[length]))
                length--;
        return length;
}

static int give_result(const struct warren_job *job, const char *json, size_t length)
{
        struct call *c = call_of(job);
        struct scan_fault fault;

        if (json == NULL || length > RESULT_MAX ||
            scan_check(bytes_of(json, length), SCAN_DEPTH_MAX, &fault) != 0)
                return -1;
        buffer_clear(&c->result);
        buffer_add(&c->result, json, length);
        return 0;
}

static void give_error(const struct warren_job *job, const char *text)
{
        struct call *c = call_of(job);

        c->error_length = cut_length(text);
        if (c->error_length > 0)
                memcpy(c->error, text, c->error_length);
}

static void give_retry_after(const struct warren_job *job, int64_t wait_ms)
{
        call_of(job)->retry_after = wait_ms > 0 ? wait_ms : 0;
}

/* Writes the latest progress to the shared page. Does not wait for the consumer to read it. */
static void give_progress(const struct warren_job *job, double done, const char *text)
{
        struct call *c = call_of(job);
        struct wire_latest *latest = &c->page->latest;
        uint32_t version = atomic_load_explicit(&latest->version, memory_order_relaxed);
        const struct wire_progress head = {.sequence = c->sequence};

        atomic_store_explicit(&latest->version, version + 1, memory_order_relaxed);
        atomic_thread_fence(memory_order_release);
        latest->sequence = c->sequence;
        latest->done = done;
        size_t length = cut_length(text);
        if (length > 0)
                memcpy(latest->text, text, length);
        atomic_store_explicit(&latest->length, (uint32_t)length, memory_order_relaxed);
        atomic_store_explicit(&latest->version, version + 2, memory_order_release);

        const struct bytes parts[PIPES_PARTS_MAX] = {bytes_of(&head, sizeof(head))};
        if (atomic_exchange(&c->page->notified, 1) == 0 &&
            pipes_write(WIRE_PROGRESS, parts, NULL) != 0)
                return;
}

static int is_cancelled(const struct warren_job *job)
{
        const struct call *c = call_of(job);

        return atomic_load_explicit(&c->page->cancelled, memory_order_relaxed) == c->sequence;
}

static void give_log(const struct warren_job *job, int level, const char *text)
{
        struct call *c = call_of(job);
        struct wire_log head = {.sequence = c->sequence, .level = (uint32_t)level};

        const struct bytes parts[PIPES_PARTS_MAX] = {
                bytes_of(&head, sizeof(head)),
                bytes_of(text, cut_length(text)),
        };

        /* A failed write is no error here: the answer's write fails too, and ends the host. */
        if (may_log(c) && pipes_write(WIRE_LOG, parts, NULL) != 0)
                return;
}

static const struct warren_host host_calls = {
        .size = sizeof(host_calls),
        .result = give_result,
        .error = give_error,
        .retry_after = give_retry_after,
        .progress = give_progress,
        .cancelled = is_cancelled,
        .log = give_log,
};

enum { JOB_TEXTS = 5 };

/* Splits a JOB frame into its texts and its payload. -1: it is malformed. */
static int split(struct bytes frame, struct wire_job *head, const char *texts[JOB_TEXTS],
                 const char **payload)
{
        if (frame.length < sizeof(*head))
                return -1;
        memcpy(head, frame.data, sizeof(*head));
        frame = bytes_of(frame.data + sizeof(*head), frame.length - sizeof(*head));
        for (size_t i = 0; i < JOB_TEXTS; i++) {
                texts[i] = plugin_take_text(&frame);
                if (texts[i] == NULL)
                        return -1;
        }
        *payload = frame.data;
        return frame.length == head->payload_length ? 0 : -1;
}

static int answer(struct call *c, int outcome, struct err *e)
{
        struct wire_end end = {
                .sequence = c->sequence,
                .outcome = outcome,
                .error_length = (uint32_t)c->error_length,
                .result_length = (uint32_t)c->result.length,
                .retry_after = c->retry_after,
        };
        const struct bytes parts[PIPES_PARTS_MAX] = {
                bytes_of(&end, sizeof(end)),
                bytes_of(c->error, c->error_length),
                buffer_bytes(&c->result),
        };

        int written = pipes_write(WIRE_END, parts, e);
        buffer_fini(&c->result);
        return written;
}

/* NULL: there is no handler of that name. */
static const struct warren_handler *find_handler(const struct plugin *p, const char *name)
{
        for (const struct warren_handler *h = p->plugin->handlers; h->name != NULL; h++) {
                if (strcmp(h->name, name) == 0)
                        return h;
        }
        return NULL;
}

static int run_handler(const struct plugin *p, struct call *c, const char *name)
{
        const struct warren_handler *handler = find_handler(p, name);
        if (handler == NULL) {
                c->error_length = (size_t)snprintf(c->error, sizeof(c->error),
                                                   "the plugin has no handler %.200s", name);
                return WARREN_RETRY;
        }

        return handler->run(&c->job, p->state);
}

int plugin_run(struct plugin *p, struct bytes frame, struct wire_page *page, struct err *e)
{
        struct wire_job head;
        const char *texts[JOB_TEXTS];
        struct call call;

        /* error[] is not cleared: only its first error_length bytes are read. */
        memset(&call, 0, offsetof(struct call, error));
        call.log_left = LOG_BURST;
        if (split(frame, &head, texts, &call.job.payload) != 0)
                return err_set(e, ERR_PROTOCOL, "a JOB frame with wrong lengths");

        call.page = page;
        call.sequence = head.sequence;
        call.job.size = sizeof(call.job);
        call.job.host = &host_calls;
        call.job.id = texts[1];
        call.job.tenant = texts[2];
        call.job.type = texts[3];
        call.job.traceparent = texts[4];
        call.job.payload_length = (size_t)head.payload_length;
        call.job.run = head.run;
        call.job.attempt = head.attempt;
        call.job.max_retries = head.max_retries;
        call.job.redelivered = head.redelivered != 0;
        call.job.deadline_ms = head.deadline_ms;
        return answer(&call, run_handler(p, &call, texts[0]), e);
}
