/* SPDX-License-Identifier: Apache-2.0
 *
 * lane_counts_test.c: the lanes of all tenants are counted in passes, those of some when asked.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alarm.h"
#include "common/base/own.h"
#include "common/clients/queue_counter.h"
#include "status-store/lane_counts.h"
#include "tests/unit/unit.h"

enum { TENANTS = 20 };

/* A broker that answers when somebody waits, if it answers; each tenant has its number of jobs in
 * every lane, and no lane `long`. */
static struct {
        void (*ring)(void *owner);
        void *owner;
        struct {
                tenant_counted_fn *done;
                void *owner;
                char tenant[TENANT_SIZE];
        } open[TENANTS];
        size_t open_count;
        unsigned counted;
        bool silent;
} fake;

struct link *__wrap_link_create(const struct link_config *c, const struct link_events *on,
                                void *owner, uv_loop_t *loop, struct err *e);
struct link *__wrap_link_create(const struct link_config *c, const struct link_events *on,
                                void *owner, uv_loop_t *loop, struct err *e)
{
        (void)c;
        (void)on;
        (void)owner;
        (void)loop;
        (void)e;
        memset(&fake, 0, sizeof(fake));
        return (struct link *)&fake;
}

bool __wrap_link_is_up(const struct link *l);
bool __wrap_link_is_up(const struct link *l)
{
        (void)l;
        return true;
}

struct alarm *__wrap_alarm_create(uv_loop_t *loop, void (*ring)(void *owner), void *owner);
struct alarm *__wrap_alarm_create(uv_loop_t *loop, void (*ring)(void *owner), void *owner)
{
        (void)loop;
        fake.ring = ring;
        fake.owner = owner;
        return NULL;
}

void __wrap_alarm_set(struct alarm *a, msec wait);
void __wrap_alarm_set(struct alarm *a, msec wait)
{
        (void)a;
        (void)wait;
}

void __wrap_alarm_destroy(struct alarm **a);
void __wrap_alarm_destroy(struct alarm **a)
{
        (void)a;
}

static void answer_all(void)
{
        for (size_t i = 0; i < fake.open_count; i++) {
                struct tenant_count c = {0};
                unsigned jobs = (unsigned)atoi(fake.open[i].tenant + 1);
                for (int lane = 0; lane < LANE_COUNT; lane++)
                        c.lanes[lane].jobs = jobs;
                c.lanes[LANE_LONG].state = LANE_UNCOUNTED;
                fake.open[i].done(fake.open[i].owner, fake.open[i].tenant, &c);
        }
        fake.open_count = 0;
}

void __wrap_link_destroy(struct link **l);
void __wrap_link_destroy(struct link **l)
{
        answer_all();
        *l = NULL;
}

void __wrap_queue_counter_count(struct link *l, const char *tenant, tenant_counted_fn *done,
                                void *owner);
void __wrap_queue_counter_count(struct link *l, const char *tenant, tenant_counted_fn *done,
                                void *owner)
{
        (void)l;
        snprintf(fake.open[fake.open_count].tenant, TENANT_SIZE, "%s", tenant);
        fake.open[fake.open_count].done = done;
        fake.open[fake.open_count++].owner = owner;
        fake.counted++;
}

void __wrap_control_each_tenant(struct control *c,
                                void (*each)(void *owner, const struct tenant_record *t),
                                void *owner);
void __wrap_control_each_tenant(struct control *c,
                                void (*each)(void *owner, const struct tenant_record *t),
                                void *owner)
{
        (void)c;
        for (int i = 0; i < TENANTS; i++) {
                struct tenant_record t = {0};
                snprintf(t.name, sizeof(t.name), "t%d", i);
                each(owner, &t);
        }
}

static msec mono;

msec __wrap_clock_mono(void);
msec __wrap_clock_mono(void)
{
        return mono;
}

bool __wrap_condition_wait(pthread_cond_t *c, pthread_mutex_t *mutex, msec deadline);
bool __wrap_condition_wait(pthread_cond_t *c, pthread_mutex_t *mutex, msec deadline)
{
        (void)c;
        if (fake.silent) {
                mono = deadline;
                return false;
        }
        pthread_mutex_unlock(mutex);
        answer_all();
        pthread_mutex_lock(mutex);
        return true;
}

static struct lane_counts *create(void)
{
        struct err e = {0};

        mono = 1000000;
        return lane_counts_create(NULL, NULL, NULL, &e);
}

static void want(struct lane_counts *l, const char *tenant)
{
        lane_counts_want(l, &tenant, 1, 5000, mono + 1000);
}

static int64_t ready(struct lane_counts *l, const char *tenant, enum lane lane)
{
        struct lanes_counted c;

        lane_counts_of(l, tenant, 6000, &c);
        return c.ready[lane];
}

static void test_counted_when_asked(void **state)
{
        (void)state;
        AUTO(lane_counts) l = create();
        struct lanes_counted c;

        assert_int_equal(ready(l, "t7", LANE_HIGH), -1);
        want(l, "t7");
        assert_int_equal(ready(l, "t7", LANE_HIGH), 7);
        assert_int_equal(ready(l, "t7", LANE_LONG), -1);
        lane_counts_of(l, "t7", 6000, &c);
        assert_true(c.at > 0 && c.at <= clock_wall());
        mono += 6001;
        assert_int_equal(ready(l, "t7", LANE_HIGH), -1);
        lane_counts_of(l, "t7", 6000, &c);
        assert_int_equal(c.at, 0);
}

static void test_without_an_answer_it_ends_at_the_deadline(void **state)
{
        (void)state;
        AUTO(lane_counts) l = create();

        fake.silent = true;
        want(l, "t7");
        want(l, "t7"); /* the first is still asked for */
        assert_int_equal(fake.counted, 1);
        assert_int_equal(mono, 1002000);
        assert_int_equal(ready(l, "t7", LANE_HIGH), -1);
        answer_all();
        assert_int_equal(ready(l, "t7", LANE_HIGH), 7);
}

static void sum(void *owner, const char *tenant, enum lane lane, uint32_t jobs)
{
        uint32_t *all = owner;

        (void)tenant;
        (void)lane;
        *all += jobs;
}

/* A pass goes on while tenants are asked for, and one that is asked for in it is counted twice. */
static void test_passes_and_questions(void **state)
{
        (void)state;
        AUTO(lane_counts) l = create();
        uint32_t all = 0;

        want(l, "t3");
        lane_counts_want_all(l);
        for (int i = 0; i < 10; i++) {
                fake.ring(fake.owner);
                want(l, "t19");
                answer_all();
                mono += 50;
        }
        lane_counts_each(l, sum, &all);
        assert_int_equal(all, 4 * (TENANTS * (TENANTS - 1) / 2));
        assert_true(fake.counted >= TENANTS + 2);
}

/* A name that is no tenant's goes with the next pass. */
static void test_what_is_no_tenant_is_forgotten(void **state)
{
        (void)state;
        AUTO(lane_counts) l = create();

        want(l, "x5");
        assert_int_equal(ready(l, "x5", LANE_LOW), 5);
        lane_counts_want_all(l);
        fake.ring(fake.owner);
        assert_int_equal(ready(l, "x5", LANE_LOW), -1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_counted_when_asked),
                cmocka_unit_test(test_without_an_answer_it_ends_at_the_deadline),
                cmocka_unit_test(test_passes_and_questions),
                cmocka_unit_test(test_what_is_no_tenant_is_forgotten),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
