/* SPDX-License-Identifier: Apache-2.0
 *
 * live_resume_test.c: what clients of the live feed are told when the stream or they themselves do
 * not go on where they were. The follower and the WebSockets are replaced.
 */
#include "gateway/live/live_feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/own.h"
#include "gateway/live/live_client.h"
#include "gateway/live/live_follower.h"
#include "tests/unit/unit.h"

enum { CLIENTS_MAX = 3, FRAME = 1000, MESSAGE = 2000 };

static struct {
        struct live_follower_events on;
        void *follower_owner;
        bool cannot_follow, reading, full;
        struct buffer said[CLIENTS_MAX + 1]; /* to the socket of that number, since it was asked */
        unsigned code;                       /* of the close */
        struct metrics *metrics;
        struct live_meters meters;
        struct live_feed *feed;
        struct live_frames *frames;
        struct live_client *clients[CLIENTS_MAX]; /* [i] has socket i + 1 */
        size_t count;
        msec now;
} f;

struct live_follower *__wrap_live_follower_create(const struct link_config *link,
                                                  const struct live_follower_events *on,
                                                  void *owner, uv_loop_t *loop, struct err *e);
void __wrap_live_follower_destroy(struct live_follower **follower);
bool __wrap_live_follower_is_reading(const struct live_follower *follower);
int __wrap_websockets_send(struct websockets *all, uint64_t socket, struct bytes text,
                           struct err *e);
bool __wrap_websockets_has_room(struct websockets *all, uint64_t socket, size_t length);
void __wrap_websockets_abandon(struct websockets *all, uint64_t socket, unsigned code);
msec __wrap_clock_mono(void);

msec __wrap_clock_mono(void)
{
        return f.now;
}

struct live_follower *__wrap_live_follower_create(const struct link_config *link,
                                                  const struct live_follower_events *on,
                                                  void *owner, uv_loop_t *loop, struct err *e)
{
        static char any;

        (void)link;
        (void)loop;
        f.on = *on;
        f.follower_owner = owner;
        if (!f.cannot_follow)
                return (struct live_follower *)(void *)&any;
        err_set(e, ERR_SYSTEM, "no follower");
        return NULL;
}

void __wrap_live_follower_destroy(struct live_follower **follower)
{
        *follower = NULL;
        f.reading = false;
}

bool __wrap_live_follower_is_reading(const struct live_follower *follower)
{
        assert_non_null(follower);
        return f.reading;
}

int __wrap_websockets_send(struct websockets *all, uint64_t socket, struct bytes text,
                           struct err *e)
{
        (void)all;
        if (f.full)
                return err_set(e, ERR_FULL, "full");
        buffer_add(&f.said[socket], text.data, text.length);
        buffer_add_char(&f.said[socket], '\n');
        return 0;
}

bool __wrap_websockets_has_room(struct websockets *all, uint64_t socket, size_t length)
{
        (void)all;
        (void)socket;
        (void)length;
        return !f.full;
}

void __wrap_websockets_abandon(struct websockets *all, uint64_t socket, unsigned code)
{
        (void)all;
        (void)socket;
        f.code = code;
}

/* As the hub does. */

static void on_gap(void *owner, enum live_gap why)
{
        (void)owner;
        for (size_t i = 0; i < f.count; i++)
                live_client_gap(f.clients[i], why, live_feed_ring(f.feed));
}

static void on_begun(void *owner)
{
        (void)owner;
        for (size_t i = 0; i < f.count; i++)
                live_client_begun(f.clients[i], f.feed);
}

static void on_dropped(void *owner, uint64_t seq, const struct live_entry *e)
{
        (void)owner;
        for (size_t i = 0; i < f.count; i++)
                live_client_dropped(f.clients[i], seq, e);
}

static void tick(msec wait)
{
        f.now += wait;
        live_feed_tick(f.feed, f.count > 0, f.now);
        live_frames_clear(f.frames, 0);
        for (size_t i = 0; i < f.count; i++)
                live_client_tick(f.clients[i], f.feed, f.frames, f.now);
        live_frames_clear(f.frames, 0);
}

static int begin(void **state)
{
        static const struct live_feed_events on = {
                .gap = on_gap, .begun = on_begun, .dropped = on_dropped};

        (void)state;
        f.now = 1000000;
        f.metrics = metrics_create("test");
        live_meters_init(&f.meters, f.metrics);
        f.feed = live_feed_create(NULL, &on, NULL, &f.meters, NULL);
        f.frames = live_frames_create(FRAME, MESSAGE);
        return 0;
}

static int end(void **state)
{
        (void)state;
        live_feed_destroy(&f.feed);
        live_frames_destroy(&f.frames);
        for (size_t i = 0; i < f.count; i++)
                live_client_destroy(&f.clients[i]);
        for (size_t i = 0; i < COUNT(f.said); i++)
                buffer_fini(&f.said[i]);
        metrics_destroy(&f.metrics);
        memset(&f, 0, sizeof(f));
        return 0;
}

/* A client comes; returns its socket. offset -1: it does not resume. */
static size_t come(int64_t offset, int64_t mark)
{
        struct live_asked asked = {
                .filter.tenant = "*", .resumes = offset >= 0, .offset = offset, .mark = mark};

        f.clients[f.count] = live_client_create(&asked, NULL, &f.meters);
        live_client_open(f.clients[f.count], f.count + 1, f.now);
        return ++f.count;
}

/* What was said to that socket, since it was asked last. */
static const char *said(size_t socket)
{
        static struct buffer text;

        buffer_clear(&text);
        buffer_add(&text, f.said[socket].data, f.said[socket].length);
        buffer_add_text(&text, "");
        buffer_clear(&f.said[socket]);
        return text.length > 0 ? text.data : "";
}

static void leave(size_t socket)
{
        assert_int_equal(socket, f.count);
        live_client_destroy(&f.clients[--f.count]);
        buffer_clear(&f.said[socket]);
}

/* That of the last frame; the text is not asked for by that. */
static int64_t mark_said(size_t socket)
{
        char *last = NULL;

        buffer_add_text(&f.said[socket], "");
        for (char *at = f.said[socket].data; (at = strstr(at, "\"mark\":")) != NULL; at++)
                last = at;
        assert_non_null(last);
        return strtoll(last + strlen("\"mark\":"), NULL, 10);
}

static void follow_from(int64_t offset)
{
        f.reading = true;
        f.on.begun(f.follower_owner, offset);
}

static void lose(bool rewound)
{
        f.reading = !rewound;
        f.on.lost(f.follower_owner, rewound);
}

static void read_lines(int64_t offset, struct bytes lines)
{
        const struct message m = {.exchange = bytes_of_text("events"),
                                  .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                                  .body = lines};

        f.on.message(f.follower_owner, &m, offset);
}

/* A message with the start of a job, whose attempt has that number. */
static void read_start(int64_t offset, int64_t attempt)
{
        AUTO_BUFFER line = {0};
        const struct event e = {.kind = EVENT_STARTED,
                                .id = "01902f5e-7b1a-7000-8000-000000000001",
                                .tenant = "acme",
                                .run = 1,
                                .attempt = attempt,
                                .at = 1000,
                                .worker = bytes_of_text("host/1"),
                                .hint = {.type = "mail", .priority = -1, .max_retries = -1}};

        event_write(&e, &line);
        read_lines(offset, buffer_bytes(&line));
}

static void assert_said(size_t socket, const char *first, const char *second)
{
        const char *text = said(socket);

        if (strstr(text, first) == NULL || strstr(text, second) == NULL)
                fail_msg("%s and %s are not in: %s", first, second, text);
}

static void events_come(void **state)
{
        size_t one = come(-1, 0);

        (void)state;
        tick(0);
        assert_string_equal(said(one), "");
        follow_from(9);
        tick(100);
        assert_string_equal(said(one), "{\"hello\":{\"offset\":9,\"mark\":null,\"tenant\":\"*\","
                                       "\"mode\":\"events\",\"resumed\":false}}\n");
        read_start(10, 4);
        tick(100);
        assert_said(one, "{\"offset\":10,", "\"attempt\":4,");
        tick(100);
        assert_string_equal(said(one), "");
}

/* Nobody is told an offset of the stream that is gone. */
static void a_client_that_comes_while_the_stream_is_rewound(void **state)
{
        size_t early = come(-1, 0);

        (void)state;
        tick(0);
        follow_from(9);
        read_start(10, 1);
        tick(100);
        assert_said(early, "{\"hello\":", "{\"offset\":10,");
        lose(true);
        size_t late = come(-1, 0);
        tick(100);
        assert_said(early, "{\"gap\":{\"from\":10,\"to\":null,\"why\":\"rewound\"}}", "");
        assert_string_equal(said(late), "");
        follow_from(2);
        read_start(3, 2);
        tick(100);
        assert_said(early, "{\"offset\":3,", "\"attempt\":2,");
        assert_said(late, "{\"hello\":{\"offset\":3,", "\"resumed\":false");
        read_start(4, 3);
        tick(100);
        assert_said(late, "{\"offset\":4,", "\"attempt\":3,");
}

/* The follower ends when there was no client for a while; what it had read is not known then. */
static void nobody_comes_for_long(void)
{
        tick(11 * MSEC_SECOND);
        assert_false(live_feed_is_running(f.feed));
}

static void a_mark_tells_streams_apart(void **state)
{
        size_t one = come(-1, 0);

        (void)state;
        tick(0);
        follow_from(9);
        read_start(10, 1);
        tick(100);
        int64_t mark = mark_said(one);
        assert_true(mark > 0 && mark < (int64_t)1 << 53);
        read_start(11, 2);
        tick(100);
        assert_true(mark_said(one) != mark);
        leave(one);
        one = come(10, mark);
        tick(0);
        assert_said(one, "\"offset\":10,", "\"resumed\":true");
        leave(one);
        one = come(10, mark + 1);
        tick(0);
        assert_said(one, "\"resumed\":false",
                    "{\"gap\":{\"from\":10,\"to\":11,\"why\":\"rewound\"}}");
        leave(one);
        one = come(10, 0); /* says none: the offset decides */
        tick(0);
        assert_said(one, "\"offset\":10,", "\"resumed\":true");
        leave(one);

        nobody_comes_for_long();
        one = come(10, mark); /* as of another gateway, which follows the same stream */
        tick(0);
        follow_from(8);
        read_start(9, 9);
        read_start(10, 1);
        read_start(11, 2);
        tick(100);
        assert_said(one, "\"offset\":10,", "\"resumed\":true");
        leave(one);

        nobody_comes_for_long();
        one = come(10, mark); /* a stream that was made anew, and has passed the offset */
        tick(0);
        follow_from(8);
        read_start(9, 1);
        read_start(10, 3);
        tick(100);
        assert_said(one, "\"resumed\":false", "\"why\":\"rewound\"");
        leave(one);

        nobody_comes_for_long();
        one = come(10, mark); /* that message was not read */
        tick(0);
        follow_from(10);
        tick(100);
        assert_said(one, "\"resumed\":false", "\"why\":\"restarted\"");
}

/* After a rewind the offsets of the new stream are as good as any. */
static void a_client_resumes_in_the_new_stream(void **state)
{
        size_t one = come(-1, 0);

        (void)state;
        tick(0);
        follow_from(99);
        read_start(100, 1);
        tick(100);
        lose(true);
        follow_from(2);
        read_start(3, 2);
        tick(100);
        int64_t mark = mark_said(one);
        leave(one);
        one = come(3, mark);
        tick(0);
        assert_said(one, "\"offset\":3,", "\"resumed\":true");
}

/* The gateway that it comes from had read more. */
static void a_client_that_is_ahead(void **state)
{
        size_t one = come(-1, 0);

        (void)state;
        tick(0);
        follow_from(9);
        read_start(10, 1);
        tick(100);
        assert_said(one, "\"offset\":10", "");
        size_t ahead = come(12, 0);
        tick(100);
        assert_string_equal(said(ahead), "");
        read_start(11, 2);
        read_start(12, 3);
        tick(100);
        assert_said(ahead, "\"offset\":12,", "\"resumed\":true");
        leave(ahead);

        ahead = come(22, 0);
        tick(1900);
        assert_string_equal(said(ahead), "");
        tick(100); /* the feed does not come there: it is another stream */
        assert_said(ahead, "\"resumed\":false", "\"why\":\"rewound\"");
}

/* Each try fails: the client is told in time, once. */
static void a_feed_that_cannot_begin(void **state)
{
        size_t one = come(-1, 0);

        (void)state;
        f.cannot_follow = true;
        for (int i = 0; i < 40; i++)
                tick(100);
        assert_string_equal(said(one),
                            "{\"hello\":{\"offset\":null,\"mark\":null,\"tenant\":\"*\","
                            "\"mode\":\"events\",\"resumed\":false}}\n"
                            "{\"gap\":{\"from\":null,\"to\":null,\"why\":\"broker\"}}\n");
        f.cannot_follow = false;
        tick(1000);
        follow_from(9);
        read_start(10, 1);
        tick(100);
        assert_said(one, "{\"offset\":10,", "\"attempt\":1,");
        leave(one);
        nobody_comes_for_long();
        f.cannot_follow = true;
        one = come(-1, 0); /* another time: it is waited for as long */
        tick(0);
        tick(1900);
        assert_string_equal(said(one), "");
        tick(200);
        assert_said(one, "\"hello\"", "\"broker\"");
}

/* What was left out is counted once; then a resume is exact again. */
static void a_resume_after_events_were_left_out(void **state)
{
        size_t one = come(-1, 0);

        (void)state;
        tick(0);
        follow_from(9);
        read_start(10, 1);
        tick(100);
        int64_t before = mark_said(one);
        assert_said(one, "\"offset\":10,", "");
        f.full = true;
        read_start(11, 2);
        read_start(12, 3);
        tick(100);
        f.now += 9 * MSEC_SECOND;
        read_start(13, 4);
        read_start(14, 5);
        tick(900); /* the first two are too old now */
        f.full = false;
        tick(100);
        int64_t mark = mark_said(one);
        assert_said(one, "{\"dropped\":2}\n{\"offset\":14,", "\"attempt\":4,");
        leave(one);
        one = come(14, mark);
        tick(0);
        assert_said(one, "\"offset\":14,", "\"resumed\":true");
        read_start(15, 6);
        tick(100);
        assert_said(one, "{\"offset\":15,", "\"attempt\":6,");
        leave(one);
        one = come(10, before);
        tick(0);
        assert_said(one, "\"resumed\":false",
                    "{\"gap\":{\"from\":10,\"to\":15,\"why\":\"old_offset\"}}");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(events_come, begin, end),
                cmocka_unit_test_setup_teardown(a_client_that_comes_while_the_stream_is_rewound,
                                                begin, end),
                cmocka_unit_test_setup_teardown(a_mark_tells_streams_apart, begin, end),
                cmocka_unit_test_setup_teardown(a_client_resumes_in_the_new_stream, begin, end),
                cmocka_unit_test_setup_teardown(a_client_that_is_ahead, begin, end),
                cmocka_unit_test_setup_teardown(a_feed_that_cannot_begin, begin, end),
                cmocka_unit_test_setup_teardown(a_resume_after_events_were_left_out, begin, end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
