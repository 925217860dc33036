/* SPDX-License-Identifier: Apache-2.0
 *
 * live_hub_test.c: the keys of the live feed's clients, and whose turn it is. What is below the
 * hub's own modules is replaced.
 */
#include "gateway/live/live_hub.h"

#include <string.h>

#include "common/base/alarm.h"
#include "gateway/live/live_follower.h"
#include "tests/unit/unit.h"

enum { CLIENTS = 2, TICK = 100 };

static struct {
        struct live_hub *hub;
        struct live_client *clients[CLIENTS]; /* [i] has socket i + 1 and key 'a' + i */
        enum live_stay stays[CLIENTS];
        unsigned said[CLIENTS], closed[CLIENTS]; /* texts; the code */
        struct metrics *metrics;
        struct live_meters meters;
        void (*ring)(void *owner);
        bool ticks;
        msec now;
} f;

struct live_follower *__wrap_live_follower_create(const struct link_config *link,
                                                  const struct live_follower_events *on,
                                                  void *owner, uv_loop_t *loop, struct err *e);
void __wrap_live_follower_destroy(struct live_follower **follower);
bool __wrap_live_follower_is_reading(const struct live_follower *follower);
int __wrap_websockets_send(struct websockets *all, uint64_t socket, struct bytes text,
                           struct err *e);
void __wrap_websockets_abandon(struct websockets *all, uint64_t socket, unsigned code);
void __wrap_live_counts_want(struct live_counts *c, bool wanted);
uint64_t __wrap_live_counts_version(struct live_counts *c);
struct alarm *__wrap_alarm_create(uv_loop_t *loop, void (*ring)(void *owner), void *owner);
void __wrap_alarm_set_every(struct alarm *a, msec every);
bool __wrap_alarm_is_set(const struct alarm *a);
void __wrap_alarm_stop(struct alarm *a);
void __wrap_alarm_destroy(struct alarm **a);
msec __wrap_clock_mono(void);

/* It begins at once. */
struct live_follower *__wrap_live_follower_create(const struct link_config *link,
                                                  const struct live_follower_events *on,
                                                  void *owner, uv_loop_t *loop, struct err *e)
{
        static char any;

        (void)link;
        (void)loop;
        (void)e;
        on->begun(owner, 9);
        return (struct live_follower *)(void *)&any;
}

void __wrap_live_follower_destroy(struct live_follower **follower)
{
        *follower = NULL;
}

bool __wrap_live_follower_is_reading(const struct live_follower *follower)
{
        return follower != NULL;
}

int __wrap_websockets_send(struct websockets *all, uint64_t socket, struct bytes text,
                           struct err *e)
{
        (void)all;
        (void)text;
        (void)e;
        f.said[socket - 1]++;
        return 0;
}

void __wrap_websockets_abandon(struct websockets *all, uint64_t socket, unsigned code)
{
        (void)all;
        f.closed[socket - 1] = code;
}

void __wrap_live_counts_want(struct live_counts *c, bool wanted)
{
        (void)c;
        assert_false(wanted);
}

uint64_t __wrap_live_counts_version(struct live_counts *c)
{
        (void)c;
        return 0;
}

struct alarm *__wrap_alarm_create(uv_loop_t *loop, void (*ring)(void *owner), void *owner)
{
        static char any;

        (void)loop;
        (void)owner;
        f.ring = ring;
        return (struct alarm *)(void *)&any;
}

void __wrap_alarm_set_every(struct alarm *a, msec every)
{
        (void)a;
        assert_int_equal(every, TICK);
        f.ticks = true;
}

bool __wrap_alarm_is_set(const struct alarm *a)
{
        (void)a;
        return f.ticks;
}

void __wrap_alarm_stop(struct alarm *a)
{
        (void)a;
        f.ticks = false;
}

void __wrap_alarm_destroy(struct alarm **a)
{
        *a = NULL;
}

msec __wrap_clock_mono(void)
{
        return f.now;
}

static enum live_stay stays(void *owner, const struct live_viewer *v)
{
        assert_ptr_equal(owner, &f);
        return f.stays[v->key[0] - 'a'];
}

static void pass(msec time)
{
        for (msec until = f.now + time; f.now < until; f.now += TICK)
                if (f.ticks)
                        f.ring(f.hub);
}

static void ask_all_for_pong(void)
{
        for (size_t i = 0; i < CLIENTS; i++)
                live_hub_hear(f.hub, f.clients[i], bytes_of_text("{\"ping\":1}"));
}

static int begin(void **state)
{
        (void)state;
        memset(&f, 0, sizeof(f));
        f.now = 1000000;
        f.metrics = metrics_create("test");
        live_meters_init(&f.meters, f.metrics);
        f.hub = live_hub_create(
                &(struct live_hub_config){.meters = &f.meters, .stays = stays, .owner = &f}, NULL);
        for (size_t i = 0; i < CLIENTS; i++) {
                struct live_asked asked = {.filter.tenant = "*"};
                asked.viewer.key[0] = (char)('a' + i);
                f.clients[i] = live_client_create(&asked, NULL, &f.meters);
                live_hub_add(f.hub, f.clients[i], i + 1);
        }
        pass(1000);
        assert_int_equal(f.said[0], 1); /* hello */
        assert_int_equal(f.said[1], 1);
        return 0;
}

static int end(void **state)
{
        (void)state;
        live_hub_destroy(&f.hub);
        live_hub_destroy(&f.hub);
        metrics_destroy(&f.metrics);
        return 0;
}

static void a_key_that_cannot_be_checked(void **state)
{
        (void)state;
        f.stays[0] = LIVE_UNCHECKED;
        pass(600);
        ask_all_for_pong();
        pass(60 * MSEC_SECOND);
        assert_int_equal(f.said[0], 1); /* is told nothing, however long it takes */
        assert_int_equal(f.said[1], 2);
        f.stays[0] = LIVE_STAYS;
        pass(600);
        ask_all_for_pong();
        assert_int_equal(f.said[0], 2);
        assert_int_equal(f.closed[0], 0);
}

static void a_key_that_ends(void **state)
{
        (void)state;
        f.stays[1] = LIVE_ENDS;
        pass(600);
        assert_int_equal(f.closed[0], 0);
        assert_int_equal(f.closed[1], LIVE_CLOSE_KEY);
        ask_all_for_pong();
        assert_int_equal(f.said[0], 2);
        assert_int_equal(f.said[1], 1);
}

/* The feed is read 10 s longer; then nothing rings any more. */
static void the_last_one_goes(void **state)
{
        (void)state;
        for (size_t i = 0; i < CLIENTS; i++)
                live_hub_remove(f.hub, f.clients[i]);
        pass(10 * MSEC_SECOND);
        assert_true(f.ticks);
        pass(500);
        assert_false(f.ticks);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_key_that_cannot_be_checked, begin, end),
                cmocka_unit_test_setup_teardown(a_key_that_ends, begin, end),
                cmocka_unit_test_setup_teardown(the_last_one_goes, begin, end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
