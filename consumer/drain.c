/* SPDX-License-Identifier: Apache-2.0
 *
 * drain.c: the end in order: nothing new, what runs may end, then it is stopped and given back,
 * then the broker is told that this worker has gone, then the links close.
 */
#include "consumer/core.h"

#include "common/base/log.h"

enum {
        LOOK_EVERY = 20,             /* ms */
        LINK_DRAIN = 5000,           /* ms for each link to settle what is written */
        SILENCE = 2 * WORKER_PERIOD, /* ms between two records that may have looked like its end */
        LATE_AFTER = 15000,          /* ms after everything should have ended, graces included */
};

/* It was stopped or cut off for so long that others may take it for lost, and what it runs with it:
 * it tells that all that goes on. */
static void tell_resumed(struct consumer *c)
{
        LOG_INFO("nothing could be told for a while; what runs is told again",
                 log_int("running", atomic_load(&c->running)));
        for (struct attempt *a = c->attempts; a != NULL; a = a->hh.next) {
                struct event e;
                if (!attempt_is_running(a))
                        continue;
                attempt_event(a, EVENT_RESUMED, clock_wall(), &e);
                e.worker = bytes_of_text(c->worker);
                events_add(c->events, &e, NULL);
        }
}

void drain_write_worker(struct consumer *c, enum worker_state state)
{
        AUTO_BUFFER line = {0};
        msec now = clock_mono();
        const struct worker_view view = {
                .worker = c->worker,
                .state = state,
                .at = clock_wall(),
                .started = c->started_at,
                .concurrency = (unsigned)c->settings->concurrency,
                .attempts = c->attempts,
                .handlers = c->handlers,
        };

        if (!link_is_up(c->publish))
                return;
        worker_write(&view, &line);
        const struct event e = {.kind = EVENT_WORKER, .raw = buffer_bytes(&line)};
        events_add(c->events, &e, NULL);
        if (c->recorded_at != 0 && now - c->recorded_at >= SILENCE)
                tell_resumed(c);
        c->recorded_at = now;
}

static void on_consume_drained(void *owner, bool clean)
{
        struct consumer *c = owner;

        LOG_INFO("drained", log_bool("clean", clean && c->attempts == NULL));
        service_end(c->service, 0);
}

static void on_publish_drained(void *owner, bool clean)
{
        struct consumer *c = owner;

        if (!clean)
                LOG_WARN("what was published last was not confirmed in time");
        link_drain(c->consume, LINK_DRAIN, on_consume_drained, c);
}

static void close_links(struct consumer *c)
{
        c->phase = DRAIN_LINKS;
        alarm_stop(c->drain_alarm);
        link_drain(c->publish, LINK_DRAIN, on_publish_drained, c);
}

static void stop_running(struct consumer *c)
{
        struct attempt *a, *after;

        c->phase = DRAIN_STOPPING;
        HASH_ITER (hh, c->attempts, a, after) {
                if (a->state != STATE_RUNNING)
                        continue;
                attempt_move(a, STATE_STOPPING);
                if (a->handler->grace > c->grace)
                        c->grace = a->handler->grace;
                run_stop(a->run, a->handler->grace);
        }
}

static bool is_late(const struct consumer *c, msec now)
{
        return now > c->drain_until + c->grace + LATE_AFTER;
}

void drain_step(struct consumer *c)
{
        msec now = clock_mono();

        switch (c->phase) {
        case DRAIN_NONE:
        case DRAIN_LINKS:
                return;
        case DRAIN_FINISHING:
                if (c->running > 0 && now >= c->drain_until)
                        stop_running(c);
                break;
        case DRAIN_STOPPING:
        case DRAIN_GONE:
                break;
        }
        if (is_late(c, now)) {
                LOG_WARN("not everything could be ended and told in time",
                         log_int("attempts", atomic_load(&c->held)));
                close_links(c);
                return;
        }
        if (c->attempts != NULL || events_are_pending(c->events))
                return;
        if (c->phase == DRAIN_GONE) {
                close_links(c);
                return;
        }
        c->phase = DRAIN_GONE;
        drain_write_worker(c, WORKER_GONE);
}

void drain_on_alarm(void *owner)
{
        drain_step(owner);
}

void consumer_drain(struct consumer *c)
{
        if (c->draining)
                return;
        LOG_INFO("draining", log_int("running", atomic_load(&c->running)));
        c->draining = true;
        atomic_store(&c->is_draining, true);
        c->phase = DRAIN_FINISHING;
        c->drain_until = clock_mono() + c->settings->drain;
        subscriptions_close(c->subscriptions);
        intake_give_back(c, NULL);
        drain_write_worker(c, WORKER_DRAINING);
        alarm_set_every(c->drain_alarm, LOOK_EVERY);
}
