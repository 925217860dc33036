/* SPDX-License-Identifier: Apache-2.0
 *
 * marks_follow_test.c: when a consumer is blind to marks, and what it tells of those that it has
 * read. The stream, the confirms of events and the clock are replaced.
 */
#include "consumer/marks_follow.h"

#include <string.h>

#include "common/base/own.h"
#include "common/clients/catch_up.h"
#include "tests/unit/unit.h"

#define ID "01902f5e-7b1a-7000-8000-000000000001"
#define MARK \
        "{\"tenant\":\"acme\",\"id\":\"" ID \
        "\",\"run\":1,\"attempt\":1,\"copy\":5,\"why\":\"run_now\",\"at\":%lld}\n"

static struct {
        uv_loop_t loop;
        struct marks *marks;
        struct events *events;
        struct marks_follow *follow;
        struct catch_up_events on;
        msec now, recorded_at;
        struct publication *batches[8]; /* not confirmed */
        unsigned batch_count;
        unsigned again, applied, caught_up;
        struct buffer told; /* the lines of batches */
} f;

msec __wrap_clock_mono(void);
void __wrap_outbox_post(struct outbox *o, struct publication *p);
struct catch_up *__wrap_catch_up_create(const struct catch_up_config *c,
                                        const struct catch_up_events *on, void *owner,
                                        uv_loop_t *loop, struct err *e);
void __wrap_catch_up_again(struct catch_up *c);
void __wrap_catch_up_destroy(struct catch_up **c);

msec __wrap_clock_mono(void)
{
        return f.now;
}

void __wrap_outbox_post(struct outbox *o, struct publication *p)
{
        struct job_message out;

        (void)o;
        p->encode(p, false, 0, &out);
        buffer_add(&f.told, out.message.body.data, out.message.body.length);
        f.batches[f.batch_count++] = p;
}

struct catch_up *__wrap_catch_up_create(const struct catch_up_config *c,
                                        const struct catch_up_events *on, void *owner,
                                        uv_loop_t *loop, struct err *e)
{
        static char any;

        (void)owner;
        (void)loop;
        (void)e;
        assert_string_equal(c->stream, "marks");
        assert_true(c->every_connection);
        f.on = *on;
        return (struct catch_up *)(void *)&any;
}

void __wrap_catch_up_again(struct catch_up *c)
{
        (void)c;
        f.again++;
}

void __wrap_catch_up_destroy(struct catch_up **c)
{
        *c = NULL;
}

static void on_applied(void *owner)
{
        (void)owner;
        f.applied++;
}

static void on_caught_up(void *owner)
{
        (void)owner;
        f.caught_up++;
}

static int prepare(void **state)
{
        const struct marks_follow_config config = {
                .worker = "host-a/1", .applied = on_applied, .caught_up = on_caught_up};
        struct marks_follow_config c = config;
        struct err e = {0};

        (void)state;
        memset(&f, 0, sizeof(f));
        f.now = MSEC_HOUR;
        uv_loop_init(&f.loop);
        c.marks = f.marks = marks_create(1 << 20, 2 * MSEC_DAY);
        c.events = f.events = events_create(&f.loop, NULL, "host-a/1", NULL, NULL);
        f.follow = marks_follow_create(&c, &f.loop, &e);
        assert_non_null(f.follow);
        return 0;
}

static int clean(void **state)
{
        (void)state;
        marks_follow_destroy(&f.follow);
        events_destroy(&f.events);
        marks_destroy(&f.marks);
        buffer_fini(&f.told);
        uv_run(&f.loop, UV_RUN_DEFAULT);
        return uv_loop_close(&f.loop);
}

/* One turn of the consumer's loop; what it has published is sent, and not confirmed. */
static void turn(void)
{
        marks_follow_turn(f.follow, f.recorded_at);
        uv_run(&f.loop, UV_RUN_NOWAIT);
}

static void record(void)
{
        const struct event e = {.kind = EVENT_WORKER, .raw = bytes_of_text("{}")};

        events_add(f.events, &e, NULL);
        f.recorded_at = f.now;
        turn();
}

static void confirm(void)
{
        for (unsigned i = 0; i < f.batch_count; i++)
                f.batches[i]->confirmed(f.batches[i]->owner, f.batches[i]);
        f.batch_count = 0;
        turn();
}

static void deliver(const char *login, int64_t number)
{
        AUTO_BUFFER body = {0};
        struct message m = {.exchange = bytes_of_text("marks"),
                            .type = bytes_of_text("mark"),
                            .user_id = bytes_of_text(login)};

        buffer_printf(&body, MARK, (long long)clock_wall());
        m.body = buffer_bytes(&body);
        message_add_int(&m, "x-mark", number);
        f.on.message(f.follow, &m);
}

static bool is_blind(void)
{
        return marks_follow_is_blind(f.follow);
}

static void start(void)
{
        record();
        confirm();
        f.on.caught_up(f.follow);
        assert_false(is_blind());
}

/* The primary knows of it once its record is confirmed: a marker that was read before is no proof.
 */
static void it_sees_after_its_first_record(void **state)
{
        (void)state;
        assert_true(is_blind());
        turn();
        f.on.caught_up(f.follow); /* by the marker of the connection */
        assert_true(is_blind());
        assert_int_equal(f.caught_up, 0);
        record();
        assert_int_equal(f.again, 0);
        confirm();
        assert_int_equal(f.again, 1);
        assert_true(is_blind());
        f.on.caught_up(f.follow);
        assert_false(is_blind());
        assert_int_equal(f.caught_up, 1);
        turn();
        assert_int_equal(f.again, 1);
}

static void it_is_blind_while_the_stream_is_lost(void **state)
{
        (void)state;
        start();
        f.on.lost(f.follow);
        assert_true(is_blind());
        f.on.caught_up(f.follow);
        assert_false(is_blind());
}

static void it_is_blind_after_the_loop_stood_still(void **state)
{
        (void)state;
        start();
        marks_follow_stood_still(f.follow);
        assert_true(is_blind());
        f.on.caught_up(f.follow); /* by an earlier marker */
        assert_true(is_blind());
        turn();
        assert_int_equal(f.again, 2);
        f.on.caught_up(f.follow);
        assert_false(is_blind());
}

static void it_is_blind_when_its_records_are_not_confirmed(void **state)
{
        (void)state;
        start();
        f.now += 5000;
        record(); /* not confirmed */
        f.now += 4999;
        turn();
        assert_false(is_blind());
        f.now++;
        assert_true(is_blind());
        turn();
        assert_int_equal(f.again, 1);
        record(); /* a later one: the first is waited for */
        f.on.caught_up(f.follow);
        assert_true(is_blind());
        f.now += 4000;
        confirm(); /* of a record 9 s old, then */
        assert_int_equal(f.again, 2);
        f.on.caught_up(f.follow);
        assert_false(is_blind());
        turn();
        confirm();
        f.now += 1000;
        assert_false(is_blind()); /* the later one is confirmed too */
        f.now += 5000;
        assert_true(is_blind());
}

static bool was_told(const char *text)
{
        return memmem(f.told.data, f.told.length, text, strlen(text)) != NULL;
}

static void what_was_read_is_told(void **state)
{
        (void)state;
        start();
        deliver("warren-operator", 77);
        assert_int_equal(f.applied, 1);
        assert_false(was_told("seen"));
        turn();
        assert_true(was_told("{\"event\":\"seen\","));
        assert_true(was_told("\"mark\":77,\"worker\":\"host-a/1\"}"));
        confirm();
        buffer_clear(&f.told);
        deliver("warren-operator", 77); /* again, after a reconnect */
        assert_int_equal(f.applied, 1);
        turn();
        assert_false(was_told("seen"));
}

/* Until it has caught up it may not have read what was before. */
static void nothing_is_told_before_it_has_caught_up(void **state)
{
        (void)state;
        record();
        deliver("warren-operator", 77);
        confirm();
        assert_false(was_told("seen"));
        f.on.caught_up(f.follow);
        turn();
        confirm();
        assert_true(was_told("\"mark\":77"));
}

static void what_is_too_large_is_not_told(void **state)
{
        static char large[MARK_MESSAGE_MAX + 1];
        struct message m = {.exchange = bytes_of_text("marks"),
                            .type = bytes_of_text("mark"),
                            .user_id = bytes_of_text(MARKS_LOGIN),
                            .body = bytes_of(large, sizeof(large))};

        (void)state;
        start();
        memset(large, '\n', sizeof(large));
        message_add_int(&m, "x-mark", 79);
        f.on.message(f.follow, &m);
        turn();
        assert_false(was_told("seen"));
}

static void other_logins_do_not_count(void **state)
{
        (void)state;
        start();
        deliver("warren-gateway", 78);
        turn();
        assert_int_equal(f.applied, 0);
        assert_int_equal(marks_count(f.marks), 0);
        assert_false(was_told("seen"));
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clean)
                TEST(it_sees_after_its_first_record),
                TEST(it_is_blind_while_the_stream_is_lost),
                TEST(it_is_blind_after_the_loop_stood_still),
                TEST(it_is_blind_when_its_records_are_not_confirmed),
                TEST(what_was_read_is_told),
                TEST(nothing_is_told_before_it_has_caught_up),
                TEST(what_is_too_large_is_not_told),
                TEST(other_logins_do_not_count),
#undef TEST
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
