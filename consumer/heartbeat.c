/* SPDX-License-Identifier: Apache-2.0
 *
 * heartbeat.c: publishes the worker's record, and repeats what runs after a long silence.
 */
#include "consumer/heartbeat.h"

#include <stdio.h>
#include <unistd.h>

#include "common/base/json_write.h"
#include "common/base/log.h"

enum {
        /* ms between two records after which others may take this worker for dead */
        SILENCE = 2 * WORKER_PERIOD,
        RUNNING_MAX = 256, /* attempts named in a record */
        TYPES_MAX = 1024,  /* types named in a record */
};

void worker_name(char out[WORKER_NAME_SIZE])
{
        char host[WORKER_NAME_SIZE] = "";

        if (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0')
                snprintf(host, sizeof(host), "localhost");
        snprintf(out, WORKER_NAME_SIZE, "%.100s/%d", host, (int)getpid());
}

/* The time limit of the attempt: its job's, else its type's. 0: none, or unknown. */
static msec timeout_of(const struct consumer *c, const struct attempt *a)
{
        const struct handler *h = handlers_find(c->handlers, a->job.type);

        if (a->job.timeout > 0)
                return a->job.timeout;
        return h != NULL ? h->timeout : 0;
}

static void write_attempt(const struct consumer *c, const struct attempt *a, struct buffer *out)
{
        json_begin_object(out, NULL);
        json_put_string(out, "id", a->job.id);
        json_put_string(out, "tenant", a->job.tenant);
        json_put_string(out, "type", a->job.type);
        json_put_int(out, "attempt", a->number);
        json_put_int(out, "priority", a->job.priority);
        json_put_int(out, "since", a->started_at);
        json_put_int(out, "timeout", timeout_of(c, a));
        json_end(out);
}

/* And how many they are, and how many jobs are held here that have not started. */
static void write_running(const struct consumer *c, struct buffer *out)
{
        unsigned running = 0;
        unsigned waiting = 0;

        json_begin_array(out, "running");
        for (const struct attempt *a = c->attempts.table; a != NULL; a = a->hh.next) {
                if (a->state < STATE_RUNNING)
                        waiting++;
                else if (attempt_is_running(a) && ++running <= RUNNING_MAX)
                        write_attempt(c, a, out);
        }
        json_end_array(out);
        json_put_int(out, "busy", running);
        json_put_int(out, "waiting", waiting);
}

static void write_types(const struct consumer *c, struct buffer *out)
{
        const struct handler *h = handlers_first(c->handlers);

        json_begin_array(out, "types");
        for (unsigned count = 0; h != NULL && count < TYPES_MAX; count++, h = h->hh.next)
                json_put_string(out, NULL, h->type);
        json_end_array(out);
        json_put_flag(out, "all_types", h == NULL);
}

/* Of the types that have a running limit in this consumer. */
static void write_limits(const struct consumer *c, struct buffer *out)
{
        const struct handler *h = handlers_first(c->handlers);

        json_begin_object(out, "limits");
        for (unsigned count = 0; h != NULL && count < TYPES_MAX; count++, h = h->hh.next)
                if (h->concurrency > 0)
                        json_put_int(out, h->type, h->concurrency);
        json_end(out);
}

/* One line of JSON, without the newline. */
static void write_record(const struct consumer *c, enum worker_state state, struct buffer *out)
{
        static const char *const words[] = {
                [WORKER_UP] = "up",
                [WORKER_DRAINING] = "draining",
                [WORKER_GONE] = "gone",
        };

        json_begin(out);
        json_put_string(out, "event", "worker");
        json_put_string(out, "worker", c->worker);
        json_put_int(out, "at", clock_wall());
        json_put_int(out, "started", c->started_at);
        json_put_string(out, "version", WARREN_VERSION);
        json_put_int(out, "concurrency", c->settings->concurrency);
        json_put_string(out, "state", words[state]);
        write_running(c, out);
        write_types(c, out);
        write_limits(c, out);
        json_put_flag(out, "marks", true); /* it tells by `seen` how far it has read them */
        json_put_int(out, "no_handler_wait", c->settings->no_handler_wait);
        json_end(out);
}

/* The process was suspended or cut off: others may take this worker and its attempts for lost.
 * Publishes `resumed` for each attempt that still runs. */
static void publish_resumed(struct consumer *c)
{
        LOG_INFO("no record was published for a while; running attempts are published again",
                 log_int("running", atomic_load(&c->running)));
        for (struct attempt *a = c->attempts.table; a != NULL; a = a->hh.next) {
                struct event e;
                if (!attempt_is_running(a))
                        continue;
                attempt_event(a, EVENT_RESUMED, clock_wall(), &e);
                e.worker = bytes_of_text(c->worker);
                events_add(c->events, &e, NULL);
        }
}

void heartbeat_publish(struct consumer *c, enum worker_state state)
{
        AUTO_BUFFER line = {0};
        msec now = clock_mono();

        if (!link_is_up(c->publish))
                return;
        write_record(c, state, &line);
        const struct event e = {.kind = EVENT_WORKER, .raw = buffer_bytes(&line)};
        events_add(c->events, &e, NULL);
        if (c->recorded_at != 0 && now - c->recorded_at >= SILENCE)
                publish_resumed(c);
        c->recorded_at = now;
}
