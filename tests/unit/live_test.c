/* SPDX-License-Identifier: Apache-2.0
 *
 * live_test.c: the live feed's end: its thread no longer runs when what it uses is freed.
 */
#include "gateway/live/live.h"

#include <string.h>

#include "tests/unit/unit.h"

static char order[64]; /* what was destroyed */

void __real_live_hub_destroy(struct live_hub **h);
void __real_websockets_destroy(struct websockets **all);
void __wrap_live_hub_destroy(struct live_hub **h);
void __wrap_websockets_destroy(struct websockets **all);

void __wrap_live_hub_destroy(struct live_hub **h)
{
        strcat(order, "hub ");
        __real_live_hub_destroy(h);
}

void __wrap_websockets_destroy(struct websockets **all)
{
        strcat(order, "pool ");
        __real_websockets_destroy(all);
}

static void the_thread_ends_before_its_pool(void **state)
{
        struct metrics *metrics = metrics_create("gateway");
        struct live_meters meters;
        struct err e = {0};

        (void)state;
        live_meters_init(&meters, metrics);
        struct live *l = live_create(&(struct live_config){.max = 4, .meters = &meters}, &e);
        assert_non_null(l);
        assert_non_null(live_websockets(l));
        live_destroy(&l);
        assert_null(l);
        assert_string_equal(order, "hub pool ");
        metrics_destroy(&metrics);
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(the_thread_ends_before_its_pool)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
