/* SPDX-License-Identifier: Apache-2.0
 *
 * links.c: the consumer's links but that of `control`: creates them, and acts when a connection is
 * made or lost.
 */
#include "consumer/links.h"

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "consumer/accept.h"
#include "consumer/finish.h"
#include "consumer/heartbeat.h"
#include "consumer/start.h"

static void on_consume_up(void *owner)
{
        struct consumer *c = owner;

        c->ups++;
        c->reconnected_at = clock_mono();
        LOG_INFO("connected", log_text("link", "consume"));
}

/* The broker redelivers all unacked jobs, here or to another consumer. Attempts that have not
 * started are dropped. Running ones go on, unless their type says stop_on_link_loss; a redelivery
 * that comes here joins its running attempt. */
static void on_consume_down(void *owner, const struct err *why)
{
        struct consumer *c = owner;
        struct attempt *a, *after;

        LOG_WARN("disconnected", log_text("link", "consume"), log_int("running", c->running),
                 log_err(why));
        finish_release_all(c, NULL);
        HASH_ITER (hh, c->attempts.table, a, after) {
                if (a->state != STATE_RUNNING || !a->handler->stop_on_link_loss)
                        continue;
                attempt_stop(a, STOP_LINK_LOST);
        }
}

static void on_refused(void *owner, struct subscription *s, const struct err *why)
{
        (void)owner;
        (void)s;
        LOG_WARN("a queue cannot be consumed; will retry", log_err(why));
}

static void on_publish_up(void *owner)
{
        struct consumer *c = owner;

        LOG_INFO("connected", log_text("link", "publish"));
        if (!consumer_is_draining(c))
                heartbeat_publish(c, WORKER_UP);
}

static void on_publish_down(void *owner, const struct err *why)
{
        (void)owner;
        LOG_WARN("disconnected", log_text("link", "publish"), log_err(why));
}

static void on_queues_up(void *owner)
{
        (void)owner;
        LOG_INFO("connected", log_text("link", "queues"));
}

static void on_queues_down(void *owner, const struct err *why)
{
        (void)owner;
        LOG_WARN("disconnected", log_text("link", "queues"), log_err(why));
}

static void on_slots_up(void *owner)
{
        struct consumer *c = owner;

        LOG_INFO("connected", log_text("link", "slots"));
        slots_up(c->slots);
        type_slots_up(c->type_slots);
}

/* The fresh token that a run waits for, having returned its own, comes over the channels that are
 * left. */
static bool has_lost_slot(const struct consumer *c, const struct attempt *a)
{
        if (!link_is_up(c->slots_link))
                return a->slot != NULL || a->type_slot != NULL;
        return slots_lost(a) || type_slots_lost(a);
}

/* The broker gives the slots to other consumers: all, or those of a channel that it closed. What
 * runs here without one is beyond the limit until it ends, or until it has a slot again. */
static void on_slots_down(void *owner, const struct err *why)
{
        struct consumer *c = owner;
        struct attempt *a, *after;

        LOG_WARN("disconnected", log_text("link", "slots"), log_err(why));
        slots_down(c->slots);
        type_slots_down(c->type_slots);
        type_rate_down(c->type_rate);
        HASH_ITER (hh, c->attempts.table, a, after) {
                if (a->state == STATE_RUNNING && a->handler->stop_on_link_loss &&
                    has_lost_slot(c, a))
                        attempt_stop(a, STOP_LINK_LOST);
        }
}

static void log_blocked(const char *link, bool blocked)
{
        LOG_WARN(blocked ? "the broker blocks publishes: a resource alarm"
                         : "the broker accepts publishes again",
                 log_text("link", link));
}

static void on_publish_blocked(void *owner, bool blocked)
{
        (void)owner;
        log_blocked("publish", blocked);
}

static void on_queues_blocked(void *owner, bool blocked)
{
        (void)owner;
        log_blocked("queues", blocked);
}

static const struct link_events consume_events = {
        .up = on_consume_up,
        .down = on_consume_down,
        .refused = on_refused,
};
static const struct link_events slots_events = {
        .up = on_slots_up,
        .down = on_slots_down,
        .refused = on_refused,
};
static const struct link_events publish_events = {
        .up = on_publish_up,
        .down = on_publish_down,
        .blocked = on_publish_blocked,
};
static const struct link_events queues_events = {
        .up = on_queues_up,
        .down = on_queues_down,
        .blocked = on_queues_blocked,
};

static void on_confirm_time(void *owner, double seconds)
{
        struct consumer *c = owner;

        metric_observe(c->measures.confirm, seconds);
}

/* Two links, because RabbitMQ confirms messages that a stream lost when some publishes of their
 * channel do not reach that stream (docs/facts.md). */
static int create_publishing(struct consumer *c, struct link_config config, struct err *e)
{
        AUTO_FREE char *publish = xasprintf("consumer %s publish", c->worker);
        AUTO_FREE char *queues = xasprintf("consumer %s queues", c->worker);

        config.resend = true;
        config.name = queues;
        c->queues = link_create(&config, &queues_events, c, c->loop, e);
        if (c->queues == NULL)
                return -1;
        config.name = publish;
        config.stream = "events";
        c->publish = link_create(&config, &publish_events, c, c->loop, e);
        if (c->publish == NULL)
                return -1;
        c->outbox = outbox_create(c->publish, c->loop, on_confirm_time, c);
        c->queue_outbox = outbox_create(c->queues, c->loop, on_confirm_time, c);
        return 0;
}

static void create_type_limits(struct consumer *c)
{
        const struct type_slots_config slots = {
                .link = c->slots_link,
                .loop = c->loop,
                .chance = random_fraction,
                .answered = start_answered,
                .owner = c,
        };
        const struct type_rate_config rate = {
                .link = c->slots_link,
                .loop = c->loop,
                .chance = random_fraction,
        };

        c->type_slots = type_slots_create(&slots);
        c->type_rate = type_rate_create(&rate);
        c->ready.is_limited = start_is_limited;
        c->ready.owner = c;
}

static int create_slots(struct consumer *c, struct link_config config, struct err *e)
{
        AUTO_FREE char *name = xasprintf("consumer %s slots", c->worker);
        struct slots_config slots = {
                .loop = c->loop,
                .ready = &c->ready,
                .metric = c->measures.tenant_slots,
                .room = start_room,
                .owner = c,
        };

        config.name = name;
        c->slots_link = slots.link = link_create(&config, &slots_events, c, c->loop, e);
        if (c->slots_link == NULL)
                return -1;
        c->slots = slots_create(&slots);
        create_type_limits(c);
        return 0;
}

int links_create(struct consumer *c, const struct link_config *config, struct err *e)
{
        AUTO_FREE char *name = xasprintf("consumer %s consume", c->worker);
        struct link_config consume = *config;

        consume.name = name;
        c->consume = link_create(&consume, &consume_events, c, c->loop, e);
        if (c->consume == NULL || create_publishing(c, *config, e) != 0 ||
            create_slots(c, *config, e) != 0)
                return -1;
        c->events = events_create(c->loop, c->outbox, c->worker, finish_confirmed, c);
        c->subscriptions = subscriptions_create(c->consume, (unsigned)c->settings->concurrency,
                                                accept_delivery, c);
        return 0;
}

bool links_are_ready(struct consumer *c, struct err *why)
{
        return link_is_ready(c->consume, why) && link_is_ready(c->publish, why) &&
               link_is_ready(c->queues, why) && link_is_ready(c->slots_link, why);
}
