/* SPDX-License-Identifier: Apache-2.0
 *
 * gate_test.c: when a link may publish, and when it reads.
 */
#include "common/amqp/gate.h"

#include <string.h>

#include "tests/unit/unit.h"

#define HEARTBEAT ((msec)10000)

static void without_a_stream(void **state)
{
        struct gate *g = gate_create(NULL, 0, HEARTBEAT);
        struct err e = {0};

        (void)state;
        assert_false(gate_is_open(g));
        gate_connected(g, 5);
        assert_true(gate_is_open(g));
        assert_int_equal(gate_step(g, 5, false, &e), GATE_NOTHING);
        gate_disconnected(g);
        assert_false(gate_is_open(g));
        gate_destroy(&g);
}

static void looks_and_probes(void **state)
{
        struct gate *g = gate_create("events", 0, HEARTBEAT);
        struct err e = {0};

        (void)state;
        gate_connected(g, 5);
        assert_int_equal(gate_deadline(g, false), 5);
        assert_int_equal(gate_step(g, 5, true, &e), GATE_NOTHING); /* the broker reads nothing */
        assert_int_equal(gate_step(g, 5, false, &e), GATE_LOOK);
        assert_int_equal(gate_found(g, 6, NULL, &e), GATE_PROBE);
        assert_false(gate_is_open(g));
        gate_probed(g, LINK_CONFIRMED);
        assert_true(gate_is_open(g));
        assert_int_equal(gate_deadline(g, false), 0);
        gate_destroy(&g);
}

static void a_probe_that_is_not_kept(void **state)
{
        struct gate *g = gate_create("events", 0, HEARTBEAT);
        struct err e = {0};

        (void)state;
        gate_connected(g, 5);
        assert_int_equal(gate_step(g, 5, false, &e), GATE_LOOK);
        assert_int_equal(gate_found(g, 6, NULL, &e), GATE_PROBE);
        gate_probed(g, LINK_RETURNED);
        assert_int_equal(gate_step(g, 6, false, &e), GATE_FAIL);
        assert_non_null(strstr(e.text, "does not get what is published"));
        gate_destroy(&g);
}

/* For instance the stream was deleted. What comes next on this channel could be lost (gate.h). */
static void a_publish_that_is_returned(void **state)
{
        struct gate *g = gate_create("events", 0, HEARTBEAT);
        struct err e = {0};

        (void)state;
        gate_connected(g, 5);
        gate_returned(g); /* not open yet: the gate finds out by itself */
        assert_int_equal(gate_step(g, 5, false, &e), GATE_LOOK);
        assert_int_equal(gate_found(g, 6, NULL, &e), GATE_PROBE);
        gate_probed(g, LINK_CONFIRMED);
        gate_returned(g);
        assert_false(gate_is_open(g));
        assert_int_equal(gate_deadline(g, false), 1);
        assert_int_equal(gate_step(g, 7, false, &e), GATE_FAIL);
        assert_non_null(strstr(e.text, "does not get what is published"));
        gate_destroy(&g);
}

static void a_return_without_a_stream(void **state)
{
        struct gate *g = gate_create(NULL, 0, HEARTBEAT);

        (void)state;
        gate_connected(g, 5);
        gate_returned(g);
        assert_true(gate_is_open(g));
        gate_destroy(&g);
}

static void a_stream_that_stays_away(void **state)
{
        struct gate *g = gate_create("events", 0, HEARTBEAT);
        struct err away = {0}, e = {0};
        msec now = 0;
        int told = 0, looks = 0;

        (void)state;
        err_set(&away, ERR_NOT_FOUND, "no queue");
        gate_connected(g, now);
        for (; now < 20000; now += 10) {
                if (gate_step(g, now, false, &e) != GATE_LOOK)
                        continue;
                looks++;
                told += gate_found(g, now, &away, &e) == GATE_AWAY;
        }
        assert_int_equal(told, 1);
        assert_int_in_range(looks, 60, 150); /* 10 per second at first, later 1 per second */
        assert_non_null(strstr(e.text, "topology apply"));
        gate_destroy(&g);
}

static void no_answer(void **state)
{
        struct gate *g = gate_create("events", 0, HEARTBEAT);
        struct err e = {0};

        (void)state;
        gate_connected(g, 0);
        assert_int_equal(gate_step(g, 0, false, &e), GATE_LOOK);
        gate_restart_wait(g, 3000);
        assert_int_equal(gate_step(g, 7999, false, &e), GATE_NOTHING);
        assert_int_equal(gate_step(g, 8000, false, &e), GATE_FAIL);
        gate_destroy(&g);
}

static void pauses_reading(void **state)
{
        struct gate *g = gate_create(NULL, 1000, HEARTBEAT);

        (void)state;
        gate_connected(g, 5);
        assert_int_equal(gate_update_pause(g, 1000, 10), 0);
        assert_false(gate_is_paused(g));
        assert_int_equal(gate_update_pause(g, 1001, 10), 0);
        assert_true(gate_is_paused(g));
        assert_false(gate_beat_is_due(g, 5009));
        assert_true(gate_beat_is_due(g, 5010));
        assert_false(gate_beat_is_due(g, 5011));
        assert_int_equal(gate_update_pause(g, 1001, 20), 0);
        /* the time paused since the last update */
        assert_int_equal(gate_update_pause(g, 900, 30), 10);
        assert_false(gate_is_paused(g));
        gate_destroy(&g);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(without_a_stream),
                cmocka_unit_test(looks_and_probes),
                cmocka_unit_test(a_probe_that_is_not_kept),
                cmocka_unit_test(no_answer),
                cmocka_unit_test(a_stream_that_stays_away),
                cmocka_unit_test(pauses_reading),
                cmocka_unit_test(a_publish_that_is_returned),
                cmocka_unit_test(a_return_without_a_stream),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
