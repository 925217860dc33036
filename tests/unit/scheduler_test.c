/* SPDX-License-Identifier: Apache-2.0
 *
 * scheduler_test.c: which job runs next: shares by weight, priority, and no starvation.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "consumer/scheduler.h"
#include "tests/unit/unit.h"

static const struct handler busy = {.type = "busy"};
static const struct handler idle = {.type = "idle"};
static const struct handler limited = {.type = "limited", .concurrency = 1};

static bool has_room(void *owner, const struct handler *h)
{
        unsigned *asked = owner;

        if (asked != NULL)
                (*asked)++;
        return h != &busy;
}

static void init_tenant(struct tenant *t, const char *name, int64_t weight)
{
        memset(t, 0, sizeof(*t));
        memcpy(t->name, name, strlen(name));
        t->weight = weight;
        t->queues[0].tenant = t;
}

static struct attempt *add(struct ready *in, struct tenant *t, enum priority p,
                           const struct handler *h)
{
        struct attempt *a = xcalloc(1, sizeof(*a));

        a->queue = &t->queues[0];
        a->job.priority = p;
        a->handler = h;
        ready_add(in, a);
        return a;
}

static void add_many(struct ready *in, struct tenant *t, enum priority p, unsigned count)
{
        for (unsigned i = 0; i < count; i++)
                add(in, t, p, &idle);
}

static void drop(void *owner, struct attempt *a)
{
        ready_remove(owner, a);
        free(a);
}

static void tenants_share_by_weight(void **state)
{
        static const struct {
                int64_t weights[3];
                unsigned picks;
                unsigned want[3];
        } rows[] = {
                {{1, 1, 1}, 30, {10, 10, 10}},
                {{1, 2, 3}, 60, {10, 20, 30}},
                {{5, 1, 1}, 70, {50, 10, 10}},
                {{1, 1, 98}, 200, {2, 2, 196}},
        };

        (void)state;
        for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
                struct ready in = {0};
                struct tenant tenants[3];
                unsigned got[3] = {0};
                for (int i = 0; i < 3; i++) {
                        init_tenant(&tenants[i], "t", rows[r].weights[i]);
                        add_many(&in, &tenants[i], PRIORITY_MEDIUM, 300);
                }
                for (unsigned i = 0; i < rows[r].picks; i++) {
                        struct attempt *a = scheduler_pick(&in, has_room, NULL);
                        assert_non_null(a);
                        got[a->queue->tenant - tenants]++;
                        free(a);
                }
                assert_memory_equal(got, rows[r].want, sizeof(got));
                ready_each(&in, drop, &in);
                assert_int_equal(in.count, 0);
                assert_null(in.ring);
        }
}

/* There is room for one job. It is asked for again while there is none. */
static bool has_one_place(void *owner, const struct handler *h)
{
        bool *place = owner;

        (void)h;
        return *place;
}

static void tenants_share_by_weight_what_comes_one_place_at_a_time(void **state)
{
        static const int64_t weights[3] = {2, 1, 3};
        struct ready in = {0};
        struct tenant tenants[3];
        unsigned got[3] = {0};

        (void)state;
        for (int i = 0; i < 3; i++) {
                init_tenant(&tenants[i], "t", weights[i]);
                for (int n = 0; n < 100; n++)
                        add(&in, &tenants[i], PRIORITY_MEDIUM, n % 2 == 0 ? &limited : &idle);
        }
        for (int i = 0; i < 120; i++) {
                bool place = true;
                struct attempt *a = scheduler_pick(&in, has_one_place, &place);
                got[a->queue->tenant - tenants]++;
                free(a);
                place = false;
                assert_null(scheduler_pick(&in, has_one_place, &place));
        }
        for (int i = 0; i < 3; i++)
                assert_int_equal(got[i], 20 * weights[i]);
        ready_each(&in, drop, &in);
        scheduler_fini(&in);
}

static bool has_room_but_in_limited(void *owner, const struct handler *h)
{
        (void)owner;
        return h != &limited;
}

/* The second tenant has another type too, and uses up its turns with that while the limited type is
 * full. */
static void tenants_share_a_limited_type_whatever_else_they_run(void **state)
{
        struct ready in = {0};
        struct tenant tenants[2];
        unsigned got[2] = {0};

        (void)state;
        for (int i = 0; i < 2; i++) {
                init_tenant(&tenants[i], "t", 1);
                for (int n = 0; n < 120; n++)
                        add(&in, &tenants[i], PRIORITY_MEDIUM, &limited);
        }
        add_many(&in, &tenants[1], PRIORITY_MEDIUM, 300);
        for (int i = 0; i < 120;) {
                free(scheduler_pick(&in, has_room_but_in_limited, NULL));
                struct attempt *a = scheduler_pick(&in, has_room, NULL);
                if (a->handler == &limited) {
                        got[a->queue->tenant - tenants]++;
                        i++;
                }
                free(a);
        }
        assert_int_equal(got[0], 60);
        assert_int_equal(got[1], 60);
        ready_each(&in, drop, &in);
        scheduler_fini(&in);
}

static void a_limited_type_that_one_tenant_wants_is_all_its_own(void **state)
{
        struct ready in = {0};
        struct tenant t;

        (void)state;
        init_tenant(&t, "t", 1);
        for (int i = 0; i < 10; i++)
                add(&in, &t, PRIORITY_MEDIUM, &limited);
        for (int i = 0; i < 10; i++) {
                struct attempt *a = scheduler_pick(&in, has_room, NULL);
                assert_non_null(a);
                free(a);
        }
        scheduler_fini(&in);
}

static void a_tenant_that_comes_late_is_served_within_a_round(void **state)
{
        struct ready in = {0};
        struct tenant crowd, late;
        struct attempt *a;
        int before = 0;

        (void)state;
        init_tenant(&crowd, "crowd", 4);
        init_tenant(&late, "late", 1);
        add_many(&in, &crowd, PRIORITY_CRITICAL, 1000);
        for (int i = 0; i < 10; i++)
                free(scheduler_pick(&in, has_room, NULL));
        add(&in, &late, PRIORITY_LOW, &idle);
        while ((a = scheduler_pick(&in, has_room, NULL))->queue->tenant != &late) {
                free(a);
                before++;
        }
        free(a);
        assert_int_in_range(before, 0, 4);
        ready_each(&in, drop, &in);
}

static void priorities_go_first_and_the_lowest_does_not_starve(void **state)
{
        struct ready in = {0};
        struct tenant t;
        int low = 0, critical = 0;

        (void)state;
        init_tenant(&t, "acme", 1);
        add_many(&in, &t, PRIORITY_LOW, 10);
        add_many(&in, &t, PRIORITY_MEDIUM, 10);
        add_many(&in, &t, PRIORITY_CRITICAL, 200);
        for (int i = 1; i <= 160; i++) {
                struct attempt *a = scheduler_pick(&in, has_room, NULL);
                low += a->job.priority == PRIORITY_LOW;
                critical += a->job.priority == PRIORITY_CRITICAL;
                if (i % SCHEDULER_LOWEST_EVERY == 0)
                        assert_int_equal(a->job.priority, PRIORITY_LOW);
                free(a);
        }
        assert_int_equal(low, 10);
        assert_int_equal(critical, 150);
        ready_each(&in, drop, &in);
}

static void the_oldest_of_a_priority_goes_first(void **state)
{
        struct ready in = {0};
        struct tenant t;
        struct attempt *want[5];

        (void)state;
        init_tenant(&t, "acme", 1);
        for (int i = 0; i < 5; i++)
                want[i] = add(&in, &t, PRIORITY_HIGH, &idle);
        for (int i = 0; i < 5; i++) {
                assert_ptr_equal(scheduler_pick(&in, has_room, NULL), want[i]);
                free(want[i]);
        }
        assert_null(scheduler_pick(&in, has_room, NULL));
}

static void types_without_room_are_passed_over(void **state)
{
        struct ready in = {0};
        struct tenant stuck, other;
        unsigned asked = 0;

        (void)state;
        init_tenant(&stuck, "stuck", 10);
        init_tenant(&other, "other", 1);
        for (int i = 0; i < 100; i++)
                add(&in, &stuck, PRIORITY_CRITICAL, &busy);
        struct attempt *behind = add(&in, &stuck, PRIORITY_CRITICAL, &idle);
        struct attempt *beside = add(&in, &other, PRIORITY_LOW, &idle);
        struct attempt *first = scheduler_pick(&in, has_room, &asked);
        struct attempt *second = scheduler_pick(&in, has_room, &asked);

        assert_ptr_equal(first, behind);
        assert_ptr_equal(second, beside);
        assert_int_in_range(asked, 1, 8);
        assert_null(scheduler_pick(&in, has_room, &asked));
        assert_int_equal(in.count, 100);
        free(first);
        free(second);
        ready_each(&in, drop, &in);
}

/* One worker, and all waiting jobs are requeued before each pick: the tenant whose jobs come back
 * first must not get every turn. */
static void turns_go_on_over_a_ring_that_was_emptied(void **state)
{
        static const int64_t weights[3] = {1, 2, 3};
        struct ready in = {0};
        struct tenant tenants[3];
        unsigned got[3] = {0};

        (void)state;
        for (int i = 0; i < 3; i++)
                init_tenant(&tenants[i], "t", weights[i]);
        for (int round = 0; round < 60; round++) {
                for (int i = 0; i < 3; i++)
                        add(&in, &tenants[i], PRIORITY_MEDIUM, &idle);
                scheduler_resume(&in);
                struct attempt *a = scheduler_pick(&in, has_room, NULL);
                got[a->queue->tenant - tenants]++;
                free(a);
                ready_each(&in, drop, &in);
        }
        for (int i = 0; i < 3; i++)
                assert_int_equal(got[i], 10 * weights[i]);
        scheduler_resume(&in);
        assert_null(in.ring);
}

static struct tenant *pick_tenant(struct ready *in)
{
        struct attempt *a = scheduler_pick(in, has_room, NULL);
        struct tenant *t = a == NULL ? NULL : a->queue->tenant;

        free(a);
        return t;
}

static void a_tenant_without_a_slot_gets_the_turn_that_it_missed(void **state)
{
        struct ready in = {0};
        struct tenant t[3];

        (void)state;
        for (int i = 0; i < 3; i++) {
                init_tenant(&t[i], "t", i == 1 ? 2 : 1);
                add_many(&in, &t[i], PRIORITY_MEDIUM, 20);
        }
        t[0].without_slot = t[1].without_slot = t[2].without_slot = true;
        assert_null(pick_tenant(&in));
        t[0].without_slot = t[2].without_slot = false;
        for (int i = 0; i < 3; i++) {
                assert_ptr_equal(pick_tenant(&in), &t[0]);
                assert_ptr_equal(pick_tenant(&in), &t[2]);
        }
        assert_ptr_equal(pick_tenant(&in), &t[0]);
        assert_ptr_equal(pick_tenant(&in), &t[2]); /* it was passed over */
        t[1].without_slot = false;
        scheduler_give_turn(&in, &t[1]);
        assert_ptr_equal(pick_tenant(&in), &t[1]);
        assert_ptr_equal(pick_tenant(&in), &t[1]); /* by its weight */
        assert_ptr_equal(pick_tenant(&in), &t[0]);
        t[1].without_slot = true;
        scheduler_give_turn(&in, &t[1]); /* nothing was missed */
        assert_ptr_equal(pick_tenant(&in), &t[2]);
        ready_each(&in, drop, &in);
        assert_null(in.ring);
        assert_false(t[1].passed_over);
        scheduler_give_turn(&in, &t[1]);
        assert_null(in.ring);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(tenants_share_by_weight),
                cmocka_unit_test(tenants_share_by_weight_what_comes_one_place_at_a_time),
                cmocka_unit_test(tenants_share_a_limited_type_whatever_else_they_run),
                cmocka_unit_test(a_limited_type_that_one_tenant_wants_is_all_its_own),
                cmocka_unit_test(a_tenant_that_comes_late_is_served_within_a_round),
                cmocka_unit_test(priorities_go_first_and_the_lowest_does_not_starve),
                cmocka_unit_test(the_oldest_of_a_priority_goes_first),
                cmocka_unit_test(types_without_room_are_passed_over),
                cmocka_unit_test(a_tenant_without_a_slot_gets_the_turn_that_it_missed),
                cmocka_unit_test(turns_go_on_over_a_ring_that_was_emptied),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
