/* SPDX-License-Identifier: Apache-2.0
 *
 * slots_test.c: how many tokens a limited tenant wants, and when one is used, kept and returned. A
 * fake replaces the token queues.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "consumer/slots.h"
#include "tests/unit/fake_tokens.h"
#include "tests/unit/unit.h"

#define QUEUE "slots.acme.3"

double __wrap_random_fraction(void);
double __wrap_random_fraction(void)
{
        return 0.5;
}

static const struct handler idle_type = {.type = "idle"};
static const struct handler busy_type = {.type = "busy"};

static unsigned room(void *owner, const struct handler *h)
{
        (void)owner;
        return h == &busy_type ? 0 : UINT_MAX;
}

static bool has_room(void *owner, const struct handler *h)
{
        return room(owner, h) > 0;
}

/* One tenant in a consumer. */
struct rig {
        uv_loop_t loop;
        struct metrics *metrics;
        struct ready ready;
        struct slots *slots;
        struct tenant tenant;
};

static void limit(struct rig *r, int64_t most, int64_t version)
{
        struct tenant_record record = {.max_running = most, .slots_version = version};

        slots_tenant(r->slots, &r->tenant, &record);
}

static int prepare(void **state)
{
        const struct metric_spec spec = {.name = "slots",
                                         .help = "Slots.",
                                         .kind = METRIC_GAUGE,
                                         .labels = {"tenant", "state"}};
        struct rig *r = xcalloc(1, sizeof(*r));

        fake_tokens_reset();
        uv_loop_init(&r->loop);
        r->metrics = metrics_create("test");
        const struct slots_config config = {
                .loop = &r->loop,
                .ready = &r->ready,
                .metric = metric_add(r->metrics, &spec),
                .room = room,
        };
        r->slots = slots_create(&config);
        memcpy(r->tenant.name, "acme", 5);
        r->tenant.weight = 1;
        r->tenant.wanted = true;
        r->tenant.queues[0].tenant = &r->tenant;
        limit(r, 5, 3);
        slots_up(r->slots);
        *state = r;
        return 0;
}

static int clean_up(void **state)
{
        struct rig *r = *state;

        slots_destroy(&r->slots);
        assert_int_equal(fake_tokens_queues(), 0);
        metrics_destroy(&r->metrics);
        uv_run(&r->loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&r->loop), 0);
        scheduler_fini(&r->ready);
        free(r);
        return 0;
}

static struct attempt *add(struct rig *r, enum priority p, const struct handler *h)
{
        struct attempt *a = xcalloc(1, sizeof(*a));

        a->queue = &r->tenant.queues[0];
        a->job.priority = p;
        a->handler = h;
        ready_add(&r->ready, a);
        return a;
}

static void add_many(struct rig *r, unsigned count)
{
        while (count-- > 0)
                add(r, PRIORITY_MEDIUM, &idle_type);
}

/* The next job starts; NULL: none can. */
static struct attempt *start(struct rig *r)
{
        struct attempt *a = scheduler_pick(&r->ready, has_room, NULL);

        if (a != NULL)
                slots_started(r->slots, a);
        return a;
}

static void end(struct rig *r, struct attempt *a)
{
        slots_ended(r->slots, a);
        free(a);
}

static void drop(void *owner, struct attempt *a)
{
        ready_remove(owner, a);
        free(a);
}

static void a_token_is_wanted_for_each_job_and_free_worker(void **state)
{
        struct rig *r = *state;

        slots_settle(r->slots, 4);
        assert_int_equal(fake_tokens_wanted(QUEUE), 0);
        add_many(r, 2);
        add(r, PRIORITY_CRITICAL, &idle_type);
        add(r, PRIORITY_HIGH, &busy_type); /* has no room */
        slots_settle(r->slots, 8);
        assert_int_equal(fake_tokens_wanted_of(QUEUE, PRIORITY_CRITICAL), 1);
        assert_int_equal(fake_tokens_wanted_of(QUEUE, PRIORITY_HIGH), 0);
        assert_int_equal(fake_tokens_wanted_of(QUEUE, PRIORITY_MEDIUM), 2);
        slots_settle(r->slots, 2); /* the most urgent first */
        assert_int_equal(fake_tokens_wanted_of(QUEUE, PRIORITY_CRITICAL), 1);
        assert_int_equal(fake_tokens_wanted_of(QUEUE, PRIORITY_MEDIUM), 1);
        assert_null(start(r));
        r->tenant.wanted = false;
        slots_settle(r->slots, 2);
        assert_int_equal(fake_tokens_wanted(QUEUE), 0);
        ready_each(&r->ready, drop, &r->ready);
}

static void a_token_starts_one_job(void **state)
{
        struct rig *r = *state;

        add_many(r, 2);
        slots_settle(r->slots, 2);
        fake_tokens_bring(QUEUE);
        struct attempt *a = start(r);
        assert_non_null(a);
        assert_null(start(r));
        slots_settle(r->slots, 1);
        assert_int_equal(fake_tokens_wanted(QUEUE), 1);
        fake.now += 99;
        end(r, a); /* within its turn the token is kept for the next job */
        a = start(r);
        assert_non_null(a);
        slots_settle(r->slots, 1);
        assert_int_equal(fake_tokens_wanted(QUEUE), 0);
        assert_int_equal(fake.returned, 0);
        end(r, a); /* and goes back when no job comes */
        slots_settle(r->slots, 2);
        assert_int_equal(fake.returned, 0);
        fake.now += 10;
        slots_settle(r->slots, 2);
        assert_int_equal(fake.returned, 1);
        assert_int_equal(fake_tokens_taken(), 0);
}

static void a_turn_is_over_after_100_ms(void **state)
{
        struct rig *r = *state;

        add_many(r, 2);
        fake_tokens_bring(QUEUE);
        struct attempt *a = start(r);
        fake.now += 100;
        end(r, a);
        assert_int_equal(fake.returned, 1);
        assert_null(start(r));
        slots_settle(r->slots, 1);
        assert_int_equal(fake_tokens_wanted(QUEUE), 1);
        ready_each(&r->ready, drop, &r->ready);
}

static void a_token_waits_for_what_an_ack_may_bring(void **state)
{
        struct rig *r = *state;

        add_many(r, 1);
        fake_tokens_bring(QUEUE);
        end(r, start(r));
        r->tenant.attempts = 1; /* the job's outcome is not confirmed yet */
        fake.now += 49;
        slots_settle(r->slots, 1);
        assert_int_equal(fake.returned, 0);
        r->tenant.attempts = 0;
        slots_settle(r->slots, 1);
        assert_int_equal(fake.returned, 1);
        fake_tokens_bring(QUEUE); /* one that comes when nothing waits is not kept */
        slots_settle(r->slots, 1);
        assert_int_equal(fake.returned, 2);
}

static void turns_end_one_at_a_time(void **state)
{
        struct rig *r = *state;

        add_many(r, 6);
        fake_tokens_bring(QUEUE);
        fake_tokens_bring(QUEUE);
        struct attempt *a = start(r), *b = start(r);
        fake.now += 100;
        end(r, a);
        end(r, b);
        assert_int_equal(fake.returned, 1);
        b = start(r);
        assert_non_null(b);
        fake.now += 20;
        end(r, b);
        assert_int_equal(fake.returned, 2);
        assert_null(start(r));
        ready_each(&r->ready, drop, &r->ready);
}

static void without_a_free_worker_one_token_waits_a_moment(void **state)
{
        struct rig *r = *state;

        add_many(r, 5);
        slots_settle(r->slots, 0);
        assert_int_equal(fake_tokens_wanted(QUEUE), 0);
        r->tenant.passed_over = true; /* other tenants' jobs take the workers */
        slots_settle(r->slots, 0);
        assert_int_equal(fake_tokens_wanted(QUEUE), 1);
        fake_tokens_bring(QUEUE);
        slots_settle(r->slots, 0);
        assert_int_equal(fake_tokens_wanted(QUEUE), 0);
        assert_int_equal(fake.returned, 0);
        fake.now += 20;
        slots_settle(r->slots, 0);
        assert_int_equal(fake.returned, 1);
        r->tenant.passed_over = true;
        slots_settle(r->slots, 0);
        assert_int_equal(fake_tokens_wanted(QUEUE), 0); /* not at once again */
        fake.now += 99;
        slots_settle(r->slots, 0);
        assert_int_equal(fake_tokens_wanted(QUEUE), 0);
        slots_settle(r->slots, 1); /* but when a worker is free */
        assert_int_equal(fake_tokens_wanted(QUEUE), 1);
        fake.now += 1;
        slots_settle(r->slots, 0);
        assert_int_equal(fake_tokens_wanted(QUEUE), 1);
        ready_each(&r->ready, drop, &r->ready);
}

static void tokens_in_vain_are_asked_for_more_and_more_rarely(void **state)
{
        static const msec waits[] = {100, 200, 400, 800, 1600, 2000, 2000, 2000};
        struct rig *r = *state;

        add_many(r, 5);
        for (size_t i = 0; i < COUNT(waits); i++) {
                r->tenant.passed_over = true;
                slots_settle(r->slots, 0);
                assert_int_equal(fake_tokens_wanted(QUEUE), 1);
                fake_tokens_bring(QUEUE);
                fake.now += SLOT_WAIT;
                slots_settle(r->slots, 0); /* no worker became free: it goes back */
                assert_int_equal(fake.returned, i + 1);
                r->tenant.passed_over = true;
                fake.now += waits[i] - 1;
                slots_settle(r->slots, 0);
                assert_int_equal(fake_tokens_wanted(QUEUE), 0);
                fake.now++;
        }
        ready_each(&r->ready, drop, &r->ready);
}

static void another_version_has_another_queue(void **state)
{
        struct rig *r = *state;

        add_many(r, 2);
        fake_tokens_bring(QUEUE);
        struct attempt *a = start(r);
        slots_settle(r->slots, 1);
        limit(r, 9, 4);
        assert_int_equal(fake_tokens_wanted(QUEUE), 0);
        slots_settle(r->slots, 1);
        assert_int_equal(fake_tokens_wanted("slots.acme.4"), 1);
        assert_int_equal(fake_tokens_queues(), 2);
        end(r, a); /* fake.returned, not kept for the next job */
        assert_int_equal(fake.returned, 1);
        assert_int_equal(fake_tokens_queues(), 1);
        assert_null(start(r));

        limit(r, RECORD_UNLIMITED, 4);
        assert_int_equal(fake_tokens_queues(), 0);
        a = start(r);
        assert_non_null(a);
        assert_null(a->slot);
        end(r, a);
}

static void a_token_held_for_long_is_exchanged(void **state)
{
        struct rig *r = *state;

        add_many(r, 1);
        fake_tokens_bring(QUEUE);
        struct attempt *a = start(r);
        fake.now += 10 * MSEC_MINUTE;
        slots_turn(r->slots);
        slots_check(r->slots);
        slots_settle(r->slots, 0);
        assert_int_equal(fake_tokens_wanted_of(QUEUE, TOKENS_RANK_RUNNING),
                         1); /* asked for first, */
        assert_int_equal(fake.returned, 0);
        slots_check(r->slots);
        assert_int_equal(fake.returned, 1); /* then returned */
        slots_settle(r->slots, 0);
        assert_int_equal(fake_tokens_wanted_of(QUEUE, TOKENS_RANK_RUNNING), 1);
        fake_tokens_bring(QUEUE);
        slots_check(r->slots);
        slots_settle(r->slots, 0);
        assert_int_equal(fake_tokens_wanted(QUEUE), 0);
        assert_int_equal(fake_tokens_taken(), 1);
        end(r, a);
        assert_int_equal(fake.returned, 1);
        fake.now += 10;
        slots_settle(r->slots, 1);
        assert_int_equal(fake.returned, 2);
}

static void a_consumer_that_stops_wants_none(void **state)
{
        struct rig *r = *state;

        add_many(r, 3);
        fake_tokens_bring(QUEUE);
        struct attempt *a = start(r);
        fake_tokens_bring(QUEUE);
        slots_stop(r->slots);
        slots_settle(r->slots, 0);
        assert_int_equal(fake_tokens_wanted(QUEUE), 0);
        assert_int_equal(fake.returned, 1);
        end(r, a);
        assert_int_equal(fake.returned, 2);
        ready_each(&r->ready, drop, &r->ready);
}

static void assert_shows(struct rig *r, const char *tenant, const char *held)
{
        AUTO_BUFFER text = {0};

        slots_count(r->slots);
        metrics_write(r->metrics, &text);
        AUTO_FREE char *line = xasprintf("slots{tenant=\"%s\",state=\"held\"} %s\n", tenant, held);
        if (strstr(text.data, line) == NULL)
                fail_msg("no %s", line);
}

static void bring_to(const char *tenant)
{
        AUTO_FREE char *queue = xasprintf("slots.%s.1", tenant);

        fake_tokens_bring(queue);
}

/* The metric has series of 400 tenants; those of the others are one. */
static void the_metric_is_bounded(void **state)
{
        enum { TENANTS = 403 };
        struct rig *r = *state;
        struct tenant *many = xcalloc(TENANTS, sizeof(*many));
        const struct tenant_record limited = {.max_running = 2, .slots_version = 1};
        const struct tenant_record unlimited = {.max_running = RECORD_UNLIMITED};

        assert_shows(r, "other", "0");
        for (int i = 0; i < TENANTS; i++) {
                many[i].wanted = true;
                AUTO_FREE char *name = xasprintf("t%d", i);
                memcpy(many[i].name, name, strlen(name));
                slots_tenant(r->slots, &many[i], &limited);
                bring_to(name);
                slots_count(r->slots);
        }
        assert_shows(r, "t0", "1");
        assert_shows(r, "t399", "1");
        assert_shows(r, "other", "3");
        slots_tenant(r->slots, &many[0], &unlimited);
        assert_shows(r, "t400", "1"); /* has its place */
        assert_shows(r, "other", "2");
        for (int i = 1; i < TENANTS; i++)
                slots_tenant(r->slots, &many[i], &unlimited);
        assert_shows(r, "other", "0");
        free(many);
}

/* What tenants that are gone had leaves room for others. */
static void tenants_that_come_and_go_leave_the_metric(void **state)
{
        enum { TENANTS = 1200 }; /* more than a metric has series */
        struct rig *r = *state;
        const struct tenant_record limited = {.max_running = 2, .slots_version = 1};
        const struct tenant_record deleted = {.deleted = true};

        for (int i = 0; i < TENANTS; i++) {
                struct tenant t = {.wanted = true};
                AUTO_FREE char *name = xasprintf("t%d", i);
                memcpy(t.name, name, strlen(name));
                slots_tenant(r->slots, &t, &limited);
                bring_to(name);
                assert_shows(r, name, "1");
                assert_shows(r, "other", "0");
                slots_tenant(r->slots, &t, &deleted);
        }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clean_up)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_token_is_wanted_for_each_job_and_free_worker),
                TEST(a_token_starts_one_job),
                TEST(a_turn_is_over_after_100_ms),
                TEST(turns_end_one_at_a_time),
                TEST(a_token_waits_for_what_an_ack_may_bring),
                TEST(without_a_free_worker_one_token_waits_a_moment),
                TEST(tokens_in_vain_are_asked_for_more_and_more_rarely),
                TEST(another_version_has_another_queue),
                TEST(a_token_held_for_long_is_exchanged),
                TEST(a_consumer_that_stops_wants_none),
                TEST(the_metric_is_bounded),
                TEST(tenants_that_come_and_go_leave_the_metric),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
