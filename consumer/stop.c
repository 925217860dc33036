/* SPDX-License-Identifier: Apache-2.0
 *
 * stop.c: the order of a drain: no new jobs; running attempts may end; those left are stopped and
 * requeued; the worker record `gone` is published; the links close.
 */
#include "consumer/stop.h"

#include "common/base/log.h"
#include "consumer/finish.h"
#include "consumer/heartbeat.h"

enum {
        STEP_EVERY = 20,    /* ms */
        LINK_DRAIN = 5000,  /* ms for the confirms, then as long for the acks */
        LATE_AFTER = 15000, /* ms after all attempts should have ended, grace included */
};

static void on_consume_drained(void *owner, bool clean)
{
        struct consumer *c = owner;

        LOG_INFO("drained", log_bool("clean", clean && c->attempts.table == NULL));
        service_end(c->service, 0);
}

static void on_slots_drained(void *owner, bool clean)
{
        struct consumer *c = owner;

        (void)clean; /* the broker takes back what was not returned */
        link_drain(c->consume, LINK_DRAIN, on_consume_drained, c);
}

static void on_publish_drained(void *owner, bool clean)
{
        struct consumer *c = owner;

        if (!clean)
                LOG_WARN("the last publishes were not confirmed in time");
        if (--c->draining_links > 0)
                return;
        link_drain(c->slots_link, LINK_DRAIN, on_slots_drained, c);
}

static void close_links(struct consumer *c)
{
        c->phase = PHASE_LINKS;
        alarm_stop(c->stop_alarm);
        c->draining_links = 2;
        link_drain(c->publish, LINK_DRAIN, on_publish_drained, c);
        link_drain(c->queues, LINK_DRAIN, on_publish_drained, c);
}

static void stop_running(struct consumer *c)
{
        struct attempt *a, *after;

        c->phase = PHASE_STOPPING;
        HASH_ITER (hh, c->attempts.table, a, after) {
                bool stops = a->state == STATE_STOPPING;
                if ((stops || a->state == STATE_RUNNING) && a->handler->grace > c->grace)
                        c->grace = a->handler->grace;
                if (a->state == STATE_RUNNING)
                        attempt_stop(a, STOP_DRAINING);
        }
}

void stop_step(void *owner)
{
        struct consumer *c = owner;
        msec now = clock_mono();

        switch (atomic_load(&c->phase)) {
        case PHASE_UP:
        case PHASE_LINKS:
                return;
        case PHASE_FINISHING:
                if (c->running > 0 && now >= c->stop_until)
                        stop_running(c);
                break;
        case PHASE_STOPPING:
        case PHASE_GONE:
                break;
        }
        if (now > c->stop_until + c->grace + LATE_AFTER) {
                LOG_WARN("draining took too long; attempts or events are left unfinished",
                         log_int("attempts", atomic_load(&c->attempts.count)));
                close_links(c);
                return;
        }
        if (c->attempts.table != NULL || events_are_pending(c->events))
                return;
        if (c->phase == PHASE_GONE) {
                close_links(c);
                return;
        }
        c->phase = PHASE_GONE;
        heartbeat_publish(c, WORKER_GONE);
}

void stop_begin(struct consumer *c)
{
        if (consumer_is_draining(c))
                return;
        LOG_INFO("draining", log_int("running", atomic_load(&c->running)));
        c->phase = PHASE_FINISHING;
        c->stop_until = clock_mono() + c->settings->drain;
        subscriptions_close(c->subscriptions);
        finish_release_all(c, NULL);
        slots_stop(c->slots);
        type_rate_stop(c->type_rate);
        heartbeat_publish(c, WORKER_DRAINING);
        alarm_set_every(c->stop_alarm, STEP_EVERY);
}
