/* SPDX-License-Identifier: Apache-2.0
 *
 * rounds_test.c: a thread that works in rounds: rests, wakes, the end.
 */
#include <pthread.h>

#include "common/base/condition.h"
#include "common/base/rounds.h"
#include "tests/unit/unit.h"

#define LONG ((msec)MSEC_HOUR)
#define PATIENCE ((msec)20 * MSEC_SECOND)

static struct {
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        int done;
        msec rest;
        bool held; /* a round waits */
} work;

static msec round_of(void *owner)
{
        assert_ptr_equal(owner, &work);
        pthread_mutex_lock(&work.mutex);
        work.done++;
        pthread_cond_broadcast(&work.changed);
        while (work.held)
                (void)condition_wait(&work.changed, &work.mutex, clock_mono() + PATIENCE);
        msec rest = work.rest;
        pthread_mutex_unlock(&work.mutex);
        return rest;
}

static struct rounds *begin(msec first, msec rest)
{
        struct err e = {0};

        work.done = 0;
        work.rest = rest;
        struct rounds *r = rounds_start("a test", first, round_of, &work, &e);
        assert_non_null(r);
        return r;
}

static void await(int done)
{
        const msec until = clock_mono() + PATIENCE;

        pthread_mutex_lock(&work.mutex);
        while (work.done < done && condition_wait(&work.changed, &work.mutex, until))
                continue;
        assert_true(work.done >= done);
        pthread_mutex_unlock(&work.mutex);
}

static void hold(bool held)
{
        pthread_mutex_lock(&work.mutex);
        work.held = held;
        pthread_cond_broadcast(&work.changed);
        pthread_mutex_unlock(&work.mutex);
}

static void rounds_follow_after_their_rests(void **state)
{
        struct rounds *r = begin(0, 1);

        (void)state;
        await(3);
        rounds_end(&r);
        assert_null(r);
        int done = work.done;
        rounds_end(&r); /* of none */
        assert_int_equal(work.done, done);
}

static void the_end_cuts_a_rest_short(void **state)
{
        struct rounds *r = begin(LONG, LONG);

        (void)state;
        rounds_end(&r);
        assert_int_equal(work.done, 0);
}

static void a_wake_ends_the_rest(void **state)
{
        struct rounds *r = begin(LONG, LONG);

        (void)state;
        rounds_wake(r);
        await(1);
        rounds_wake(r);
        await(2);
        rounds_end(&r);
        assert_int_equal(work.done, 2);
}

static void a_wake_during_a_round_is_kept(void **state)
{
        (void)state;
        hold(true);
        struct rounds *r = begin(0, LONG);
        await(1);
        rounds_wake(r);
        hold(false);
        await(2);
        rounds_end(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(rounds_follow_after_their_rests),
                cmocka_unit_test(the_end_cuts_a_rest_short),
                cmocka_unit_test(a_wake_ends_the_rest),
                cmocka_unit_test(a_wake_during_a_round_is_kept),
        };

        pthread_mutex_init(&work.mutex, NULL);
        condition_init(&work.changed);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
