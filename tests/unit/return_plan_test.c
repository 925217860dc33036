/* SPDX-License-Identifier: Apache-2.0
 *
 * return_plan_test.c: the slots of a limited type stay busy while its jobs wait, and jobs hop
 * seldom. Whole backlogs are simulated in a time of the test's own.
 */
#include <limits.h>
#include <stdlib.h>

#include "common/base/memory.h"
#include "common/model/delay.h"
#include "consumer/return_plan.h"
#include "tests/unit/unit.h"

struct backlog {
        unsigned jobs, slots;
        double run_ms;
        double believed;   /* the run time that the consumer assumes, as a factor of run_ms */
        unsigned hops_max; /* per job, on average */
};

/* One consumer and a backlog of one type. The jobs away are a heap ordered by the time they
 * return. */
struct scene {
        const struct backlog *backlog;
        struct return_plan returns;
        unsigned running, waiting, away, done, hops;
        double *ends;   /* of the running jobs */
        msec *arrivals; /* heap */
        double idle_ms; /* the sum over all slots */
        uint32_t seed;
};

static void swap(msec *a, msec *b)
{
        msec t = *a;

        *a = *b;
        *b = t;
}

static void push(struct scene *s, msec at)
{
        unsigned i = s->away++;

        s->arrivals[i] = at;
        for (; i > 0 && s->arrivals[(i - 1) / 2] > s->arrivals[i]; i = (i - 1) / 2)
                swap(&s->arrivals[(i - 1) / 2], &s->arrivals[i]);
}

static void pop(struct scene *s)
{
        unsigned i = 0;

        s->arrivals[0] = s->arrivals[--s->away];
        for (;;) {
                unsigned least = 2 * i + 1;
                if (least + 1 < s->away && s->arrivals[least + 1] < s->arrivals[least])
                        least++;
                if (least >= s->away || s->arrivals[i] <= s->arrivals[least])
                        return;
                swap(&s->arrivals[i], &s->arrivals[least]);
                i = least;
        }
}

/* A random length of 0.8 to 1.2 times the mean. */
static double length_of_run(struct scene *s)
{
        s->seed = s->seed * 1664525 + 1013904223;
        return s->backlog->run_ms * (0.8 + (s->seed >> 8) / 16777216.0 * 0.4);
}

static void arrive(struct scene *s, msec now)
{
        double each = s->backlog->run_ms * s->backlog->believed / s->backlog->slots;

        if (s->running < s->backlog->slots) {
                s->ends[s->running++] = (double)now + length_of_run(s);
        } else if (s->waiting < return_plan_keep(s->backlog->slots, each)) {
                s->waiting++;
        } else {
                msec wait = return_plan_next(&s->returns, s->waiting, each, now);
                s->hops++;
                push(s, now + wait + 5 + s->seed % 30); /* plus the way there and back */
        }
}

static void end(struct scene *s, unsigned slot)
{
        s->done++;
        if (s->waiting > 0) {
                s->waiting--;
                s->ends[slot] += length_of_run(s);
        } else {
                s->ends[slot] = s->ends[--s->running];
        }
}

static unsigned first_end(const struct scene *s)
{
        unsigned first = 0;

        for (unsigned i = 1; i < s->running; i++)
                first = s->ends[i] < s->ends[first] ? i : first;
        return first;
}

static void step(struct scene *s, double *now)
{
        unsigned slot = first_end(s);
        bool ends = s->running > 0 && (s->away == 0 || s->ends[slot] <= (double)s->arrivals[0]);
        double at = ends ? s->ends[slot] : (double)s->arrivals[0];

        if (s->away > 0)
                s->idle_ms += (at - *now) * (s->backlog->slots - s->running);
        *now = at;
        if (ends) {
                end(s, slot);
                return;
        }
        pop(s);
        arrive(s, (msec)at);
}

static void backlogs_keep_their_slots_busy(void **state)
{
        static const struct backlog table[] = {
                {12, 1, 1000, 1, 1},      {100, 1, 1000, 1, 5},      {1000, 1, 1000, 1, 10},
                {10000, 1, 1000, 1, 15},  {1000, 1, 10, 1, 5},       {2000, 1, 5, 1, 5},
                {10000, 4, 20, 1, 10},    {20000, 1, 1, 1, 10},      {200, 2, 60000, 1, 10},
                {500, 3, 30000, 1, 10},   {300, 100, 600000, 1, 10}, {1000, 1, 1000, 0.4, 20},
                {1000, 1, 1000, 1.2, 10}, {5000, 1, 10, 1.2, 10},    {100000, 1, 1000, 1, 40},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                const struct backlog *b = &table[i];
                struct scene s = {.backlog = b, .seed = 1};
                double now = 0;
                s.ends = xcalloc(b->slots, sizeof(*s.ends));
                s.arrivals = xcalloc(b->jobs, sizeof(*s.arrivals));
                for (unsigned n = 0; n < b->jobs; n++)
                        push(&s, n / 5);
                while (s.done < b->jobs)
                        step(&s, &now);
                assert_true(s.idle_ms < 0.05 * b->jobs * b->run_ms);
                assert_true(s.hops <= b->hops_max * b->jobs);
                free(s.ends);
                free(s.arrivals);
        }
}

static void as_much_waits_as_keeps_the_slots_busy(void **state)
{
        static const struct {
                int64_t limit;
                double each_ms;
                unsigned want;
        } table[] = {
                {1, 1000, 10},    {1, 60000, 1},
                {4, 15000, 4},    {1, 5, RETURN_PLAN_KEEP_MAX},
                {300, 100, 300},  {1, 1.5, RETURN_PLAN_KEEP_MAX},
                {1, 1, UINT_MAX}, /* all jobs that may wait would be done in 256 ms */
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++)
                assert_int_equal(return_plan_keep(table[i].limit, table[i].each_ms), table[i].want);
}

static void nobody_is_away_for_longer_than_an_hour(void **state)
{
        struct return_plan r = {0};

        (void)state;
        for (int i = 0; i < 100000; i++)
                assert_true(return_plan_next(&r, 10, 1000, i / 10) <= RETURN_PLAN_LONGEST);
        assert_false(return_plan_is_over(&r, MSEC_HOUR));
        assert_true(return_plan_is_over(&r, MSEC_HOUR + 10001));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(as_much_waits_as_keeps_the_slots_busy),
                cmocka_unit_test(nobody_is_away_for_longer_than_an_hour),
                cmocka_unit_test(backlogs_keep_their_slots_busy),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
