/* SPDX-License-Identifier: Apache-2.0
 *
 * attempt_test.c: the transitions of an attempt's states, and its deliveries.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "consumer/attempt.h"
#include "tests/unit/unit.h"

#define NOW ((msec)1732250000000)

/* What an attempt did to the link. */
static int acked, requeued;
static const struct delivery *dead;

void __wrap_link_settle(struct delivery **d, enum settle how);
bool __wrap_delivery_is_live(const struct delivery *d);

void __wrap_link_settle(struct delivery **d, enum settle how)
{
        if (how == SETTLE_ACK)
                acked++;
        else
                requeued++;
        free(*d);
        *d = NULL;
}

bool __wrap_delivery_is_live(const struct delivery *d)
{
        return d != dead;
}

static void only_mapped_moves_are_allowed(void **state)
{
        static const char *const want[STATE_COUNT] = {
                [STATE_ARRIVED] = "asked held waiting leaving settled ",
                [STATE_ASKED] = "held waiting leaving settled ",
                [STATE_HELD] = "asked held waiting leaving settled ",
                [STATE_WAITING] = "picked running leaving settled ",
                [STATE_PICKED] = "waiting running leaving settled ",
                [STATE_RUNNING] = "waiting stopping leaving ",
                [STATE_STOPPING] = "leaving settled ",
                [STATE_LEAVING] = "settled ",
                [STATE_SETTLED] = "",
        };

        static const char *const names[STATE_COUNT] = {
                [STATE_ARRIVED] = "arrived",   [STATE_ASKED] = "asked",
                [STATE_HELD] = "held",         [STATE_WAITING] = "waiting",
                [STATE_PICKED] = "picked",     [STATE_RUNNING] = "running",
                [STATE_STOPPING] = "stopping", [STATE_LEAVING] = "leaving",
                [STATE_SETTLED] = "settled",
        };

        (void)state;
        for (int from = 0; from < STATE_COUNT; from++) {
                char got[128] = "";
                for (int to = 0; to < STATE_COUNT; to++) {
                        if (!attempt_may_move((enum attempt_state)from, (enum attempt_state)to))
                                continue;
                        strncat(got, names[to], 20);
                        strncat(got, " ", 2);
                }
                assert_string_equal(got, want[from]);
        }
}

static struct attempt *arrive(struct tenant_queue *f, size_t size)
{
        struct delivery *d = xcalloc(1, sizeof(*d));
        struct job job = {.id = "x", .tenant = "acme", .run = 1, .attempt = 2};

        d->message.body = bytes_of("", size);
        return attempt_create(&job, f, &d, 0);
}

/* A hop's end replaced the time to run, so it is not told. */
static void a_start_tells_of_its_job(void **state)
{
        static const struct {
                bool hop;
                msec run_at, want;
        } rows[] = {{false, 0, 0}, {false, NOW + 5, NOW + 5}, {true, NOW + 5, 0}};

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct job_hint hint;
                struct attempt a = {.job = {.type = "send_email",
                                            .priority = PRIORITY_HIGH,
                                            .max_retries = 4,
                                            .submitted_at = NOW,
                                            .run_at = rows[i].run_at,
                                            .hop = rows[i].hop,
                                            .traceparent = "trace"}};
                attempt_hint(&a, &hint);
                assert_string_equal(hint.type, "send_email");
                assert_string_equal(hint.traceparent, "trace");
                assert_int_equal(hint.priority, PRIORITY_HIGH);
                assert_int_equal(hint.max_retries, 4);
                assert_int_equal(hint.submitted_at, NOW);
                assert_int_equal(hint.run_at, rows[i].want);
        }
}

static void all_deliveries_are_settled_together(void **state)
{
        struct tenant t = {.name = "acme"};
        struct tenant_queue *f = &t.queues[0];
        struct attempt *a;
        struct delivery *more;

        (void)state;
        f->tenant = &t;
        a = arrive(f, 1000);
        size_t alone = a->bytes;
        assert_int_equal(a->number, 3);
        assert_int_in_range(alone, 1000, 100000);
        for (int i = 0; i < 2; i++) {
                more = xcalloc(1, sizeof(*more));
                if (i == 0)
                        dead = more;
                attempt_join(a, f, &more);
                assert_null(more);
        }
        /* the delivery that was no longer live was dropped when the next came */
        assert_int_equal(acked, 1);
        assert_int_equal(f->held, 2);
        assert_int_in_range(a->bytes, alone + 1, 2 * alone);
        assert_true(attempt_is_live(a));
        attempt_settle(a, SETTLE_REQUEUE);
        assert_int_equal(requeued, 2);
        assert_int_equal(f->held, 0);
        assert_int_equal(t.attempts, 1);
        attempt_destroy(&a);
        assert_int_equal(t.attempts, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(only_mapped_moves_are_allowed),
                cmocka_unit_test(a_start_tells_of_its_job),
                cmocka_unit_test(all_deliveries_are_settled_together),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
