/* SPDX-License-Identifier: Apache-2.0
 *
 * status_waiting_test.c: what waits and runs, and what is ahead of a job, by tenant, lane and type.
 */
#include "tests/unit/status_rig.h"

#include "status-store/why/waiting.h"

/* The beginning of a minute ten minutes ago: older ones are not counted. */
static msec t0;
#define AT(second) (t0 + (second)*MSEC_SECOND)

static void submit(struct rig *r, unsigned number, const char *tenant, enum lane lane, msec at)
{
        char id[UUID_SIZE];

        snprintf(id, sizeof(id), "00000000-0000-4000-8000-%012x", number);
        struct job j = rig_job(id, at);
        snprintf(j.tenant, sizeof(j.tenant), "%s", tenant);
        j.lane = lane;
        if (lane != LANE_LONG)
                j.priority = (enum priority)lane;
        rig_submit(r, &j);
}

static void start(struct rig *r, unsigned number, const char *tenant, msec at)
{
        char id[UUID_SIZE];

        snprintf(id, sizeof(id), "00000000-0000-4000-8000-%012x", number);
        struct job j = rig_job(id, at);
        snprintf(j.tenant, sizeof(j.tenant), "%s", tenant);
        rig_tell(r, &j, EVENT_STARTED, 1, at);
}

/* acme: two critical, three medium, one low, two long, and one of medium that runs; other: one. */
static void fill(struct rig *r)
{
        static const enum lane lanes[] = {LANE_MEDIUM, LANE_CRITICAL, LANE_MEDIUM, LANE_LOW,
                                          LANE_LONG,   LANE_CRITICAL, LANE_LONG,   LANE_MEDIUM};

        for (unsigned i = 0; i < COUNT(lanes); i++)
                submit(r, i + 1, "acme", lanes[i], AT(i));
        submit(r, 50, "acme", LANE_MEDIUM, AT(1));
        start(r, 50, "acme", AT(2));
        submit(r, 60, "other", LANE_MEDIUM, AT(0));
        rig_commit(r);
}

/* A rig with these jobs, and a reader. */
struct full {
        struct rig rig;
        struct readers *readers;
        struct reader *reader;
        struct err e;
};

static void full_open(struct full *f)
{
        *f = (struct full){0};
        rig_open(&f->rig);
        fill(&f->rig);
        f->readers = readers_create(f->rig.place.path, 1, &f->e);
        f->reader = readers_take(f->readers, &f->e);
        assert_non_null(f->reader);
}

static void full_close(struct full *f)
{
        readers_give(&f->reader);
        readers_destroy(&f->readers);
        rig_close(&f->rig);
}

static int64_t ref(struct full *f, const char *name)
{
        int64_t found = waiting_ref(f->reader, name, &f->e);
        assert_true(found > 0);
        return found;
}

static void test_lanes(void **state)
{
        (void)state;
        const struct lane_waiting want[LANE_COUNT] = {
                [LANE_LOW] = {1, 0, AT(3)},
                [LANE_MEDIUM] = {3, 1, AT(0)},
                [LANE_CRITICAL] = {2, 0, AT(1)},
                [LANE_LONG] = {2, 0, AT(4)},
        };
        struct lane_waiting got[LANE_COUNT];
        struct full f;

        full_open(&f);
        assert_int_equal(waiting_lanes(f.reader, ref(&f, "acme"), got, &f.e), 0);
        for (int i = 0; i < LANE_COUNT; i++) {
                assert_int_equal(got[i].waiting, want[i].waiting);
                assert_int_equal(got[i].running, want[i].running);
                assert_int_equal(got[i].oldest, want[i].oldest);
        }
        full_close(&f);
}

static void test_running(void **state)
{
        (void)state;
        struct full f;

        full_open(&f);
        assert_int_equal(waiting_running_of_tenant(f.reader, ref(&f, "acme"), &f.e), 1);
        assert_int_equal(waiting_running_of_tenant(f.reader, ref(&f, "other"), &f.e), 0);
        assert_int_equal(waiting_running_of_type(f.reader, ref(&f, "noop"), &f.e), 1);
        assert_int_equal(waiting_ref(f.reader, "nobody", &f.e), 0);
        full_close(&f);
}

/* Names of tenants and types are kept in one table. */
static void test_whose_type_has_jobs(void **state)
{
        (void)state;
        static const struct {
                const char *tenant, *type;
                int want;
        } cases[] = {
                {"acme", "noop", 1},  {"other", "noop", 1},  {"other", "export", 1},
                {"*", "export", 1},   {"*", "noop", 1},      {"acme", "export", 0},
                {"acme", "other", 0}, {"acme", "acme", 0},   {"*", "acme", 0},
                {"*", "nothing", 0},  {"nobody", "noop", 0},
        };
        struct full f;

        full_open(&f);
        struct job j = rig_job("00000000-0000-4000-8000-0000000000aa", AT(0));
        snprintf(j.tenant, sizeof(j.tenant), "other");
        snprintf(j.type, sizeof(j.type), "export");
        rig_submit(&f.rig, &j);
        rig_commit(&f.rig);
        for (size_t i = 0; i < COUNT(cases); i++) {
                int got = waiting_type_has_jobs(f.reader, cases[i].tenant, cases[i].type, &f.e);
                if (got != cases[i].want)
                        fail_msg("%s of %s: %d", cases[i].type, cases[i].tenant, got);
        }
        full_close(&f);
}

static void test_ahead(void **state)
{
        (void)state;
        const struct {
                enum lane lane;
                msec created;
                int64_t want[LANE_COUNT];
        } cases[] = {
                {LANE_MEDIUM, AT(7), {[LANE_CRITICAL] = 2, [LANE_MEDIUM] = 2}},
                {LANE_MEDIUM, AT(0), {[LANE_CRITICAL] = 2}},
                {LANE_LOW, AT(3), {[LANE_CRITICAL] = 2, [LANE_MEDIUM] = 3}},
                {LANE_CRITICAL, AT(5), {[LANE_CRITICAL] = 1}},
                {LANE_LONG, AT(6), {[LANE_LONG] = 1}},
        };
        struct full f;

        full_open(&f);
        for (size_t i = 0; i < COUNT(cases); i++) {
                int64_t got[LANE_COUNT];
                const struct waiting_place job = {ref(&f, "acme"), cases[i].lane, cases[i].created,
                                                  .idle = {0}};
                assert_int_equal(waiting_ahead(f.reader, &job, got, &f.e), 0);
                for (int lane = 0; lane < LANE_COUNT; lane++)
                        assert_int_equal(got[lane], cases[i].want[lane]);
        }
        /* Those of a type that nobody handles, or that is paused, leave their lane. */
        int64_t left[LANE_COUNT];
        struct waiting_place job = {ref(&f, "acme"), LANE_MEDIUM, AT(7),
                                    bytes_of_text("[\"noop\"]")};
        assert_int_equal(waiting_ahead(f.reader, &job, left, &f.e), 0);
        assert_int_equal(left[LANE_MEDIUM] + left[LANE_CRITICAL], 0);
        job.idle = bytes_of_text("[\"other\"]");
        assert_int_equal(waiting_ahead(f.reader, &job, left, &f.e), 0);
        assert_int_equal(left[LANE_MEDIUM] + left[LANE_CRITICAL], 4);
        /* Of all tenants and lanes. */
        assert_int_equal(waiting_ahead_of_type(f.reader, ref(&f, "noop"), AT(2), &f.e), 3);
        full_close(&f);
}

static void test_starts(void **state)
{
        (void)state;
        struct full f;

        full_open(&f);
        double starts = waiting_starts(f.reader, ref(&f, "acme"), AT(60), &f.e);
        assert_true(starts > 0.0083 && starts < 0.0084); /* one in 120 s */
        assert_true(waiting_starts(f.reader, ref(&f, "acme"), AT(600), &f.e) == 0);
        full_close(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lanes),
                cmocka_unit_test(test_running),
                cmocka_unit_test(test_whose_type_has_jobs),
                cmocka_unit_test(test_ahead),
                cmocka_unit_test(test_starts),
        };

        t0 = (clock_wall() / MSEC_MINUTE - 10) * MSEC_MINUTE;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
