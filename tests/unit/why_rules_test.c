/* SPDX-License-Identifier: Apache-2.0
 *
 * why_rules_test.c: facts, and the codes that they mean.
 */
#include "common/model/record.h"
#include "status-store/why/why_rules.h"
#include "tests/unit/unit.h"

enum { NOW = 1000000 };

/* A pending job that nothing keeps from its start. */
static struct why_facts free_to_start(void)
{
        return (struct why_facts){.status = STATUS_PENDING,
                                  .now = NOW,
                                  .workers = 2,
                                  .workers_free = 1,
                                  .slots = {.limit = RECORD_UNLIMITED, .free = -1},
                                  .type_slots = {.limit = RECORD_UNLIMITED, .free = -1},
                                  .starts_free = -1};
}

typedef void change_fn(struct why_facts *f);

static void nothing(struct why_facts *f)
{
        (void)f;
}

static void running(struct why_facts *f)
{
        f->status = STATUS_RUNNING;
        f->tenant_paused = true;
}

static void completed(struct why_facts *f)
{
        f->status = STATUS_COMPLETED;
        f->lag = 60000;
}

static void lagging(struct why_facts *f)
{
        f->lag = 5001;
        f->tenant_paused = true;
}

static void a_little_late(struct why_facts *f)
{
        f->lag = 5000;
        f->tenant_paused = true;
}

static void delayed(struct why_facts *f)
{
        f->status = STATUS_SCHEDULED;
        f->run_at = NOW + 1;
        f->ahead = 4;
        f->starts_free = 0;
        f->has_rate = true;
}

static void due(struct why_facts *f)
{
        f->status = STATUS_SCHEDULED;
        f->run_at = NOW;
}

static void delayed_and_paused(struct why_facts *f)
{
        delayed(f);
        f->tenant_paused = f->type_paused = true;
        f->workers = f->workers_free = 0;
}

static void backoff(struct why_facts *f)
{
        f->status = STATUS_FAILED;
        f->run_at = NOW + 500;
}

/* A consumer holds it until its time. */
static void held(struct why_facts *f)
{
        f->run_at = NOW + 900;
        f->ahead = 4;
}

static void held_retry(struct why_facts *f)
{
        held(f);
        f->retries = true;
}

static void blocked(struct why_facts *f)
{
        f->broker_blocked = true;
}

static void paused(struct why_facts *f)
{
        f->tenant_paused = f->type_paused = true;
}

static void type_paused(struct why_facts *f)
{
        f->type_paused = true;
}

static void no_worker(struct why_facts *f)
{
        f->workers = f->workers_free = 0;
        f->ahead = 3;
}

static void no_starts(struct why_facts *f)
{
        f->has_rate = true;
        f->starts_free = 0;
}

static void starts_not_counted(struct why_facts *f)
{
        f->has_rate = true;
}

static void slots_run(struct why_facts *f)
{
        f->slots = (struct why_limit){.limit = 5, .free = -1, .running = 5};
}

static void slots_taken(struct why_facts *f)
{
        f->slots = (struct why_limit){.limit = 5, .free = 0, .running = 4};
}

static void slots_counted_early(struct why_facts *f)
{
        f->slots = (struct why_limit){.limit = 5, .free = 0, .running = 0};
}

static void slots_left(struct why_facts *f)
{
        f->slots = (struct why_limit){.limit = 5, .free = 1, .running = 4};
}

/* The limit was changed: those that run hold tokens of the one before. */
static void slots_of_a_new_limit(struct why_facts *f)
{
        f->slots = (struct why_limit){.limit = 5, .free = 5, .running = 8};
}

static void type_full(struct why_facts *f)
{
        f->type_slots = (struct why_limit){.limit = 2, .free = 0, .running = 2};
}

static void workers_full(struct why_facts *f)
{
        f->workers_full = 2;
}

static void one_worker_full(struct why_facts *f)
{
        f->workers_full = 1;
}

static void behind(struct why_facts *f)
{
        f->ahead = 1;
}

static void workers_busy(struct why_facts *f)
{
        f->workers_free = 0;
}

static void everything(struct why_facts *f)
{
        f->broker_blocked = f->tenant_paused = f->type_paused = true;
        no_starts(f);
        slots_run(f);
        type_full(f);
        f->ahead = 7;
}

static const struct {
        change_fn *change;
        enum why_code want;
        enum why_code also[WHY_COUNT]; /* ended by WHY_NONE */
} cases[] = {
        {nothing, WHY_UNKNOWN, {0}},
        {running, WHY_NONE, {0}},
        {completed, WHY_NONE, {0}},
        {lagging, WHY_LAGGING, {0}},
        {a_little_late, WHY_TENANT_PAUSED, {0}},
        {delayed, WHY_DELAYED, {0}},
        {due, WHY_UNKNOWN, {0}},
        {delayed_and_paused, WHY_DELAYED, {WHY_TENANT_PAUSED, WHY_TYPE_PAUSED, WHY_NO_WORKER}},
        {backoff, WHY_BACKOFF, {0}},
        {held, WHY_DELAYED, {0}},
        {held_retry, WHY_BACKOFF, {0}},
        {blocked, WHY_BROKER_BLOCKED, {0}},
        {paused, WHY_TENANT_PAUSED, {WHY_TYPE_PAUSED}},
        {type_paused, WHY_TYPE_PAUSED, {0}},
        {no_worker, WHY_NO_WORKER, {WHY_BEHIND}},
        {no_starts, WHY_RATE, {0}},
        {starts_not_counted, WHY_UNKNOWN, {0}},
        {slots_run, WHY_NO_SLOT, {0}},
        {slots_taken, WHY_NO_SLOT, {0}},
        {slots_counted_early, WHY_UNKNOWN, {0}},
        {slots_left, WHY_UNKNOWN, {0}},
        {slots_of_a_new_limit, WHY_UNKNOWN, {0}},
        {type_full, WHY_TYPE_LIMIT, {0}},
        {workers_full, WHY_TYPE_LIMIT, {0}},
        {one_worker_full, WHY_UNKNOWN, {0}},
        {behind, WHY_BEHIND, {0}},
        {workers_busy, WHY_BEHIND, {0}},
        {everything,
         WHY_BROKER_BLOCKED,
         {WHY_TENANT_PAUSED, WHY_TYPE_PAUSED, WHY_RATE, WHY_NO_SLOT, WHY_TYPE_LIMIT, WHY_BEHIND}},
};

static void test_codes(void **state)
{
        (void)state;
        for (size_t i = 0; i < COUNT(cases); i++) {
                struct why_facts f = free_to_start();
                enum why_code also[WHY_COUNT] = {0};

                cases[i].change(&f);
                if (why_judge(&f, also) != cases[i].want)
                        fail_msg("case %zu: %d", i, why_judge(&f, also));
                for (size_t n = 0; n < WHY_COUNT; n++) {
                        if (also[n] != cases[i].also[n])
                                fail_msg("case %zu: also[%zu] is %d", i, n, also[n]);
                        if (also[n] == WHY_NONE)
                                break;
                }
        }
}

static void test_names(void **state)
{
        (void)state;
        assert_null(why_code_name(WHY_NONE));
        assert_string_equal(why_code_name(WHY_LAGGING), "unknown");
        for (enum why_code code = WHY_LAGGING; code <= WHY_UNKNOWN; code++)
                assert_non_null(why_code_name(code));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_codes),
                cmocka_unit_test(test_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
