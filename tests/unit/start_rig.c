/* SPDX-License-Identifier: Apache-2.0
 *
 * start_rig.c: a consumer whose links, token queues, duplicate check and runner are replaced.
 */
#include "tests/unit/start_rig.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/clients/control.h"
#include "consumer/heartbeat.h"
#include "consumer/hops.h"
#include "consumer/links.h"
#include "consumer/type_limits.h"

#define ID "01902f5e-7b1a-7000-8000-000000000001"

struct start_rig f;

const struct handler old_handler = {.type = "mail"};
const struct tenant_record acme = {
        .name = "acme", .weight = 1, .max_running = 1, .slots_version = 1};
static const struct consumer_settings settings = {
        .concurrency = 2, .held_max = 1 << 20, .payload_max = 1 << 16, .marks_keep = 2 * MSEC_DAY};

struct link *__wrap_link_create(const struct link_config *config, const struct link_events *on,
                                void *owner, uv_loop_t *loop, struct err *e);
bool __wrap_link_is_up(const struct link *l);
void __wrap_run_stop(struct run *run, msec grace);
void __wrap_link_settle(struct delivery **d, enum settle how);
bool __wrap_delivery_is_live(const struct delivery *d);
void __wrap_outbox_post(struct outbox *o, struct publication *p);
enum pause __wrap_control_pause(struct control *c, const char *tenant, const char *type,
                                struct pause_record *out);
const struct handler *__wrap_handlers_find(const struct handlers *h, const char *type);
struct handlers *__wrap_handlers_ref(struct handlers *h);
bool __wrap_runner_has_room(const struct runner *r, const struct handler *h);
unsigned __wrap_runner_room(const struct runner *r, const struct handler *h);
struct run *__wrap_runner_start(struct runner *r, const struct run_request *q,
                                const struct run_events *on, void *owner, struct err *e);
void __wrap_heartbeat_publish(struct consumer *c, enum worker_state state);
void __wrap_duplicate_check_ask(struct duplicate_check *d, struct attempt *a);
void __wrap_duplicate_check_withdraw(struct duplicate_check *d, struct attempt *a);
enum duplicate_state __wrap_duplicate_check_last(const struct duplicate_check *d);
bool __wrap_marks_follow_is_blind(const struct marks_follow *m);
void __wrap_marks_follow_stood_still(struct marks_follow *m);

struct link *__wrap_link_create(const struct link_config *config, const struct link_events *on,
                                void *owner, uv_loop_t *loop, struct err *e)
{
        static char any;

        (void)owner;
        (void)loop;
        (void)e;
        if (strcmp(config->name, "consumer test consume") == 0)
                f.consume = on;
        if (strcmp(config->name, "consumer test slots") == 0)
                f.slots = on;
        return (struct link *)(void *)&any;
}

bool __wrap_link_is_up(const struct link *l)
{
        (void)l;
        return !f.link_is_down;
}

void __wrap_run_stop(struct run *run, msec grace)
{
        (void)run;
        (void)grace;
        f.stopped++;
}

void __wrap_link_settle(struct delivery **d, enum settle how)
{
        f.requeued += how == SETTLE_REQUEUE;
        f.acked += how == SETTLE_ACK;
        free(*d);
        *d = NULL;
}

bool __wrap_delivery_is_live(const struct delivery *d)
{
        (void)d;
        return true;
}

void __wrap_outbox_post(struct outbox *o, struct publication *p)
{
        (void)o;
        (void)p;
        f.published++;
}

enum pause __wrap_control_pause(struct control *c, const char *tenant, const char *type,
                                struct pause_record *out)
{
        (void)c;
        (void)tenant;
        (void)type;
        (void)out;
        return f.paused ? PAUSE_TYPE : PAUSE_NONE;
}

const struct handler *__wrap_handlers_find(const struct handlers *h, const char *type)
{
        (void)h;
        (void)type;
        return f.handler;
}

struct handlers *__wrap_handlers_ref(struct handlers *h)
{
        return h;
}

bool __wrap_runner_has_room(const struct runner *r, const struct handler *h)
{
        (void)r;
        (void)h;
        return !f.no_room;
}

unsigned __wrap_runner_room(const struct runner *r, const struct handler *h)
{
        if (!__wrap_runner_has_room(r, h))
                return 0;
        return f.room > 0 ? f.room : UINT_MAX;
}

struct run *__wrap_runner_start(struct runner *r, const struct run_request *q,
                                const struct run_events *on, void *owner, struct err *e)
{
        static char any;

        (void)r;
        (void)on;
        (void)owner;
        if (f.no_room) {
                err_set(e, ERR_FULL, "no room");
                return NULL;
        }
        f.ran = q->handler;
        return (struct run *)(void *)&any;
}

void __wrap_heartbeat_publish(struct consumer *c, enum worker_state state)
{
        (void)c;
        (void)state;
}

void __wrap_duplicate_check_ask(struct duplicate_check *d, struct attempt *a)
{
        static char any;

        (void)d;
        assert_null(a->question);
        a->question = (struct question *)(void *)&any;
        f.asked++;
}

void __wrap_duplicate_check_withdraw(struct duplicate_check *d, struct attempt *a)
{
        (void)d;
        assert_non_null(a->question);
        a->question = NULL;
        f.withdrawn++;
}

enum duplicate_state __wrap_duplicate_check_last(const struct duplicate_check *d)
{
        (void)d;
        return f.last;
}

bool __wrap_marks_follow_is_blind(const struct marks_follow *m)
{
        (void)m;
        return f.blind;
}

void __wrap_marks_follow_stood_still(struct marks_follow *m)
{
        (void)m;
        f.stood_still++;
}

static double half(void)
{
        return 0.5;
}

static void create_consumer(void)
{
        const struct link_config config = {.name = "none"};
        struct err e = {0};
        struct consumer *c = f.c = xcalloc(1, sizeof(*c));

        c->settings = &settings;
        c->loop = &f.loop;
        memcpy(c->worker, "test", 5);
        c->metrics = metrics_create("consumer");
        measures_init(&c->measures, c->metrics);
        c->type_limits = type_limits_create();
        c->hops = hops_create(half);
        c->marks = marks_create(1 << 20, settings.marks_keep);
        c->due_soon = due_soon_create(c->loop, accept_due, c);
        c->finished = finished_create(16);
        c->stop_alarm = alarm_create(c->loop, stop_step, c);
        assert_int_equal(links_create(c, &config, &e), 0);
}

struct attempt *add_waiting(void)
{
        static int64_t run;
        struct delivery *d = xcalloc(1, sizeof(*d));
        struct job job = {.id = ID, .tenant = "acme", .type = "mail", .run = ++run};
        struct attempt *a = attempt_create(&job, &f.tenant->queues[LANE_MEDIUM], &d, 0);

        a->consumer = f.c;
        attempts_add(&f.c->attempts, a);
        attempt_move(a, STATE_WAITING);
        a->handler = f.handler;
        ready_add(&f.c->ready, a);
        return a;
}

int prepare(void **state)
{
        const struct type_record mail = {.name = "mail",
                                         .max_running = 1,
                                         .slots_version = 1,
                                         .rate_count = RECORD_UNLIMITED};

        (void)state;
        fake_tokens_reset();
        memset(&f, 0, sizeof(f));
        uv_loop_init(&f.loop);
        f.handler = &old_handler;
        create_consumer();
        f.slots->up(f.c);
        f.tenant = subscriptions_tenant(f.c->subscriptions, &acme);
        slots_tenant(f.c->slots, f.tenant, &acme);
        type_slots_record(f.c->type_slots, &mail);
        f.job = add_waiting();
        start_ready(f.c);
        assert_true(fake_tokens_deliver(TENANT_QUEUE));
        start_ready(f.c);
        assert_int_equal(f.job->state, STATE_PICKED);
        assert_int_equal(fake_tokens_wanted(TYPE_QUEUE), 1);
        return 0;
}

int clean(void **state)
{
        struct consumer *c = f.c;
        struct attempt *a, *after;

        (void)state;
        finish_release_all(c, NULL);
        HASH_ITER (hh, c->attempts.table, a, after) {
                if (a->state == STATE_RUNNING)
                        attempt_move(a, STATE_STOPPING);
                finish_give_limits_back(c, a);
                finish_settle(c, a, SETTLE_REQUEUE);
        }
        assert_int_equal(c->picked, 0);
        type_slots_destroy(&c->type_slots);
        type_rate_destroy(&c->type_rate);
        events_destroy(&c->events);
        outbox_destroy(&c->outbox);
        outbox_destroy(&c->queue_outbox);
        scheduler_fini(&c->ready);
        slots_destroy(&c->slots);
        subscriptions_destroy(&c->subscriptions);
        alarm_destroy(&c->stop_alarm);
        type_limits_destroy(&c->type_limits);
        hops_destroy(&c->hops);
        due_soon_destroy(&c->due_soon);
        finished_destroy(&c->finished);
        marks_destroy(&c->marks);
        metrics_destroy(&c->metrics);
        free(c);
        uv_run(&f.loop, UV_RUN_DEFAULT);
        uv_loop_close(&f.loop);
        return 0;
}

void wait_in_vain(void)
{
        fake.now += TYPE_SLOT_WAIT;
        while (f.c->picked > 0)
                uv_run(&f.loop, UV_RUN_ONCE);
}

void assert_nothing_is_left(void)
{
        fake.now += MSEC_SECOND;
        type_slots_tick(f.c->type_slots, fake.now);
        start_ready(f.c);
        assert_null(f.ran);
        assert_int_equal(f.c->picked, 0);
        assert_int_equal(f.c->running, 0);
        assert_int_equal(fake_tokens_taken(), 0);
        assert_int_equal(fake_tokens_wanted(TYPE_QUEUE), 0);
        assert_int_equal(fake_tokens_wanted(TENANT_QUEUE), 0);
        assert_false(f.tenant->passed_over);
}

void lift_the_tenants_limit(void)
{
        struct tenant_record unlimited = acme;

        unlimited.max_running = RECORD_UNLIMITED;
        slots_tenant(f.c->slots, f.tenant, &unlimited);
}
