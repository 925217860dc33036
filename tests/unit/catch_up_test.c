/* SPDX-License-Identifier: Apache-2.0
 *
 * catch_up_test.c: when a reader of a stream has caught up, and when it publishes its marker. The
 * links and the alarm are replaced.
 */
#include "common/clients/catch_up.h"

#include <string.h>

#include "common/base/alarm.h"
#include "common/base/own.h"
#include "tests/unit/unit.h"

static struct {
        struct catch_up *catch_up;
        struct link_events reader, marker_link;
        struct source source;
        delivery_fn *deliver;
        void (*ring)(void *owner);
        msec wait; /* until the alarm rings; -1: it is not set */
        struct publish_wait done;
        unsigned published, in_flight;
        char marker[256]; /* the body published last */
        unsigned caught_up, lost;
} f;

struct link *__wrap_link_create(const struct link_config *c, const struct link_events *on,
                                void *owner, uv_loop_t *loop, struct err *e);
void __wrap_link_destroy(struct link **l);
bool __wrap_link_is_up(const struct link *l);
struct subscription *__wrap_link_subscribe(struct link *l, const struct source *s, delivery_fn *on,
                                           void *owner);
void __wrap_link_unsubscribe(struct subscription **s);
int __wrap_link_publish(struct link *l, const struct message *m, const struct publish_wait *done,
                        struct err *e);
void __wrap_link_settle(struct delivery **d, enum settle how);
struct alarm *__wrap_alarm_create(uv_loop_t *loop, void (*ring)(void *owner), void *owner);
void __wrap_alarm_set(struct alarm *a, msec wait);
void __wrap_alarm_stop(struct alarm *a);
void __wrap_alarm_destroy(struct alarm **a);

struct link *__wrap_link_create(const struct link_config *c, const struct link_events *on,
                                void *owner, uv_loop_t *loop, struct err *e)
{
        static char reader, marker_link;

        (void)owner;
        (void)loop;
        (void)e;
        *(c->stream == NULL ? &f.reader : &f.marker_link) = *on;
        return (struct link *)(void *)(c->stream == NULL ? &reader : &marker_link);
}

void __wrap_link_destroy(struct link **l)
{
        *l = NULL;
}

bool __wrap_link_is_up(const struct link *l)
{
        (void)l;
        return true;
}

struct subscription *__wrap_link_subscribe(struct link *l, const struct source *s, delivery_fn *on,
                                           void *owner)
{
        static char any;

        (void)l;
        (void)owner;
        f.source = *s;
        f.deliver = on;
        return (struct subscription *)(void *)&any;
}

void __wrap_link_unsubscribe(struct subscription **s)
{
        *s = NULL;
}

int __wrap_link_publish(struct link *l, const struct message *m, const struct publish_wait *done,
                        struct err *e)
{
        (void)l;
        (void)e;
        assert_true(m->body.length < sizeof(f.marker));
        memcpy(f.marker, m->body.data, m->body.length);
        f.marker[m->body.length] = '\0';
        f.done = *done;
        f.published++;
        f.in_flight++;
        return 0;
}

void __wrap_link_settle(struct delivery **d, enum settle how)
{
        (void)how;
        *d = NULL;
}

struct alarm *__wrap_alarm_create(uv_loop_t *loop, void (*ring)(void *owner), void *owner)
{
        static char any;

        (void)loop;
        (void)owner;
        f.ring = ring;
        return (struct alarm *)(void *)&any;
}

void __wrap_alarm_set(struct alarm *a, msec wait)
{
        assert_non_null(a);
        f.wait = wait;
}

void __wrap_alarm_stop(struct alarm *a)
{
        (void)a;
        f.wait = -1;
}

void __wrap_alarm_destroy(struct alarm **a)
{
        *a = NULL;
        f.wait = -1;
}

static void on_message(void *owner, const struct message *m)
{
        (void)owner;
        (void)m;
}

static void on_caught_up(void *owner)
{
        (void)owner;
        f.caught_up++;
}

static void on_lost(void *owner)
{
        (void)owner;
        f.lost++;
}

static int prepare(void **state)
{
        static const struct catch_up_events on = {
                .message = on_message, .caught_up = on_caught_up, .lost = on_lost};
        const struct link_config link = {.name = "test"};
        const struct catch_up_config config = {
                .link = &link, .stream = "marks", .prefetch = 1, .every_connection = true};
        struct err e = {0};

        (void)state;
        memset(&f, 0, sizeof(f));
        f.catch_up = catch_up_create(&config, &on, NULL, NULL, &e);
        assert_non_null(f.catch_up);
        return 0;
}

static int clean(void **state)
{
        (void)state;
        catch_up_destroy(&f.catch_up);
        return 0;
}

static void ring(void)
{
        assert_true(f.wait >= 0);
        f.wait = -1;
        f.ring(f.catch_up);
}

static void confirm(void)
{
        assert_int_equal(f.in_flight, 1);
        f.in_flight = 0;
        f.done.done(f.done.owner, LINK_CONFIRMED);
}

static void find_the_stream(void)
{
        int64_t offset = 0;

        assert_int_equal(f.source.start(f.catch_up, &offset), SOURCE_FIRST);
}

static void refuse(void)
{
        const struct err why = {.code = ERR_NOT_FOUND};

        f.reader.refused(f.catch_up, NULL, &why);
}

static void read_marker(void)
{
        struct delivery d = {.message = {.body = bytes_of_text(f.marker)}};

        f.deliver(f.catch_up, &d);
}

static void catch_up(void)
{
        find_the_stream();
        ring();
        confirm();
        read_marker();
        assert_int_equal(f.caught_up, 1);
        assert_int_equal(f.wait, -1);
}

/* The broker's basic.cancel: the connection stays up. */
static void a_subscription_that_was_ended_is_lost(void **state)
{
        (void)state;
        catch_up();
        refuse();
        assert_int_equal(f.lost, 1);
        read_marker(); /* from before */
        assert_int_equal(f.caught_up, 1);
        refuse();
        assert_int_equal(f.lost, 1);
        find_the_stream();
        ring();
        read_marker();
        assert_int_equal(f.caught_up, 2);
}

static void no_marker_is_published_while_the_stream_is_missing(void **state)
{
        (void)state;
        refuse();
        for (int i = 0; i < 10; i++) {
                ring();
                assert_int_equal(f.wait, 2000);
        }
        assert_int_equal(f.published, 0);
        find_the_stream();
        ring();
        assert_int_equal(f.published, 1);
}

static void markers_that_are_not_read_become_rare(void **state)
{
        static const msec waits[] = {2000, 4000, 8000, 16000, 32000, 60000, 60000};

        (void)state;
        find_the_stream();
        for (size_t i = 0; i < COUNT(waits); i++) {
                ring();
                confirm();
                assert_int_equal(f.wait, waits[i]);
        }
        assert_int_equal(f.published, COUNT(waits));
}

static void a_new_marker_follows_the_earlier_one_at_once(void **state)
{
        (void)state;
        find_the_stream();
        ring();
        catch_up_again(f.catch_up);
        ring(); /* the earlier one is in flight */
        assert_int_equal(f.published, 1);
        confirm();
        assert_int_equal(f.wait, 0);
        read_marker();
        assert_int_equal(f.caught_up, 0);
        ring();
        read_marker();
        assert_int_equal(f.caught_up, 1);
        confirm();
        assert_int_equal(f.wait, -1);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clean)
                TEST(a_subscription_that_was_ended_is_lost),
                TEST(no_marker_is_published_while_the_stream_is_missing),
                TEST(markers_that_are_not_read_become_rare),
                TEST(a_new_marker_follows_the_earlier_one_at_once),
#undef TEST
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
