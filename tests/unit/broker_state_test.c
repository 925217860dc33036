/* SPDX-License-Identifier: Apache-2.0
 *
 * broker_state_test.c: what is said of the broker after events of the links, and after probes.
 */
#include <string.h>

#include "common/base/own.h"
#include "gateway/broker_state.h"
#include "tests/unit/unit.h"

/* What the fake link does with a probe. */
static struct {
        bool refuses, confirms;
        int published;
        struct publish_wait wait; /* of the last one */
} fake;

int __wrap_link_publish(struct link *l, const struct message *m, const struct publish_wait *done,
                        struct err *e);
int __wrap_link_publish(struct link *l, const struct message *m, const struct publish_wait *done,
                        struct err *e)
{
        (void)l;
        assert_true(bytes_equal_text(m->type, "probe"));
        assert_int_equal(m->message_id.length, 0);
        if (fake.refuses)
                return err_set(e, ERR_UNAVAILABLE, "down");
        fake.published++;
        fake.wait = *done;
        return 0;
}

static msec mono = 1000000;

msec __wrap_clock_mono(void);
msec __wrap_clock_mono(void)
{
        return mono;
}

/* Instead of waiting: the broker's answer comes, or the deadline does. */
bool __wrap_condition_wait(pthread_cond_t *c, pthread_mutex_t *mutex, msec deadline);
bool __wrap_condition_wait(pthread_cond_t *c, pthread_mutex_t *mutex, msec deadline)
{
        (void)c;
        if (!fake.confirms) {
                mono = deadline;
                return false;
        }
        pthread_mutex_unlock(mutex);
        fake.wait.done(fake.wait.owner, LINK_CONFIRMED);
        pthread_mutex_lock(mutex);
        return true;
}

static struct broker_state *create_up(void)
{
        struct broker_state *s = broker_state_create();

        memset(&fake, 0, sizeof(fake));
        fake.confirms = true;
        broker_state_up(s, BROKER_QUEUES);
        broker_state_up(s, BROKER_PACKS);
        return s;
}

static void assert_is(struct broker_state *s, enum broker_verdict want)
{
        struct broker_seen seen = broker_state_look(s, NULL);

        assert_int_equal(seen.verdict, want);
        assert_true((seen.since == 0) == (want == BROKER_UP));
}

static void test_links(void **state)
{
        (void)state;
        AUTO(broker_state) s = create_up();

        assert_is(s, BROKER_UP);
        broker_state_blocked(s, BROKER_PACKS, true);
        assert_is(s, BROKER_BLOCKED);
        broker_state_down(s, BROKER_QUEUES);
        assert_is(s, BROKER_DOWN);
        broker_state_up(s, BROKER_QUEUES);
        assert_is(s, BROKER_BLOCKED);
        broker_state_down(s, BROKER_PACKS);
        assert_is(s, BROKER_DOWN);
        broker_state_up(s, BROKER_PACKS);
        assert_is(s, BROKER_UP);
        broker_state_blocked(s, BROKER_QUEUES, true);
        broker_state_blocked(s, BROKER_QUEUES, false);
        assert_is(s, BROKER_UP);
}

static void test_before_the_first_connection(void **state)
{
        (void)state;
        AUTO(broker_state) s = broker_state_create();

        assert_is(s, BROKER_DOWN);
        broker_state_up(s, BROKER_QUEUES);
        assert_is(s, BROKER_DOWN);
}

static void test_one_probe_a_second(void **state)
{
        (void)state;
        AUTO(broker_state) s = create_up();

        for (int i = 0; i < 5; i++)
                assert_is(s, BROKER_UP);
        assert_int_equal(fake.published, 1);
        mono += 1000;
        assert_is(s, BROKER_UP);
        assert_int_equal(fake.published, 2);
        broker_state_blocked(s, BROKER_PACKS, true);
        mono += 1000;
        assert_is(s, BROKER_BLOCKED);
        assert_int_equal(fake.published, 2);
}

/* One that is a little late says nothing; one that stays out does. */
static void test_late_probe(void **state)
{
        (void)state;
        AUTO(broker_state) s = create_up();

        fake.confirms = false;
        assert_is(s, BROKER_UP);
        mono += 5000;
        assert_is(s, BROKER_BLOCKED);
        assert_int_equal(fake.published, 1);
        fake.wait.done(fake.wait.owner, LINK_CONFIRMED);
        fake.confirms = true;
        assert_is(s, BROKER_UP);
        assert_int_equal(fake.published, 2);
}

static void test_probe_not_sent(void **state)
{
        (void)state;
        AUTO(broker_state) s = create_up();

        fake.refuses = true;
        assert_is(s, BROKER_UP); /* the link's own event says more, soon */
        assert_int_equal(fake.published, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_links),
                cmocka_unit_test(test_before_the_first_connection),
                cmocka_unit_test(test_one_probe_a_second),
                cmocka_unit_test(test_late_probe),
                cmocka_unit_test(test_probe_not_sent),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
