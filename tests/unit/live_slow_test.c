/* SPDX-License-Identifier: Apache-2.0
 *
 * live_slow_test.c: a client of the live feed that takes too little, and how its WebSocket ends.
 * The pool is a fake.
 */
#include "gateway/live/live_client.h"

#include <string.h>

#include "tests/unit/unit.h"

static struct {
        unsigned closed, abandoned; /* the codes; 0: was not */
} fake;

int __wrap_websockets_send(struct websockets *all, uint64_t socket, struct bytes text,
                           struct err *e);
void __wrap_websockets_close(struct websockets *all, uint64_t socket, unsigned code);
void __wrap_websockets_abandon(struct websockets *all, uint64_t socket, unsigned code);

int __wrap_websockets_send(struct websockets *all, uint64_t socket, struct bytes text,
                           struct err *e)
{
        (void)all;
        (void)socket;
        (void)text;
        (void)e;
        return 0;
}

void __wrap_websockets_close(struct websockets *all, uint64_t socket, unsigned code)
{
        (void)all;
        (void)socket;
        fake.closed = code;
}

void __wrap_websockets_abandon(struct websockets *all, uint64_t socket, unsigned code)
{
        (void)all;
        (void)socket;
        fake.abandoned = code;
}

static struct live_client *new_client(void)
{
        struct live_asked asked = {.filter.tenant = "*"};
        struct live_client *c = live_client_create(&asked, NULL, NULL);

        memset(&fake, 0, sizeof(fake));
        live_client_open(c, 1, 0);
        return c;
}

static void what_waits_is_not_sent_after_the_end_of_its_key(void **state)
{
        struct live_client *c = new_client();

        (void)state;
        live_client_end(c);
        assert_int_equal(fake.abandoned, LIVE_CLOSE_KEY);
        assert_int_equal(fake.closed, 0);
        live_client_destroy(&c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_waits_is_not_sent_after_the_end_of_its_key),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
