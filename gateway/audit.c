/* SPDX-License-Identifier: Apache-2.0
 *
 * audit.c: one message on its way, and the lines that wait for the next.
 */
#include "gateway/audit.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/amqp/outbox.h"
#include "common/base/alarm.h"
#include "common/base/condition.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/event.h"

enum {
        MESSAGE_LINES = 64,
        MESSAGE_BYTES = 64 * 1024,
        BYTES_MAX = 1024 * 1024,
        ENDS_BYTES = 128 * 1024,  /* of them, kept for the ends of acts that have begun */
        NOTES_BYTES = 256 * 1024, /* beyond them, logins are not added */
};

struct audit {
        struct audit_config config;
        /* loop thread only */
        struct publication publication;
        struct outbox *outbox;
        uv_async_t wake;
        struct alarm *limit;
        audit_drained_fn *drained;
        void *drained_owner;
        struct buffer sent;  /* the message on its way; empty: none is */
        uint64_t sent_lines; /* in it */
        /* guarded by mutex */
        pthread_mutex_t mutex;
        pthread_cond_t confirmed_more;
        struct buffer waiting;
        size_t sent_bytes;
        unsigned callers;          /* of audit_begin */
        uint64_t added, confirmed; /* lines since the start: they are confirmed in their order */
        uint64_t dropped;          /* records, since lines were confirmed last */
        uint64_t skipped;          /* logins, since that was logged last */
        msec skipped_logged_at;    /* 0: never */
};

static void on_closed(uv_handle_t *handle)
{
        free(handle->data);
}

static void end_drain(struct audit *a)
{
        audit_drained_fn *drained = TAKE(a->drained);

        alarm_stop(a->limit);
        drained(a->drained_owner);
}

static void on_limit(void *owner)
{
        struct audit *a = owner;

        LOG_WARN("the event stream was not told of some administrative acts, or of their ends");
        end_drain(a);
}

/* Moves the first lines to the message. */
static void take_lines_locked(struct audit *a)
{
        size_t length = 0;

        a->sent_lines = 0;
        while (length < a->waiting.length && a->sent_lines < MESSAGE_LINES) {
                const char *from = a->waiting.data + length;
                const char *end = memchr(from, '\n', a->waiting.length - length);
                size_t line = (size_t)(end - from) + 1;
                if (length > 0 && length + line > MESSAGE_BYTES)
                        break;
                length += line;
                a->sent_lines++;
        }
        buffer_add(&a->sent, a->waiting.data, length);
        buffer_drop(&a->waiting, length);
        a->sent_bytes = length;
}

static void send_next(struct audit *a)
{
        if (a->sent.length > 0)
                return;
        pthread_mutex_lock(&a->mutex);
        if (a->waiting.length > 0)
                take_lines_locked(a);
        pthread_mutex_unlock(&a->mutex);
        if (a->sent.length > 0)
                outbox_post(a->outbox, &a->publication);
        else if (a->drained != NULL)
                end_drain(a);
}

static void on_confirmed(void *owner, struct publication *p)
{
        struct audit *a = owner;

        (void)p;
        buffer_clear(&a->sent);
        pthread_mutex_lock(&a->mutex);
        a->confirmed += a->sent_lines;
        a->sent_bytes = 0;
        uint64_t dropped = a->dropped;
        a->dropped = 0;
        pthread_cond_broadcast(&a->confirmed_more);
        pthread_mutex_unlock(&a->mutex);
        if (dropped > 0)
                LOG_WARN("records of administrative acts were dropped",
                         log_int("records", (int64_t)dropped));
        send_next(a);
}

static void encode(const struct publication *p, bool again, msec now, struct job_message *out)
{
        const struct audit *a = p->owner;
        struct message *m = &out->message;

        (void)again; /* events may be repeated */
        memset(m, 0, offsetof(struct message, headers));
        m->exchange = bytes_of_text("events");
        m->routing_key = bytes_of_text("");
        m->content_type = bytes_of_text(EVENTS_CONTENT_TYPE);
        m->app_id = bytes_of_text(a->config.app_id);
        m->timestamp = now / MSEC_SECOND;
        m->delivery_mode = 2;
        m->mandatory = true; /* without its stream the exchange would confirm and drop it */
        m->header_count = 0;
        m->properties = (struct bytes){0};
        m->body = buffer_bytes(&a->sent);
}

static void on_wake(uv_async_t *wake)
{
        send_next(wake->data);
}

struct audit *audit_create(const struct audit_config *c, uv_loop_t *loop, struct err *e)
{
        struct audit *a = xcalloc(1, sizeof(*a));
        int status = uv_async_init(loop, &a->wake, on_wake);

        if (status < 0) {
                free(a);
                err_set(e, ERR_SYSTEM, "uv_async_init: %s", uv_strerror(status));
                return NULL;
        }
        a->config = *c;
        a->wake.data = a;
        a->publication =
                (struct publication){.encode = encode, .confirmed = on_confirmed, .owner = a};
        a->outbox = outbox_create(c->link, loop, NULL, NULL);
        a->limit = alarm_create(loop, on_limit, a);
        pthread_mutex_init(&a->mutex, NULL);
        condition_init(&a->confirmed_more);
        return a;
}

void audit_destroy(struct audit **audit)
{
        struct audit *a = TAKE(*audit);

        if (a == NULL)
                return;
        outbox_destroy(&a->outbox);
        alarm_destroy(&a->limit);
        buffer_fini(&a->sent);
        buffer_fini(&a->waiting);
        pthread_cond_destroy(&a->confirmed_more);
        pthread_mutex_destroy(&a->mutex);
        uv_close((uv_handle_t *)&a->wake, on_closed);
}

/* One line, or some. Returns the last one's number. */
static uint64_t add_locked(struct audit *a, struct bytes lines)
{
        assert(lines.length > 0 && lines.length <= AUDIT_LINE_MAX);
        assert(lines.data[lines.length - 1] == '\n');
        buffer_add(&a->waiting, lines.data, lines.length);
        for (size_t i = 0; i < lines.length; i++)
                a->added += lines.data[i] == '\n';
        uv_async_send(&a->wake);
        return a->added;
}

/* False: not in time. */
static bool await_locked(struct audit *a, uint64_t number)
{
        msec deadline = clock_mono() + a->config.timeout;

        while (a->confirmed < number) {
                if (!condition_wait(&a->confirmed_more, &a->mutex, deadline))
                        return a->confirmed >= number;
        }
        return true;
}

int audit_begin(struct audit *a, struct bytes line, struct err *e)
{
        if (!link_is_ready(a->config.link, e))
                return -1;
        pthread_mutex_lock(&a->mutex);
        bool full = a->callers >= a->config.waiting_max ||
                    a->waiting.length + a->sent_bytes + line.length > BYTES_MAX - ENDS_BYTES;
        a->callers += !full;
        bool done = !full && await_locked(a, add_locked(a, line));
        a->callers -= !full;
        pthread_mutex_unlock(&a->mutex);
        if (full)
                return err_set(e, ERR_FULL, "too many administrative acts wait to be recorded");
        return done ? 0
                    : err_set(e, ERR_TIMEOUT, "the event stream does not confirm records of acts");
}

/* Adds the lines unless more than `most` bytes wait then. The first that are dropped are logged,
 * and how many once lines are confirmed again. */
static void add_within(struct audit *a, struct bytes lines, size_t most)
{
        pthread_mutex_lock(&a->mutex);
        bool fits = a->waiting.length + a->sent_bytes + lines.length <= most;
        bool logs = !fits && a->dropped++ == 0;
        if (fits)
                (void)add_locked(a, lines);
        pthread_mutex_unlock(&a->mutex);
        if (!fits)
                metric_increment(a->config.meters->audit_dropped, 1, "full");
        if (logs)
                LOG_WARN("records of administrative acts are dropped: too many wait for the event "
                         "stream");
}

/* An act that has begun has its room: as many as there are threads of the server. */
void audit_end(struct audit *a, struct bytes line)
{
        add_within(a, line, BYTES_MAX);
}

void audit_note(struct audit *a, struct bytes lines)
{
        add_within(a, lines, NOTES_BYTES);
}

void audit_skip(struct audit *a)
{
        const msec now = clock_mono();
        uint64_t skipped = 0;

        metric_increment(a->config.meters->audit_dropped, 1, "rate");
        pthread_mutex_lock(&a->mutex);
        a->skipped++;
        if (a->skipped_logged_at == 0 || now - a->skipped_logged_at >= MSEC_MINUTE) {
                skipped = a->skipped;
                a->skipped = 0;
                a->skipped_logged_at = now;
        }
        pthread_mutex_unlock(&a->mutex);
        if (skipped > 0)
                LOG_WARN("logins are not recorded: too many come at once",
                         log_int("logins", (int64_t)skipped));
}

void audit_drain(struct audit *a, msec limit, audit_drained_fn *done, void *owner)
{
        a->drained = done;
        a->drained_owner = owner;
        alarm_set(a->limit, limit);
        send_next(a);
}
