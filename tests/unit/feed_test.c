/* SPDX-License-Identifier: Apache-2.0
 *
 * feed_test.c: which stream an exchange feeds.
 */
#include "common/model/feed.h"

#include <stdio.h>

#include "tests/unit/unit.h"

static void each_exchange(void **state)
{
        static const struct {
                const char *exchange, *stream;
                bool want;
        } cases[] = {
                {"jobs.acme", "events", true},
                {"delay.30s", "events", true},
                {"due", "events", true},
                {"dead", "events", true},
                {"events", "events", true},
                {"sync", "control", true},
                {"control", "control", true},
                {"marks", "marks", true},
                {"jobs.", "events", false},
                {"jobs.acme", NULL, false},
                {"jobs.acme", "control", false},
                {"dues", "events", false},
                {"unroutable", NULL, true},
                {"unroutable", "events", false},
                {"unroutable", "unroutable", false},
                {"work", NULL, true},
                {"work", "events", false},
                {"work", "work", false},
                {"hold.30s", NULL, true},
                {"hold.30s", "events", false},
                {"hold.30s", "hold.30s", false},
                {"works", "works", true},
                {"parked.send_email", NULL, true},
                {"parked.send_email", "events", false},
                {"parked-tenant.acme.send_email", NULL, true},
                {"parked-tenant.acme.send_email", "events", false},
                {"", NULL, true},
                {"own", "own", true},
                {"control", "events", false},
                {"events", NULL, false},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(cases); i++) {
                if (feed_is_of(bytes_of_text(cases[i].exchange), cases[i].stream) != cases[i].want)
                        fail_msg("%s, %s", cases[i].exchange,
                                 cases[i].stream == NULL ? "none" : cases[i].stream);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(each_exchange)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
