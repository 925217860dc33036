/* SPDX-License-Identifier: Apache-2.0
 *
 * live_feed_test.c: messages of the stream become events in the ring, and which offsets a client
 * can go on from. The follower is replaced.
 */
#include "gateway/live/live_feed.h"

#include <stdio.h>
#include <string.h>

#include "common/amqp/pack.h"
#include "gateway/live/live_follower.h"
#include "tests/unit/unit.h"

#define ID "01902f5e-7b1a-7000-8000-00000000000%d"

static struct {
        struct live_feed *feed;
        struct metrics *metrics;
        struct live_meters meters;
        struct live_follower_events follower;
        void *owner;
        bool reading;
        unsigned created, destroyed, begun, dropped;
        int gap; /* -1: none */
} f;

struct live_follower *__wrap_live_follower_create(const struct link_config *link,
                                                  const struct live_follower_events *on,
                                                  void *owner, uv_loop_t *loop, struct err *e);
void __wrap_live_follower_destroy(struct live_follower **follower);
bool __wrap_live_follower_is_reading(const struct live_follower *follower);

struct live_follower *__wrap_live_follower_create(const struct link_config *link,
                                                  const struct live_follower_events *on,
                                                  void *owner, uv_loop_t *loop, struct err *e)
{
        static char any;

        (void)link;
        (void)loop;
        (void)e;
        f.follower = *on;
        f.owner = owner;
        f.created++;
        return (struct live_follower *)(void *)&any;
}

void __wrap_live_follower_destroy(struct live_follower **follower)
{
        f.destroyed += *follower != NULL;
        *follower = NULL;
}

bool __wrap_live_follower_is_reading(const struct live_follower *follower)
{
        assert_non_null(follower);
        return f.reading;
}

static void on_gap(void *owner, enum live_gap why)
{
        (void)owner;
        f.gap = (int)why;
}

static void on_begun(void *owner)
{
        (void)owner;
        f.begun++;
}

static void on_dropped(void *owner, uint64_t seq, const struct live_entry *e)
{
        (void)owner;
        (void)seq;
        (void)e;
        f.dropped++;
}

static int begin(void **state)
{
        static const struct live_feed_events on = {
                .gap = on_gap, .begun = on_begun, .dropped = on_dropped};

        (void)state;
        memset(&f, 0, sizeof(f));
        f.gap = -1;
        f.metrics = metrics_create("test");
        live_meters_init(&f.meters, f.metrics);
        f.feed = live_feed_create(NULL, &on, NULL, &f.meters, NULL);
        return 0;
}

static int end(void **state)
{
        (void)state;
        live_feed_destroy(&f.feed);
        live_feed_destroy(&f.feed);
        metrics_destroy(&f.metrics);
        return 0;
}

static void start_at(int64_t offset)
{
        live_feed_tick(f.feed, true, 1000);
        f.reading = true;
        f.follower.begun(f.owner, offset);
}

static void read_lines(int64_t offset, const char *lines)
{
        const struct message m = {.exchange = bytes_of_text("events"),
                                  .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                                  .user_id = bytes_of_text("warren-consumer"),
                                  .body = bytes_of_text(lines)};

        f.follower.message(f.owner, &m, offset);
}

static void make_job(int number, enum job_station station, struct job *job, struct job_message *out)
{
        *job = (struct job){.tenant = "acme",
                            .type = "mail",
                            .run = 1,
                            .priority = PRIORITY_HIGH,
                            .lane = LANE_HIGH,
                            .submitted_at = 1000,
                            .payload = bytes_of_text("{\"n\":1}")};
        snprintf(job->id, sizeof(job->id), ID, number);
        job_encode(job, station, 2000, out);
        out->message.user_id = bytes_of_text(PACK_LOGIN);
}

static void messages_of_all_forms(void **state)
{
        const struct live_ring *ring = live_feed_ring(f.feed);
        AUTO_BUFFER pack = {0};
        struct err e = {0};
        struct job job;
        struct job_message m;
        char line[512];

        (void)state;
        start_at(41);
        for (int i = 1; i <= 3; i++) {
                make_job(i, STATION_SUBMISSION, &job, &m);
                assert_int_equal(pack_add(&pack, &m.message, &e), 0);
        }
        const struct message packed = {.exchange = bytes_of_text("events"),
                                       .content_type = bytes_of_text(PACK_CONTENT_TYPE),
                                       .user_id = bytes_of_text(PACK_LOGIN),
                                       .body = buffer_bytes(&pack)};
        f.follower.message(f.owner, &packed, 42);
        make_job(4, STATION_REPLAY, &job, &m); /* a message of its own */
        f.follower.message(f.owner, &m.message, 43);
        snprintf(line, sizeof(line),
                 "{\"event\":\"progress\",\"id\":\"" ID "\",\"tenant\":\"acme\",\"run\":1,"
                 "\"attempt\":1,\"at\":5,\"progress\":0.5}\n"
                 "{\"event\":\"seen\",\"worker\":\"a/1\",\"at\":1,\"mark\":3}\n"
                 "{\"event\":\"of another version\"}\nnonsense\n"
                 "{\"event\":\"progress\",\"id\":\"" ID "\",\"tenant\":\"acme\",\"run\":1,"
                 "\"attempt\":1,\"at\":5,\"progress\":0.7}\n",
                 2, 9);
        read_lines(44, line);
        pack.data[0] = 2; /* the version */
        f.follower.message(f.owner, &packed, 45);
        const struct message probe = {.exchange = bytes_of_text("events"),
                                      .type = bytes_of_text("probe"),
                                      .body = bytes_of_text("")};
        f.follower.message(f.owner, &probe, 46);
        static const struct {
                enum live_kind kind;
                const char *type;
                int64_t offset;
        } want[] = {{LIVE_SUBMITTED, "mail", 42}, {LIVE_SUBMITTED, "mail", 42},
                    {LIVE_SUBMITTED, "mail", 42}, {LIVE_SUBMITTED, "mail", 43},
                    {LIVE_PROGRESS, "mail", 44},  {LIVE_PROGRESS, "", 44}};
        assert_int_equal(live_ring_end(ring), COUNT(want));
        for (size_t i = 0; i < COUNT(want); i++) {
                const struct live_entry *entry = live_ring_at(ring, i);
                assert_int_equal(entry->tags.kind, want[i].kind);
                assert_string_equal(entry->tags.type, want[i].type);
                assert_int_equal(entry->offset, want[i].offset);
        }
        assert_int_equal(live_ring_head(ring), 46);
        AUTO_BUFFER metrics = {0};
        metrics_write(f.metrics, &metrics);
        assert_non_null(strstr(metrics.data, "\nwarren_live_skipped_total 3\n"));
}

static void only_while_it_is_wanted(void **state)
{
        (void)state;
        live_feed_tick(f.feed, false, 1000);
        assert_int_equal(f.created, 0);
        assert_true(!live_feed_is_running(f.feed) && !live_feed_has_begun(f.feed));
        start_at(41);
        assert_true(live_feed_is_running(f.feed) && live_feed_has_begun(f.feed));
        for (msec now = 1000; now <= 11000; now += 100)
                live_feed_tick(f.feed, false, now);
        assert_int_equal(f.destroyed, 0);
        live_feed_tick(f.feed, true, 11000);
        live_feed_tick(f.feed, false, 21000);
        assert_int_equal(f.destroyed, 0);
        live_feed_tick(f.feed, false, 21001);
        assert_int_equal(f.destroyed, 1);
        assert_true(!live_feed_is_running(f.feed) && !live_feed_has_begun(f.feed));
        live_feed_tick(f.feed, true, 30000);
        assert_int_equal(f.created, 2);
        assert_false(live_feed_has_begun(f.feed));
}

static void how_long_it_was_silent(void **state)
{
        (void)state;
        live_feed_tick(f.feed, true, 1000);
        assert_int_equal(live_feed_silent_for(f.feed, 3000), 2000);
        f.reading = true;
        live_feed_tick(f.feed, true, 4000);
        assert_int_equal(live_feed_silent_for(f.feed, 4050), 0);
        f.reading = false;
        assert_int_equal(live_feed_silent_for(f.feed, 5000), 1000);
}

/* That of a message without events. */
static int64_t mark_of(int64_t offset)
{
        return live_ring_mark(live_feed_ring(f.feed), offset);
}

/* -1: it goes on. */
static int gap_of(int64_t offset, int64_t mark)
{
        enum live_gap why;

        return live_feed_continues(f.feed, offset, mark, &why) ? -1 : (int)why;
}

static void where_a_client_can_go_on(void **state)
{
        (void)state;
        start_at(41);
        read_lines(42, "a");
        read_lines(50, "b");
        int64_t a = mark_of(42), b = mark_of(50);
        assert_true(a > 0 && b > 0 && a != b && a < (int64_t)1 << 53);
        for (int i = 0; i < 2; i++) { /* without a mark, and with it */
                assert_int_equal(gap_of(50, i * b), -1);
                assert_int_equal(gap_of(42, i * a), -1);
                assert_int_equal(gap_of(40, i * a), LIVE_GAP_RESTARTED);
                assert_int_equal(gap_of(51, i * b), LIVE_GAP_REWOUND);
        }
        assert_int_equal(gap_of(41, 0), -1);
        assert_int_equal(gap_of(41, a), LIVE_GAP_RESTARTED); /* that message was not read */
        assert_int_equal(gap_of(50, a), LIVE_GAP_REWOUND);
        f.follower.lost(f.owner, true);
        assert_int_equal(f.gap, LIVE_GAP_REWOUND);
        f.follower.begun(f.owner, 40);
        assert_int_equal(f.begun, 2);
        read_lines(41, "a");
        read_lines(42, "c");
        assert_int_equal(gap_of(42, a), LIVE_GAP_REWOUND);
        assert_int_equal(gap_of(41, a), -1); /* the same message as before */
        f.follower.lost(f.owner, false);
        assert_int_equal(f.gap, LIVE_GAP_BEHIND);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(messages_of_all_forms, begin, end),
                cmocka_unit_test_setup_teardown(only_while_it_is_wanted, begin, end),
                cmocka_unit_test_setup_teardown(how_long_it_was_silent, begin, end),
                cmocka_unit_test_setup_teardown(where_a_client_can_go_on, begin, end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
