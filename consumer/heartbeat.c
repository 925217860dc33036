/* SPDX-License-Identifier: Apache-2.0
 *
 * heartbeat.c: publishes the worker's record, and repeats what runs after a long silence.
 */
#include "consumer/heartbeat.h"

#include "common/base/log.h"

/* ms between two records after which others may take this worker for dead */
enum { SILENCE = 2 * WORKER_PERIOD };

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
        const struct worker_view view = {
                .worker = c->worker,
                .state = state,
                .at = clock_wall(),
                .started = c->started_at,
                .concurrency = (unsigned)c->settings->concurrency,
                .attempts = c->attempts.table,
                .handlers = c->handlers,
        };

        if (!link_is_up(c->publish))
                return;
        worker_write(&view, &line);
        const struct event e = {.kind = EVENT_WORKER, .raw = buffer_bytes(&line)};
        events_add(c->events, &e, NULL);
        if (c->recorded_at != 0 && now - c->recorded_at >= SILENCE)
                publish_resumed(c);
        c->recorded_at = now;
}
