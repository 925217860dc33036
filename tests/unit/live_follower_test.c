/* SPDX-License-Identifier: Apache-2.0
 *
 * live_follower_test.c: how the live feed finds its place in the stream, and notices that messages
 * are missing or the stream is another one. The link, the alarm and the clock are replaced.
 */
#include "gateway/live/live_follower.h"

#include <string.h>

#include "common/base/alarm.h"
#include "common/base/uuid.h"
#include "common/model/event.h"
#include "tests/unit/unit.h"

static struct {
        struct live_follower *follower;
        struct link_events link;
        struct source source;
        delivery_fn *deliver;
        void (*tick)(void *owner);
        msec now;
        bool up;
        int64_t unreadable;
        unsigned published, subscribed, settled;
        char marker[UUID_SIZE];
        /* told */
        unsigned messages, lost, rewound;
        int64_t begun, last; /* offsets; -2: none */
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
int64_t __wrap_subscription_unreadable(const struct subscription *s, int64_t after);
struct alarm *__wrap_alarm_create(uv_loop_t *loop, void (*ring)(void *owner), void *owner);
void __wrap_alarm_set_every(struct alarm *a, msec period);
void __wrap_alarm_destroy(struct alarm **a);
msec __wrap_clock_mono(void);

struct link *__wrap_link_create(const struct link_config *c, const struct link_events *on,
                                void *owner, uv_loop_t *loop, struct err *e)
{
        static char any;

        (void)owner;
        (void)loop;
        (void)e;
        assert_string_equal(c->stream, "events"); /* so the link waits for it before it publishes */
        assert_true(c->read_bytes > 0);
        f.link = *on;
        return (struct link *)(void *)&any;
}

void __wrap_link_destroy(struct link **l)
{
        *l = NULL;
}

bool __wrap_link_is_up(const struct link *l)
{
        (void)l;
        return f.up;
}

struct subscription *__wrap_link_subscribe(struct link *l, const struct source *s, delivery_fn *on,
                                           void *owner)
{
        static char any;

        (void)l;
        (void)owner;
        f.source = *s;
        f.deliver = on;
        f.subscribed++;
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
        (void)done;
        (void)e;
        assert_int_equal(m->body.length, 0);
        assert_true(bytes_equal_text(m->exchange, "events"));
        assert_true(bytes_equal_text(m->content_type, EVENTS_CONTENT_TYPE)); /* no skipped event */
        assert_true(uuid_parse(m->message_id, f.marker));
        f.published++;
        return 0;
}

void __wrap_link_settle(struct delivery **d, enum settle how)
{
        assert_int_equal(how, SETTLE_ACK);
        *d = NULL;
        f.settled++;
}

int64_t __wrap_subscription_unreadable(const struct subscription *s, int64_t after)
{
        (void)s;
        (void)after;
        return f.unreadable;
}

struct alarm *__wrap_alarm_create(uv_loop_t *loop, void (*ring)(void *owner), void *owner)
{
        static char any;

        (void)loop;
        (void)owner;
        f.tick = ring;
        return (struct alarm *)(void *)&any;
}

void __wrap_alarm_set_every(struct alarm *a, msec period)
{
        assert_non_null(a);
        assert_true(period > 0);
}

void __wrap_alarm_destroy(struct alarm **a)
{
        *a = NULL;
}

msec __wrap_clock_mono(void)
{
        return f.now;
}

static void on_begun(void *owner, int64_t offset)
{
        (void)owner;
        f.begun = offset;
}

static void on_message(void *owner, const struct message *m, int64_t offset)
{
        (void)owner;
        (void)m;
        f.messages++;
        f.last = offset;
}

static void on_lost(void *owner, bool rewound)
{
        (void)owner;
        f.lost++;
        f.rewound += rewound;
}

static enum source_start connect_link(int64_t *offset)
{
        enum source_start start = f.source.start(f.follower, offset);

        f.up = true;
        f.link.up(f.follower);
        return start;
}

static void disconnect_link(void)
{
        struct err why = {0};

        f.up = false;
        f.link.down(f.follower, &why);
}

static void deliver(int64_t offset, const char *body, const char *id)
{
        struct delivery d = {.offset = offset,
                             .message = {.exchange = bytes_of_text("events"),
                                         .message_id = bytes_of_text(id),
                                         .body = bytes_of_text(body)}};

        f.deliver(f.follower, &d);
}

static void advance(msec by)
{
        for (msec end = f.now + by; f.now < end;) {
                f.now += 100;
                f.tick(f.follower);
        }
}

static int begin(void **state)
{
        static const struct live_follower_events on = {
                .begun = on_begun, .message = on_message, .lost = on_lost};
        const struct link_config link = {.name = "live"};
        struct err e = {0};

        (void)state;
        memset(&f, 0, sizeof(f));
        f.now = 1000;
        f.unreadable = -1;
        f.begun = f.last = -2;
        f.follower = live_follower_create(&link, &on, NULL, NULL, &e);
        return f.follower == NULL;
}

static int end(void **state)
{
        (void)state;
        live_follower_destroy(&f.follower);
        live_follower_destroy(&f.follower);
        return 0;
}

/* Reads the messages 42 and 43. */
static void read_two(void)
{
        int64_t offset;

        assert_int_equal(connect_link(&offset), SOURCE_NEXT);
        deliver(42, "", f.marker);
        deliver(43, "a", NULL);
        assert_true(live_follower_is_reading(f.follower));
        f.begun = -2;
        f.published = 0;
}

static void it_finds_its_place(void **state)
{
        int64_t offset;

        (void)state;
        assert_false(live_follower_is_reading(f.follower));
        assert_int_equal(connect_link(&offset), SOURCE_NEXT);
        assert_int_equal(f.published, 1);
        advance(900);
        assert_int_equal(f.published, 1);
        advance(2000); /* it may have been lost */
        assert_int_equal(f.published, 3);
        assert_int_equal(f.begun, -2);
        deliver(42, "", f.marker);
        assert_int_equal(f.begun, 41);
        assert_int_equal(f.last, 42);
        advance(4900);
        assert_int_equal(f.published, 3);
        deliver(44, "a", NULL); /* the broker uses one itself at the start of a segment */
        assert_int_equal(f.last, 44);
        assert_int_equal(f.lost, 0);
        deliver(44, "a", NULL);
        deliver(43, "b", NULL);
        assert_int_equal(f.messages, 2);
        assert_int_equal(f.settled, 4);
}

static void any_other_message_tells_the_place_too(void **state)
{
        int64_t offset;

        (void)state;
        (void)connect_link(&offset);
        deliver(7, "a", NULL);
        assert_int_equal(f.begun, 6);
        deliver(8, "", f.marker);
        assert_int_equal(f.messages, 2);
}

static void it_goes_on_after_a_reconnect(void **state)
{
        int64_t offset;

        (void)state;
        read_two();
        disconnect_link();
        assert_false(live_follower_is_reading(f.follower));
        assert_int_equal(connect_link(&offset), SOURCE_OFFSET);
        assert_int_equal(offset, 43);
        deliver(41, "x", NULL); /* a chunk may begin before */
        deliver(43, "a", NULL);
        assert_true(live_follower_is_reading(f.follower));
        deliver(44, "b", NULL);
        assert_int_equal(f.last, 44);
        assert_int_equal(f.messages, 3);
        assert_int_equal(f.lost, 0);
        assert_int_equal(f.begun, -2);
}

static void check_rewound(void)
{
        int64_t offset;

        assert_int_equal(f.rewound, 1);
        advance(100);
        assert_int_equal(f.subscribed, 2);
        assert_int_equal(connect_link(&offset), SOURCE_NEXT);
        deliver(5, "", f.marker);
        assert_int_equal(f.begun, 4);
        assert_true(live_follower_is_reading(f.follower));
}

/* A connection that died is noticed before the link notices it. */
static void a_quiet_stream(void **state)
{
        (void)state;
        read_two();
        advance(5000);
        assert_int_equal(f.published, 1);
        advance(300);
        deliver(44, "", f.marker);
        advance(4900);
        assert_int_equal(f.published, 1);
        advance(3000);
        assert_int_equal(f.published, 4);
        assert_true(live_follower_is_reading(f.follower));
        advance(100);
        assert_false(live_follower_is_reading(f.follower));
        deliver(45, "a", NULL);
        assert_true(live_follower_is_reading(f.follower));
        assert_int_equal(f.lost, 0);
}

static void another_message_at_its_place(void **state)
{
        int64_t offset;

        (void)state;
        read_two();
        disconnect_link();
        (void)connect_link(&offset);
        deliver(43, "another", NULL);
        assert_int_equal(f.messages, 2);
        deliver(44, "b", NULL); /* nothing more is read of it */
        assert_int_equal(f.messages, 2);
        check_rewound();
}

static void silence_at_its_place(void **state)
{
        int64_t offset;

        (void)state;
        read_two();
        disconnect_link();
        advance(10000); /* it cannot come while the link is down */
        assert_int_equal(f.lost, 0);
        (void)connect_link(&offset);
        advance(2900);
        assert_int_equal(f.lost, 0);
        advance(100);
        check_rewound();
}

static void new_messages_before_its_place(void **state)
{
        int64_t offset;

        (void)state;
        read_two();
        disconnect_link();
        (void)connect_link(&offset);
        assert_int_equal(f.published, 1);
        deliver(11, "", f.marker);
        check_rewound();
}

static void messages_that_the_stream_dropped(void **state)
{
        int64_t offset;

        (void)state;
        read_two();
        disconnect_link();
        (void)connect_link(&offset);
        deliver(90, "b", NULL);
        assert_int_equal(f.lost, 1);
        assert_int_equal(f.rewound, 0);
        assert_int_equal(f.begun, 89);
        assert_int_equal(f.last, 90);
        deliver(95, "c", NULL); /* also while it reads */
        assert_int_equal(f.lost, 2);
        assert_int_equal(f.begun, 94);
}

static void a_message_that_cannot_be_read(void **state)
{
        int64_t offset;

        (void)state;
        read_two();
        f.unreadable = 44;
        disconnect_link();
        assert_int_equal(connect_link(&offset), SOURCE_OFFSET);
        assert_int_equal(offset, 45);
        assert_int_equal(f.lost, 1);
        assert_int_equal(f.begun, 44);
        f.unreadable = -1;
        disconnect_link();
        assert_int_equal(connect_link(&offset), SOURCE_OFFSET);
        assert_int_equal(offset, 45);
        advance(10000); /* silence is no sign here */
        assert_int_equal(f.rewound, 0);
        deliver(45, "b", NULL);
        assert_int_equal(f.last, 45);
        assert_int_equal(f.lost, 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(it_finds_its_place, begin, end),
                cmocka_unit_test_setup_teardown(any_other_message_tells_the_place_too, begin, end),
                cmocka_unit_test_setup_teardown(it_goes_on_after_a_reconnect, begin, end),
                cmocka_unit_test_setup_teardown(a_quiet_stream, begin, end),
                cmocka_unit_test_setup_teardown(another_message_at_its_place, begin, end),
                cmocka_unit_test_setup_teardown(silence_at_its_place, begin, end),
                cmocka_unit_test_setup_teardown(new_messages_before_its_place, begin, end),
                cmocka_unit_test_setup_teardown(messages_that_the_stream_dropped, begin, end),
                cmocka_unit_test_setup_teardown(a_message_that_cannot_be_read, begin, end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
