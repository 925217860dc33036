/* SPDX-License-Identifier: Apache-2.0
 *
 * consumer.c: warren-consumer: takes jobs from every tenant's queues, runs them, publishes each
 * outcome, and acknowledges a job only once its outcome is confirmed. This file creates the parts,
 * and handles events of the links, the control stream and the clock.
 */
#include <libgen.h>
#include <limits.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/base/turn.h"
#include "consumer/accept.h"
#include "consumer/cancel.h"
#include "consumer/core.h"
#include "consumer/elsewhere.h"
#include "consumer/expiry.h"
#include "consumer/finish.h"
#include "consumer/flow.h"
#include "consumer/heartbeat.h"
#include "consumer/hops.h"
#include "consumer/links.h"
#include "consumer/runner/shortage.h"
#include "consumer/scheduler.h"
#include "consumer/start.h"
#include "consumer/stop.h"
#include "consumer/type_limits.h"

enum {
        TICK = 250, /* ms */
        TICKS_PER_RECORD = WORKER_PERIOD / TICK,
        TICKS_PER_COUNT = 4,
        FINISHED_MAX = 16384, /* attempts remembered */
};

static void on_tenant(void *owner, const struct tenant_record *r)
{
        struct consumer *c = owner;
        struct tenant *t = subscriptions_tenant(c->subscriptions, r);

        if (t != NULL)
                slots_tenant(c->slots, t, r);
        if (t != NULL && !t->wanted)
                finish_release_all(c, t);
}

static void on_pause(void *owner, const struct pause_record *p)
{
        (void)p;
        accept_review(owner);
}

static void on_type(void *owner, const struct type_record *r)
{
        struct consumer *c = owner;

        LOG_DEBUG("a type's limits", log_text("type", r->name),
                  log_int("max_running", r->max_running),
                  log_int("slots_version", r->slots_version), log_int("rate", r->rate_count),
                  log_int("rate_version", r->rate_version));
        type_slots_record(c->type_slots, r);
        type_rate_record(c->type_rate, r);
}

/* At the start no job is taken before tenants, pauses and marks are known. */
static void take_jobs(void *owner)
{
        struct consumer *c = owner;

        if (c->takes_jobs || consumer_is_draining(c) || !control_is_ready(c->control) ||
            marks_follow_is_blind(c->marks_follow))
                return;
        c->takes_jobs = true;
        subscriptions_open(c->subscriptions);
}

static void on_marks(void *owner)
{
        cancel_by_marks(owner);
}

static const struct control_events control_events = {
        .tenant = on_tenant,
        .pause = on_pause,
        .type = on_type,
        .ready = take_jobs,
};

/* Once at the end of each turn of the loop: acts on everything that happened in it. */
static void on_turn(void *owner)
{
        struct consumer *c = owner;

        marks_follow_turn(c->marks_follow, c->recorded_at);
        if (!consumer_is_draining(c))
                flow_turn(c);
        start_ready(c);
        if (consumer_is_draining(c))
                stop_step(c);
}

static void on_tick(void *owner)
{
        struct consumer *c = owner;

        c->ticks++;
        slots_check(c->slots);
        type_slots_tick(c->type_slots, clock_mono());
        if (c->ticks % TICKS_PER_COUNT == 0) {
                slots_count(c->slots);
                marks_drop_old(c->marks, clock_wall());
                metric_set(c->measures.marks, (double)marks_count(c->marks));
                metric_set(c->measures.blind, marks_follow_is_blind(c->marks_follow));
        }
        if (consumer_is_draining(c)) {
                if (c->ticks % TICKS_PER_RECORD == 0 && c->phase < PHASE_GONE)
                        heartbeat_publish(c, WORKER_DRAINING);
                return;
        }
        expiry_check(c);
        type_limits_check(c);
        subscriptions_adjust(c->subscriptions, clock_mono());
        flow_check(c);
        if (c->ticks % TICKS_PER_RECORD == 0)
                heartbeat_publish(c, WORKER_UP);
}

/* On the health port's thread. */
static void on_collect(void *owner)
{
        struct consumer *c = owner;

        metric_set(c->measures.active, atomic_load(&c->running));
        metric_set(c->measures.held, atomic_load(&c->attempts.count));
        metric_set(c->measures.held_bytes, (double)atomic_load(&c->attempts.bytes));
}

/* On the health port's thread. */
static bool is_ready(void *owner, struct err *why)
{
        struct consumer *c = owner;

        if (consumer_is_draining(c))
                err_set(why, ERR_UNAVAILABLE, "draining");
        else if (links_are_ready(c, why) && !control_is_ready(c->control))
                err_set(why, ERR_UNAVAILABLE, "the tenants have not been read yet");
        else if (!err_is_set(why) && !c->takes_jobs)
                err_set(why, ERR_UNAVAILABLE, "the marks have not been read yet");
        return !err_is_set(why);
}

static int follow_marks(struct consumer *c, struct err *e)
{
        AUTO_FREE char *name = xasprintf("consumer %s marks", c->worker);
        const struct link_config link = amqp_link_config(&c->settings->amqp, name);
        const struct marks_follow_config config = {
                .link = &link,
                .marks = c->marks,
                .events = c->events,
                .worker = c->worker,
                .applied = on_marks,
                .caught_up = take_jobs,
                .owner = c,
        };

        c->marks_follow = marks_follow_create(&config, c->loop, e);
        return c->marks_follow == NULL ? -1 : 0;
}

static int connect_links(struct consumer *c, struct err *e)
{
        AUTO_FREE char *control = xasprintf("consumer %s control", c->worker);
        const struct link_config config = amqp_link_config(&c->settings->amqp, control);

        if (links_create(c, &config, e) != 0)
                return -1;
        c->control = control_create(&config, &control_events, c, c->loop, e);
        return c->control == NULL || follow_marks(c, e) != 0 ? -1 : 0;
}

/* The path of a helper program: the setting, or else in this program's folder. Owned. */
static char *program_path(const char *set, const char *name)
{
        char self[PATH_MAX];
        ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

        if (set != NULL)
                return xstrdup(set);
        self[length < 0 ? 0 : length] = '\0';
        return xasprintf("%s/%s", dirname(self), name);
}

/* Only a warning: they may never all be needed at once, and a start without room waits. */
static void check_open_files(const struct consumer *c)
{
        struct rlimit limit = {0};
        int64_t needed = open_files_needed(c->handlers, c->settings->concurrency);

        if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && (rlim_t)needed > limit.rlim_cur)
                LOG_WARN("concurrency needs more open files than this process may have; "
                         "fewer jobs will run at once",
                         log_int("concurrency", c->settings->concurrency),
                         log_int("needed", needed), log_int("limit", (int64_t)limit.rlim_cur),
                         log_text("next", "raise the hard limit (LimitNOFILE in the unit, ulimit "
                                          "-Hn in a shell) or lower concurrency"));
}

static int start_runner(struct consumer *c, struct err *e)
{
        AUTO_FREE char *host = program_path(c->settings->host_program, "warren-plugin-host");
        AUTO_FREE char *launch = program_path(c->settings->launch_program, "warren-launch");
        const struct runner_config config = {
                .host_program = host,
                .launch_program = launch,
                .workers = (unsigned)c->settings->concurrency,
                .loop = c->loop,
                .as_started = service_process_start(c->service),
                .metrics = c->metrics,
        };

        c->handlers = handlers_load(c->settings->handlers, e);
        if (c->handlers == NULL)
                return -1;
        c->runner = runner_create(&config, e);
        if (c->runner == NULL || runner_use(c->runner, c->handlers, e) != 0)
                return -1;
        check_open_files(c);
        return 0;
}

static void start_duplicate_check(struct consumer *c)
{
        const struct duplicate_check_config config = {
                .stores = c->stores,
                .outbox = c->outbox,
                .app_id = c->worker,
                .marks_keep = c->settings->marks_keep,
                .loop = c->loop,
                .answered = start_checked,
                .owner = c,
        };

        c->duplicate_check = duplicate_check_create(&config);
        c->elsewhere = elsewhere_create(c->stores, c->loop);
}

static int listen_for_health(struct consumer *c, struct err *e)
{
        const struct health_config config = {
                .address = c->settings->basic.health_address,
                .port = (uint16_t)c->settings->basic.health_port,
                .metrics = c->metrics,
                .ready = is_ready,
                .owner = c,
        };

        c->health = health_create(&config, e);
        return c->health == NULL ? -1 : 0;
}

static int begin(void *owner, struct service *service, struct err *e)
{
        struct consumer *c = owner;
        const struct consumer_settings *s = c->settings;

        http_client_global_init();
        c->service = service;
        c->loop = service_loop(service);
        c->started_at = clock_wall();
        if (s->worker != NULL)
                snprintf(c->worker, sizeof(c->worker), "%s", s->worker);
        else
                worker_name(c->worker);
        c->metrics = metrics_create("consumer");
        measures_init(&c->measures, c->metrics);
        metric_set(c->measures.slots, (double)s->concurrency);
        metrics_on_collect(c->metrics, on_collect, c);
        c->finished = finished_create(FINISHED_MAX);
        c->type_limits = type_limits_create();
        c->marks = marks_create((size_t)s->marks_max_bytes, s->marks_keep);
        c->progress = start_progress(c);
        c->hops = hops_create(random_fraction);
        for (int why = 0; why < HOP_WHY_COUNT; why++)
                metric_increment(c->measures.hops, 0, hop_why_word((enum hop_why)why));
        c->due_soon = due_soon_create(c->loop, accept_due, c);
        c->turn = turn_create(c->loop, on_turn, c);
        c->tick = alarm_create(c->loop, on_tick, c);
        c->stop_alarm = alarm_create(c->loop, stop_step, c);
        c->gather_alarm = alarm_create(c->loop, flow_gathered, c);
        c->stores = stores_create(s->status_store_url, s->internal_token, e);
        if (c->stores == NULL || start_runner(c, e) != 0 || connect_links(c, e) != 0)
                return -1;
        start_duplicate_check(c);
        if (listen_for_health(c, e) != 0)
                return -1;
        alarm_set_every(c->tick, TICK);
        LOG_INFO("started", log_int("concurrency", s->concurrency),
                 log_int("health_port", health_port(c->health)));
        return 0;
}

/* The runner and the publishing links are gone: no run or publication refers to an attempt now. */
static void drop_attempts(struct consumer *c)
{
        struct attempt *a, *after;

        HASH_ITER (hh, c->attempts.table, a, after) {
                if (a->state == STATE_RUNNING)
                        attempt_move(a, STATE_STOPPING);
                finish_give_limits_back(c, a);
                finish_settle(c, a, SETTLE_REQUEUE);
        }
}

/* Ends at once: kills running handlers; deliveries not yet acked are redelivered by the broker. */
static void end(void *owner)
{
        struct consumer *c = owner;

        turn_destroy(&c->turn);
        c->phase = PHASE_LINKS; /* stop_step does nothing from now on */
        if (c->subscriptions != NULL)
                subscriptions_close(c->subscriptions);
        health_destroy(&c->health);
        finish_release_all(c, NULL);
        alarm_destroy(&c->tick); /* its callback publishes */
        control_destroy(&c->control);
        marks_follow_destroy(&c->marks_follow);
        runner_destroy(&c->runner);
        progress_destroy(&c->progress);
        link_destroy(&c->publish);
        link_destroy(&c->queues);
        drop_attempts(c);
        type_slots_destroy(&c->type_slots);
        type_rate_destroy(&c->type_rate);
        events_destroy(&c->events);
        outbox_destroy(&c->outbox);
        outbox_destroy(&c->queue_outbox);
        duplicate_check_destroy(&c->duplicate_check);
        elsewhere_destroy(&c->elsewhere);
        stores_destroy(&c->stores);
        scheduler_fini(&c->ready);
        slots_destroy(&c->slots);
        link_destroy(&c->slots_link);
        subscriptions_destroy(&c->subscriptions);
        link_destroy(&c->consume);
        alarm_destroy(&c->stop_alarm);
        alarm_destroy(&c->gather_alarm);
        due_soon_destroy(&c->due_soon);
        finished_destroy(&c->finished);
        type_limits_destroy(&c->type_limits);
        hops_destroy(&c->hops);
        marks_destroy(&c->marks);
        handlers_destroy(&c->handlers);
        metrics_destroy(&c->metrics);
}

static void on_stop(void *owner)
{
        stop_begin(owner);
}

/* Reads handlers.json again; when it is invalid the old handlers stay in force. */
static void on_reload(void *owner)
{
        struct consumer *c = owner;
        struct err why = {0};
        AUTO(handlers) fresh = handlers_load(c->settings->handlers, &why);

        if (fresh == NULL || runner_use(c->runner, fresh, &why) != 0) {
                LOG_ERROR("handlers.json could not be read again; the old handlers stay in force",
                          log_err(&why));
                metric_set(c->measures.stale, 1);
                return;
        }
        metric_set(c->measures.stale, 0);
        handlers_destroy(&c->handlers);
        c->handlers = TAKE(fresh);
        check_open_files(c);
        LOG_INFO("handlers were read again",
                 log_int("types", (int64_t)handlers_count(c->handlers)));
        if (!consumer_is_draining(c))
                heartbeat_publish(c, WORKER_UP); /* it names the types, for other consumers */
        accept_review(c);
}

int main(int argc, char **argv)
{
        struct consumer_settings settings = {0};
        struct consumer consumer = {.settings = &settings};
        const struct program program = {.config = &consumer_config,
                                        .settings = &settings,
                                        .basic = &settings.basic,
                                        .on = {.stop = on_stop, .reload = on_reload},
                                        .owner = &consumer,
                                        .begin = begin,
                                        .end = end};

        return program_main(&program, argc, argv);
}
