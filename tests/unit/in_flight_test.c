/* SPDX-License-Identifier: Apache-2.0
 *
 * in_flight_test.c: how many submissions the window lets in, how many of them for batches, and that
 * a batch waits for room.
 */
#include "gateway/in_flight.h"

#include <pthread.h>
#include <stdatomic.h>

#include "common/base/condition.h"

#include "tests/unit/unit.h"

enum { JOBS_MAX = 8, BYTES_MAX = 1000, SOON_MS = 20, LONG_MS = 10000 };

/* Calls of condition_wait so far. The window's mutex is held in each, so who has the mutex
 * afterwards finds its caller waiting. */
static atomic_uint waits;

bool __real_condition_wait(pthread_cond_t *c, pthread_mutex_t *mutex, msec deadline);
bool __wrap_condition_wait(pthread_cond_t *c, pthread_mutex_t *mutex, msec deadline);

bool __wrap_condition_wait(pthread_cond_t *c, pthread_mutex_t *mutex, msec deadline)
{
        atomic_fetch_add(&waits, 1);
        return __real_condition_wait(c, mutex, deadline);
}

static struct in_flight *window(unsigned jobs, size_t bytes)
{
        struct in_flight *f = in_flight_create(JOBS_MAX, BYTES_MAX);
        struct err e = {0};

        for (unsigned i = 0; i < jobs; i++)
                assert_int_equal(in_flight_enter(f, i == 0 ? bytes : 0, &e), 0);
        return f;
}

static void lets_in_while_there_is_room(void **state)
{
        static const struct {
                unsigned jobs; /* in flight, with so many bytes */
                size_t bytes, more;
                bool single, batch; /* want */
        } cases[] = {
                {0, 0, 100, true, true},
                {0, 0, 2000, true, true}, /* larger than the window: alone */
                {1, 1, 2000, false, false},
                {3, 0, 100, true, true},
                {4, 0, 100, true, false}, /* half of the jobs */
                {7, 0, 100, true, false},
                {8, 0, 100, false, false},
                {1, 400, 100, true, true},
                {1, 401, 100, true, false}, /* half of the bytes */
                {1, 400, 600, true, true},  /* larger than half: as a single one */
                {1, 401, 600, false, false},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct in_flight *f = window(cases[i].jobs, cases[i].bytes);
                struct err e = {0};
                bool single = in_flight_enter(f, cases[i].more, &e) == 0;
                if (single)
                        in_flight_leave(f, 1, cases[i].more);
                bool batch = in_flight_enter_wait(f, cases[i].more, clock_mono(), &e) == 0;
                assert_int_equal(single, cases[i].single);
                assert_int_equal(batch, cases[i].batch);
                assert_int_equal(in_flight_jobs(f), cases[i].jobs + (batch ? 1 : 0));
                if (!single || !batch)
                        assert_int_equal(e.code, ERR_FULL);
                in_flight_destroy(&f);
        }
}

static void a_batch_waits_no_longer_than_it_wants(void **state)
{
        struct in_flight *f = window(JOBS_MAX, 0);
        struct err e = {0};
        msec begun = clock_mono();

        (void)state;
        assert_int_equal(in_flight_enter_wait(f, 1, begun + SOON_MS, &e), -1);
        assert_true(clock_mono() - begun >= SOON_MS);
        assert_string_equal(e.text, "8 submissions are not confirmed yet");
        in_flight_destroy(&f);
}

static void *enter(void *window)
{
        struct err e = {0};
        bool entered = in_flight_enter_wait(window, 1, clock_mono() + LONG_MS, &e) == 0;

        return entered ? window : NULL;
}

static void a_batch_enters_when_others_leave(void **state)
{
        enum { BATCHES = 3 };
        struct in_flight *f = window(JOBS_MAX, 0);
        pthread_t threads[BATCHES];
        msec begun = clock_mono();

        (void)state;
        atomic_store(&waits, 0);
        for (int i = 0; i < BATCHES; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, enter, f), 0);
        while (atomic_load(&waits) < BATCHES)
                assert_true(clock_mono() - begun < LONG_MS);
        for (unsigned i = 0; i < JOBS_MAX; i++)
                in_flight_leave(f, 1, 0);
        for (int i = 0; i < BATCHES; i++) {
                void *entered = NULL;
                assert_int_equal(pthread_join(threads[i], &entered), 0);
                assert_non_null(entered);
        }
        assert_true(clock_mono() - begun < LONG_MS);
        assert_int_equal(in_flight_jobs(f), BATCHES);
        in_flight_destroy(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(lets_in_while_there_is_room),
                cmocka_unit_test(a_batch_waits_no_longer_than_it_wants),
                cmocka_unit_test(a_batch_enters_when_others_leave),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
