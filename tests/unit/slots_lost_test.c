/* SPDX-License-Identifier: Apache-2.0
 *
 * slots_lost_test.c: runs whose tokens were lost, and how many tokens several tenants ask for.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "consumer/slots.h"
#include "tests/unit/fake_tokens.h"
#include "tests/unit/unit.h"

enum { TENANTS_MAX = 4 };

bool __wrap_outbox_post(struct outbox *o, struct publication *p);

/* No rates here. */
bool __wrap_outbox_post(struct outbox *o, struct publication *p)
{
        (void)o;
        (void)p;
        fail();
        return false;
}

static const struct handler plenty = {.type = "plenty"};
static const struct handler narrow = {.type = "narrow"};

static unsigned rooms_counted;

static unsigned room(void *owner, const struct handler *h)
{
        (void)owner;
        rooms_counted++;
        return h == &narrow ? 2 : UINT_MAX;
}

static bool has_room(void *owner, const struct handler *h)
{
        return room(owner, h) > 0;
}

struct rig {
        uv_loop_t loop;
        struct metrics *metrics;
        struct ready ready;
        struct slots *slots;
        struct tenant tenants[TENANTS_MAX];
};

static void limit(struct rig *r, unsigned i, int64_t most, int64_t version)
{
        struct tenant_record record = {.max_running = most, .slots_version = version};

        slots_tenant(r->slots, &r->tenants[i], &record);
}

static int prepare(void **state)
{
        const struct metric_spec spec = {
                .name = "slots", .kind = METRIC_GAUGE, .labels = {"tenant", "state"}};
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
        for (unsigned i = 0; i < TENANTS_MAX; i++) {
                struct tenant *t = &r->tenants[i];
                snprintf(t->name, sizeof(t->name), "t%u", i);
                t->weight = 1;
                t->wanted = true;
                limit(r, i, 5, 1);
        }
        slots_up(r->slots);
        *state = r;
        return 0;
}

static void drop(void *owner, struct attempt *a)
{
        ready_remove(owner, a);
        free(a);
}

static int clean_up(void **state)
{
        struct rig *r = *state;

        ready_each(&r->ready, drop, &r->ready);
        slots_destroy(&r->slots);
        fake_tokens_reset();
        metrics_destroy(&r->metrics);
        uv_run(&r->loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&r->loop), 0);
        scheduler_fini(&r->ready);
        free(r);
        return 0;
}

static void add_to(struct rig *r, struct tenant *t, const struct handler *h, unsigned count)
{
        t->queues[0].tenant = t;
        for (; count > 0; count--) {
                struct attempt *a = xcalloc(1, sizeof(*a));
                a->queue = &t->queues[0];
                a->job.priority = PRIORITY_MEDIUM;
                a->handler = h;
                ready_add(&r->ready, a);
        }
}

static void add(struct rig *r, unsigned tenant, const struct handler *h, unsigned count)
{
        add_to(r, &r->tenants[tenant], h, count);
}

/* A turn of the loop in which at most one job starts; NULL: none could. */
static struct attempt *turn(struct rig *r, unsigned free)
{
        slots_turn(r->slots);
        struct attempt *a = scheduler_pick(&r->ready, has_room, NULL);
        if (a != NULL)
                slots_started(r->slots, a);
        slots_settle(r->slots, free);
        return a;
}

static struct attempt *start(struct rig *r)
{
        assert_true(fake_tokens_deliver("slots.t0.1"));
        struct attempt *a = turn(r, 4);
        assert_non_null(a);
        return a;
}

static void end(struct rig *r, struct attempt *a)
{
        slots_ended(r->slots, a);
        free(a);
}

static void what_runs_takes_the_first_tokens_after_a_loss(void **state)
{
        struct rig *r = *state;

        add(r, 0, &plenty, 3);
        turn(r, 4);
        struct attempt *a = start(r), *b = start(r);
        assert_true(fake_tokens_deliver("slots.t0.1")); /* a spare one, to be lost too */
        fake_tokens_lose();
        slots_down(r->slots);
        assert_null(turn(r, 1));
        assert_int_equal(fake_tokens_wanted("slots.t0.1"), 0);
        slots_up(r->slots);
        slots_settle(r->slots, 1);
        assert_int_equal(fake_tokens_wanted_of("slots.t0.1", TOKENS_RANK_RUNNING), 2);
        assert_int_equal(fake_tokens_wanted_of("slots.t0.1", PRIORITY_MEDIUM), 1);
        end(r, b); /* it has ended without a token */
        slots_settle(r->slots, 2);
        assert_int_equal(fake_tokens_wanted_of("slots.t0.1", TOKENS_RANK_RUNNING), 1);
        assert_true(fake_tokens_deliver("slots.t0.1"));
        assert_null(turn(r, 1)); /* the first one is for what runs */
        assert_int_equal(fake_tokens_wanted_of("slots.t0.1", TOKENS_RANK_RUNNING), 0);
        struct attempt *c = start(r);
        end(r, a);
        end(r, c);
        fake.now += SLOT_LINGER;
        slots_settle(r->slots, 2);
        assert_int_equal(fake_tokens_taken(), 0);
}

static void the_limit_changes_while_a_run_is_without_token(void **state)
{
        struct rig *r = *state;

        add(r, 0, &plenty, 1);
        turn(r, 1);
        struct attempt *a = start(r);
        fake.now += 10 * MSEC_MINUTE; /* it exchanges its token, */
        slots_check(r->slots);
        slots_check(r->slots);
        assert_int_equal(fake.returned, 1);
        limit(r, 0, 5, 2); /* and its queue is used no more */
        slots_settle(r->slots, 1);
        assert_int_equal(fake_tokens_wanted_of("slots.t0.2", TOKENS_RANK_RUNNING), 1);
        assert_true(fake_tokens_deliver("slots.t0.2"));
        assert_int_equal(fake_tokens_taken(), 1);
        fake.now += 10 * MSEC_MINUTE;
        slots_check(r->slots);
        slots_check(r->slots);
        limit(r, 0, RECORD_UNLIMITED, 2);
        end(r, a);
        assert_int_equal(fake_tokens_taken(), 0);
}

static void only_the_tokens_of_a_lost_channel_are_lost(void **state)
{
        struct rig *r = *state;

        add(r, 0, &plenty, 2);
        turn(r, 4);
        struct attempt *a = start(r), *b = start(r);
        fake_tokens_lose_channel(0);
        slots_down(r->slots);
        assert_true(slots_lost(a));
        assert_false(slots_lost(b));
        slots_up(r->slots);
        slots_settle(r->slots, 2);
        assert_int_equal(fake_tokens_wanted_of("slots.t0.1", TOKENS_RANK_RUNNING), 1);
        assert_true(fake_tokens_deliver("slots.t0.1"));
        assert_false(slots_lost(a));
        end(r, a);
        end(r, b);
}

static void a_token_goes_to_a_run_without_before_it_starts_another(void **state)
{
        struct rig *r = *state;

        add(r, 0, &plenty, 3);
        turn(r, 4);
        struct attempt *a = start(r), *b = start(r);
        fake_tokens_lose_channel(0);
        slots_down(r->slots);
        slots_up(r->slots);
        end(r, b);
        assert_false(slots_lost(a));
        assert_int_equal(fake.returned, 0);
        assert_null(turn(r, 3));
        assert_int_equal(fake_tokens_wanted_of("slots.t0.1", TOKENS_RANK_RUNNING), 0);
        end(r, a);
        a = turn(r, 3); /* within its turn */
        assert_non_null(a);
        end(r, a);
}

/* The broker has given its tokens to others by then, and the loss of the link is not read yet. */
static void a_process_that_was_stopped_starts_nothing_with_its_tokens(void **state)
{
        struct rig *r = *state;

        add(r, 0, &plenty, 6);
        turn(r, 4);
        struct attempt *a = start(r), *b = start(r);
        assert_true(fake_tokens_deliver("slots.t0.1"));
        slots_settle(r->slots, 0);
        fake.now += 20000;
        end(r, a);
        end(r, b);
        assert_null(turn(r, 4));
        assert_int_equal(fake.returned, 3);
        a = start(r);
        end(r, a);
}

/* Long jobs of others take each worker as soon as it is free. */
static void a_worker_is_kept_for_whom_none_was_free(void **state)
{
        struct rig *r = *state;
        struct tenant *t = &r->tenants[0];

        add(r, 0, &plenty, 2);
        assert_false(slots_keep_worker(r->slots));
        t->passed_over = true;
        slots_settle(r->slots, 0);
        assert_true(fake_tokens_deliver("slots.t0.1"));
        fake.now += SLOT_WAIT;
        slots_settle(r->slots, 0);
        assert_int_equal(fake.returned, 1);
        assert_true(slots_keep_worker(r->slots)); /* one is free */
        slots_settle(r->slots, 0);
        assert_int_equal(fake_tokens_wanted("slots.t0.1"), 1);
        fake.now += SLOT_WAIT - 1;
        assert_true(slots_keep_worker(r->slots));
        assert_true(fake_tokens_deliver("slots.t0.1"));
        assert_false(slots_keep_worker(r->slots));
        struct attempt *a = turn(r, 0);
        assert_non_null(a);
        fake.now += 100;
        end(r, a);
        t->passed_over = true;
        slots_settle(r->slots, 0);
        assert_true(fake_tokens_deliver("slots.t0.1"));
        fake.now += SLOT_WAIT;
        slots_settle(r->slots, 0);
        assert_true(slots_keep_worker(r->slots));
        fake.now += SLOT_WAIT; /* it has none in time: it waits for one as all others do */
        assert_false(slots_keep_worker(r->slots));
        assert_false(slots_keep_worker(r->slots));
        slots_settle(r->slots, 0);
        assert_int_equal(fake_tokens_wanted("slots.t0.1"), 1);
}

/* While every worker is busy only those ask whose turn is next, and it. */
static void one_for_whom_a_worker_is_kept_asks_however_many_are_before_it(void **state)
{
        enum { BEFORE = 80 };
        struct rig *r = *state;
        AUTO_FREE struct tenant *others = xcalloc(BEFORE, sizeof(*others));

        add(r, 0, &plenty, 1);
        r->tenants[0].passed_over = true;
        slots_settle(r->slots, 0);
        assert_true(fake_tokens_deliver("slots.t0.1"));
        fake.now += SLOT_WAIT;
        slots_settle(r->slots, 0);
        assert_int_equal(fake.returned, 1);
        for (unsigned i = 0; i < BEFORE; i++)
                add_to(r, &others[i], &plenty, 1);
        r->ready.ring = &others[0];
        assert_true(slots_keep_worker(r->slots));
        slots_settle(r->slots, 0);
        assert_int_equal(fake_tokens_wanted("slots.t0.1"), 1);
        ready_each(&r->ready, drop, &r->ready);
}

static void no_more_is_asked_than_has_room(void **state)
{
        struct rig *r = *state;

        add(r, 0, &narrow, 10);
        slots_settle(r->slots, 64);
        assert_int_equal(fake_tokens_wanted("slots.t0.1"), 2);
        add(r, 0, &plenty, 3);
        slots_settle(r->slots, 64);
        assert_int_equal(fake_tokens_wanted("slots.t0.1"), 5);
        slots_settle(r->slots, 1);
        assert_int_equal(fake_tokens_wanted("slots.t0.1"), 1);
}

/* A count may walk a list: once for each type, whatever the number of tenants. */
static void the_room_of_a_type_is_counted_once_a_turn(void **state)
{
        struct rig *r = *state;

        for (unsigned i = 0; i < TENANTS_MAX; i++) {
                add(r, i, &narrow, 5);
                add(r, i, &plenty, 5);
        }
        rooms_counted = 0;
        slots_settle(r->slots, 64);
        assert_int_equal(rooms_counted, 2);
        for (unsigned i = 0; i < TENANTS_MAX; i++) {
                AUTO_FREE char *queue = xasprintf("slots.t%u.1", i);
                assert_int_equal(fake_tokens_wanted(queue), 2 + 5);
        }
        slots_settle(r->slots, 64);
        assert_int_equal(rooms_counted, 4);
}

static void tenants_share_the_free_workers(void **state)
{
        struct rig *r = *state;

        r->tenants[1].weight = 2;
        for (unsigned i = 0; i < TENANTS_MAX; i++)
                add(r, i, &plenty, i == 2 ? 1 : 10);
        slots_settle(r->slots, 10);
        assert_int_equal(fake_tokens_wanted("slots.t0.1"), 2);
        assert_int_equal(fake_tokens_wanted("slots.t1.1"), 4);
        assert_int_equal(fake_tokens_wanted("slots.t2.1"), 1);
        assert_int_equal(fake_tokens_wanted("slots.t3.1"), 3); /* and what t2 leaves */
        assert_true(fake_tokens_deliver("slots.t1.1"));        /* one that is here counts */
        slots_settle(r->slots, 10);
        assert_int_equal(fake_tokens_wanted("slots.t1.1"), 3);
        slots_settle(r->slots, 2); /* none is left out */
        assert_int_equal(fake_tokens_wanted("slots.t0.1"), 1);
        assert_int_equal(fake_tokens_wanted("slots.t1.1"), 0);
        assert_int_equal(fake_tokens_wanted("slots.t2.1"), 1);
        assert_int_equal(fake_tokens_wanted("slots.t3.1"), 1);
}

static void short_jobs_in_a_stream_keep_their_tokens(void **state)
{
        struct rig *r = *state;

        add(r, 0, &plenty, 4);
        turn(r, 1);
        end(r, start(r));
        for (unsigned i = 0; i < 3; i++)
                end(r, turn(r, 1));
        fake.now += SLOT_LINGER;
        add(r, 0, &plenty, 3);
        struct attempt *a = turn(r, 8);
        assert_int_equal(fake_tokens_wanted("slots.t0.1"), 2);
        end(r, a);
        end(r, turn(r, 8));
        end(r, turn(r, 8)); /* no job waits now */
        assert_int_equal(fake_tokens_wanted("slots.t0.1"), 2);
        assert_true(fake_tokens_deliver("slots.t0.1"));
        slots_settle(r->slots, 8);
        assert_int_equal(fake.returned, 0);
        fake.now += SLOT_LINGER;
        slots_settle(r->slots, 8);
        assert_int_equal(fake.returned, 2);
        assert_int_equal(fake_tokens_wanted("slots.t0.1"), 1);
        fake.now += SLOT_LINGER;
        slots_settle(r->slots, 8);
        assert_int_equal(fake_tokens_wanted("slots.t0.1"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clean_up)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(what_runs_takes_the_first_tokens_after_a_loss),
                TEST(the_limit_changes_while_a_run_is_without_token),
                TEST(only_the_tokens_of_a_lost_channel_are_lost),
                TEST(a_token_goes_to_a_run_without_before_it_starts_another),
                TEST(a_process_that_was_stopped_starts_nothing_with_its_tokens),
                TEST(a_worker_is_kept_for_whom_none_was_free),
                TEST(one_for_whom_a_worker_is_kept_asks_however_many_are_before_it),
                TEST(no_more_is_asked_than_has_room),
                TEST(the_room_of_a_type_is_counted_once_a_turn),
                TEST(tenants_share_the_free_workers),
                TEST(short_jobs_in_a_stream_keep_their_tokens),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
