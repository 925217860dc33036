/* SPDX-License-Identifier: Apache-2.0
 *
 * live_client_test.c: what a client of the live feed is told, also when it is slow, the stream is
 * away or was rewound, and its key cannot be checked. Its WebSocket and the feed are replaced; the
 * ring and the frames are real.
 */
#include "gateway/live/live_client.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/unit.h"

enum { SOCKET = 7, MARK = 5 };

static struct {
        struct live_client *client;
        struct live_ring *ring;
        struct live_frames *frames;
        struct live_meters meters;
        struct metrics *metrics;
        msec now, silent;
        bool begun, full, gone;
        size_t room; /* for one message; 0: any */
        struct buffer said;
        unsigned closed, abandoned;
        unsigned frames_made;
        enum live_gap why; /* live_feed_continues: it does not */
} f;

int __wrap_websockets_send(struct websockets *all, uint64_t socket, struct bytes text,
                           struct err *e);
bool __wrap_websockets_has_room(struct websockets *all, uint64_t socket, size_t length);
const struct live_frame *__real_live_frames_get(struct live_frames *frames,
                                                const struct live_ring *ring,
                                                const struct live_wanted *wanted);
const struct live_frame *__wrap_live_frames_get(struct live_frames *frames,
                                                const struct live_ring *ring,
                                                const struct live_wanted *wanted);
void __wrap_websockets_close(struct websockets *all, uint64_t socket, unsigned code);
void __wrap_websockets_abandon(struct websockets *all, uint64_t socket, unsigned code);
bool __wrap_live_feed_has_begun(const struct live_feed *feed);
msec __wrap_live_feed_silent_for(const struct live_feed *feed, msec now);
const struct live_ring *__wrap_live_feed_ring(const struct live_feed *feed);
bool __wrap_live_feed_continues(const struct live_feed *feed, int64_t offset, int64_t mark,
                                enum live_gap *why);

int __wrap_websockets_send(struct websockets *all, uint64_t socket, struct bytes text,
                           struct err *e)
{
        (void)all;
        assert_int_equal(socket, SOCKET);
        if (f.gone)
                return err_set(e, ERR_NOT_FOUND, "closed");
        if (f.full || (f.room > 0 && text.length > f.room))
                return err_set(e, ERR_FULL, "full");
        buffer_add(&f.said, text.data, text.length);
        buffer_add_char(&f.said, '\n');
        return 0;
}

bool __wrap_websockets_has_room(struct websockets *all, uint64_t socket, size_t length)
{
        (void)all;
        assert_int_equal(socket, SOCKET);
        return !f.gone && !f.full && (f.room == 0 || length <= f.room);
}

const struct live_frame *__wrap_live_frames_get(struct live_frames *frames,
                                                const struct live_ring *ring,
                                                const struct live_wanted *wanted)
{
        f.frames_made++;
        return __real_live_frames_get(frames, ring, wanted);
}

void __wrap_websockets_close(struct websockets *all, uint64_t socket, unsigned code)
{
        (void)all;
        assert_int_equal(socket, SOCKET);
        f.closed = code;
}

void __wrap_websockets_abandon(struct websockets *all, uint64_t socket, unsigned code)
{
        (void)all;
        assert_int_equal(socket, SOCKET);
        f.abandoned = code;
}

bool __wrap_live_feed_has_begun(const struct live_feed *feed)
{
        (void)feed;
        return f.begun;
}

msec __wrap_live_feed_silent_for(const struct live_feed *feed, msec now)
{
        (void)feed;
        (void)now;
        return f.silent;
}

const struct live_ring *__wrap_live_feed_ring(const struct live_feed *feed)
{
        (void)feed;
        return f.ring;
}

bool __wrap_live_feed_continues(const struct live_feed *feed, int64_t offset, int64_t mark,
                                enum live_gap *why)
{
        (void)feed;
        *why = f.why;
        return mark == MARK && live_ring_covers(f.ring, offset);
}

static void on_dropped(void *owner, uint64_t seq, const struct live_entry *e)
{
        (void)owner;
        live_client_dropped(f.client, seq, e);
}

/* A message with an event of that type. */
static void happen(int64_t offset, const char *type)
{
        char json[32];
        struct live_entry e = {
                .offset = offset, .read_at = f.now, .tags = {.shown = true, .tenant = "acme"}};

        snprintf(e.tags.type, sizeof(e.tags.type), "%s", type);
        int length = snprintf(json, sizeof(json), "\"%s%d\"", type, (int)offset);
        e.json = e.masked = bytes_of(json, (size_t)length);
        live_ring_add(f.ring, &e);
        live_ring_reach(f.ring, offset, 0);
        live_ring_trim(f.ring, f.now, on_dropped, NULL);
}

static void tick(void)
{
        f.now += 100;
        live_frames_clear(f.frames, 0);
        live_client_tick(f.client, NULL, f.frames, f.now);
}

static void tick_for(msec duration)
{
        for (msec end = f.now + duration; f.now < end;)
                tick();
}

/* What was said since the last check; frames without the time, which is null. */
static void check_said(const char *want)
{
        buffer_add(&f.said, "", 0);
        assert_string_equal(f.said.data != NULL ? f.said.data : "", want);
        buffer_clear(&f.said);
}

static void hear(const char *text)
{
        live_client_hear(f.client, bytes_of_text(text), f.ring);
}

static void come(const char *tenant, int64_t mark, int64_t offset)
{
        struct live_asked asked = {.filter.tenant = "*"};

        snprintf(asked.filter.tenant, TENANT_SIZE, "%s", tenant[0] != '\0' ? tenant : "*");
        snprintf(asked.viewer.tenant, TENANT_SIZE, "%s", tenant);
        asked.resumes = mark != 0;
        asked.offset = offset;
        asked.mark = mark;
        f.client = live_client_create(&asked, NULL, &f.meters);
        live_client_open(f.client, SOCKET, f.now);
}

#define HELLO(offset, resumed) \
        "{\"hello\":{\"offset\":" offset ",\"mark\":null,\"tenant\":\"*\"," \
        "\"mode\":\"events\",\"resumed\":" resumed "}}\n"
#define FRAME(offset, events) \
        "{\"offset\":" offset ",\"mark\":null,\"at\":null,\"events\":[" events "]}\n"

static int begin(void **state)
{
        (void)state;
        memset(&f, 0, sizeof(f));
        f.now = 100000;
        f.metrics = metrics_create("test");
        live_meters_init(&f.meters, f.metrics);
        f.ring = live_ring_create(1 << 20, 10000);
        f.frames = live_frames_create(1000, 2000);
        live_ring_begin(f.ring, 40);
        f.begun = true;
        return 0;
}

static int end(void **state)
{
        (void)state;
        live_client_destroy(&f.client);
        live_client_destroy(&f.client);
        live_frames_destroy(&f.frames);
        live_ring_destroy(&f.ring);
        buffer_fini(&f.said);
        metrics_destroy(&f.metrics);
        return 0;
}

static void it_is_told_what_happens(void **state)
{
        (void)state;
        happen(41, "a");
        come("", 0, 0);
        tick();
        check_said(HELLO("41", "false"));
        tick();
        check_said("");
        happen(42, "b");
        happen(43, "c");
        tick();
        check_said(FRAME("43", "\"b42\",\"c43\""));
        tick();
        check_said("");
}

static void it_resumes(void **state)
{
        (void)state;
        happen(41, "a");
        happen(42, "b");
        come("", MARK, 41);
        tick();
        check_said(HELLO("41", "true") FRAME("42", "\"b42\""));
}

static void it_cannot_resume(void **state)
{
        (void)state;
        f.why = LIVE_GAP_RESTARTED;
        happen(41, "a");
        come("", MARK, 7);
        f.full = true;
        tick_for(500);
        f.full = false;
        tick();
        check_said(HELLO("41", "false") "{\"gap\":{\"from\":7,\"to\":41,\"why\":\"restarted\"}}\n");
        live_client_destroy(&f.client);
        come("", MARK + 1, 41); /* of another stream */
        tick();
        check_said(
                HELLO("41", "false") "{\"gap\":{\"from\":41,\"to\":41,\"why\":\"restarted\"}}\n");
}

static void offsets_go_on_without_events(void **state)
{
        (void)state;
        come("", 0, 0);
        tick();
        hear("{\"filter\":{\"types\":[\"x\"]}}");
        tick();
        buffer_clear(&f.said);
        for (int64_t offset = 41; offset < 61; offset++) {
                happen(offset, "a");
                tick();
        }
        check_said("{\"offset\":49,\"mark\":null,\"events\":[]}\n{\"offset\":59,\"mark\":null,"
                   "\"events\":[]}\n");
        happen(61, "x");
        tick();
        check_said(FRAME("61", "\"x61\""));
}

static void a_slow_client(void **state)
{
        (void)state;
        come("", 0, 0);
        tick();
        hear("{\"filter\":{\"types\":[\"a\"]}}");
        tick();
        buffer_clear(&f.said);
        f.full = true;
        for (int64_t offset = 41; offset < 241; offset++) {
                happen(offset, offset % 2 == 0 ? "a" : "b");
                if (f.now < 109000)
                        tick();
                else
                        f.now += 100;
        }
        f.full = false;
        f.now += 100;
        live_ring_trim(f.ring, f.now, on_dropped, NULL);
        tick();
        /* The ring has the last 10 s; of those before half were wanted. */
        assert_non_null(strstr(f.said.data, "{\"dropped\":50}\n{\"offset\":240,"));
        assert_int_equal(f.abandoned, 0);
        assert_non_null(strstr(f.said.data, "\"a240\""));
}

/* What is small fits, and is no sign that the client takes anything. */
static void a_client_that_takes_nothing(void **state)
{
        (void)state;
        come("", 0, 0);
        tick();
        f.room = 40;
        for (int64_t offset = 41; f.abandoned == 0; offset++) {
                happen(offset, "a-long-name");
                hear("{\"ping\":1}");
                tick();
                assert_true(offset < 200);
        }
        assert_int_equal(f.abandoned, LIVE_CLOSE_SLOW);
        assert_int_in_range(f.now, 110000, 110400);
        buffer_clear(&f.said);
        f.room = 0;
        tick_for(1000);
        check_said("");
}

static void no_frame_is_made_for_a_full_client(void **state)
{
        (void)state;
        come("", 0, 0);
        tick();
        buffer_clear(&f.said);
        f.full = true;
        happen(41, "a");
        f.frames_made = 0;
        tick_for(5000);
        assert_int_equal(f.frames_made, 1);
        f.full = false;
        tick();
        check_said(FRAME("41", "\"a41\""));
        happen(42, "b");
        tick();
        check_said(FRAME("42", "\"b42\""));
        assert_int_equal(f.abandoned, 0);
}

/* A pong that did not fit says nothing of the time after it. */
static void a_client_that_was_full_for_a_moment(void **state)
{
        (void)state;
        f.begun = false;
        come("", 0, 0);
        tick_for(3000);
        f.full = true;
        hear("{\"ping\":1}");
        f.full = false;
        tick_for(20000);
        assert_int_equal(f.abandoned, 0);
}

static void a_client_that_is_gone(void **state)
{
        (void)state;
        come("", 0, 0);
        f.gone = true;
        tick_for(20000);
        assert_int_equal(f.abandoned, 0);
        assert_int_equal(f.closed, 0);
}

static void the_stream_is_away(void **state)
{
        (void)state;
        come("", 0, 0);
        tick();
        happen(41, "a");
        tick();
        buffer_clear(&f.said);
        f.silent = 1900;
        tick();
        check_said("");
        f.silent = 2000;
        tick_for(5000);
        check_said("{\"gap\":{\"from\":41,\"to\":null,\"why\":\"broker\"}}\n");
        f.silent = 0;
        happen(42, "b");
        tick();
        check_said(FRAME("42", "\"b42\"")); /* nothing was missing */
        f.silent = 3000;
        tick();
        check_said("{\"gap\":{\"from\":42,\"to\":null,\"why\":\"broker\"}}\n");
}

static void the_stream_is_away_from_the_start(void **state)
{
        (void)state;
        f.begun = false;
        f.why = LIVE_GAP_OLD_OFFSET;
        come("", MARK, 7);
        f.silent = 100;
        tick_for(1900);
        check_said("");
        f.silent = 2000;
        tick_for(3000);
        check_said(HELLO("null",
                         "false") "{\"gap\":{\"from\":null,\"to\":null,\"why\":\"broker\"}}\n");
        f.begun = true;
        f.silent = 0;
        live_client_begun(f.client, NULL);
        tick();
        check_said("{\"gap\":{\"from\":7,\"to\":40,\"why\":\"old_offset\"}}\n");
        happen(41, "a");
        tick();
        check_said(FRAME("41", "\"a41\""));
}

static void the_stream_is_rewound(void **state)
{
        (void)state;
        come("", 0, 0);
        tick();
        happen(41, "a");
        tick();
        buffer_clear(&f.said);
        happen(42, "b"); /* not told any more */
        live_client_gap(f.client, LIVE_GAP_REWOUND, f.ring);
        tick_for(2000);
        check_said("{\"gap\":{\"from\":41,\"to\":null,\"why\":\"rewound\"}}\n");
        live_ring_begin(f.ring, 3);
        live_client_begun(f.client, NULL);
        happen(4, "c");
        tick();
        check_said(FRAME("4", "\"c4\""));
        live_client_gap(f.client, LIVE_GAP_BEHIND, f.ring); /* the ring begins at once */
        live_ring_begin(f.ring, 50);
        live_client_begun(f.client, NULL);
        tick();
        check_said("{\"gap\":{\"from\":4,\"to\":50,\"why\":\"behind\"}}\n");
}

static void filters_and_tenants(void **state)
{
        (void)state;
        come("acme", 0, 0);
        tick();
        buffer_clear(&f.said);
        hear("{\"filter\":{\"tenant\":\"other\"}}");
        check_said("{\"error\":{\"detail\":\"this key does not see that tenant\"}}\n");
        hear("{\"filter\":{}}");
        tick();
        check_said("{\"filter\":{\"kinds\":[],\"types\":[],\"status\":[],\"jobs\":[],"
                   "\"tenant\":\"acme\",\"mode\":\"events\"}}\n");
        hear("no");
        assert_non_null(strstr(f.said.data, "{\"error\":{\"detail\":"));
        buffer_clear(&f.said);
        hear("{\"ping\": [1]}");
        check_said("{\"pong\":[1]}\n");
}

static void counts(void **state)
{
        (void)state;
        come("", 0, 0);
        assert_null(live_client_counts(f.client));
        tick();
        hear("{\"filter\":{\"mode\":\"counts\"}}");
        tick();
        buffer_clear(&f.said);
        assert_string_equal(live_client_counts(f.client)->tenant, "*");
        happen(41, "a");
        tick_for(2000);
        check_said("");
        live_client_say(f.client, bytes_of_text("{}"), f.now);
        check_said("{}\n");
        hear("{\"filter\":{}}");
        tick();
        buffer_clear(&f.said);
        happen(42, "b");
        tick();
        check_said(FRAME("42", "\"b42\""));
}

/* Nor is anything said of a stream that is away, before events are wanted. */
static void counts_need_no_stream(void **state)
{
        (void)state;
        f.begun = false;
        f.silent = 60000;
        struct live_asked asked = {.filter = {.tenant = "*", .counts = true}};
        f.client = live_client_create(&asked, NULL, &f.meters);
        live_client_open(f.client, SOCKET, f.now);
        assert_false(live_client_wants_events(f.client));
        live_ring_begin(f.ring, -1);
        tick();
        check_said("{\"hello\":{\"offset\":null,\"mark\":null,\"tenant\":\"*\","
                   "\"mode\":\"counts\",\"resumed\":false}}\n");
        tick_for(5000);
        check_said("");
        f.silent = 100;
        hear("{\"filter\":{}}");
        assert_true(live_client_wants_events(f.client));
        tick();
        buffer_clear(&f.said);
        f.begun = true;
        live_ring_begin(f.ring, 40);
        live_client_begun(f.client, NULL);
        happen(41, "a");
        tick();
        check_said(FRAME("41", "\"a41\""));
}

static void its_key(void **state)
{
        (void)state;
        come("", 0, 0);
        tick();
        buffer_clear(&f.said);
        live_client_hold(f.client, true);
        happen(41, "a");
        hear("{\"ping\":1}");
        tick_for(5000);
        check_said("");
        live_client_hold(f.client, false);
        tick();
        check_said(FRAME("41", "\"a41\""));
        live_client_end(f.client);
        assert_int_equal(f.abandoned, LIVE_CLOSE_KEY);
        happen(42, "b");
        tick();
        check_said("");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(it_is_told_what_happens, begin, end),
                cmocka_unit_test_setup_teardown(it_resumes, begin, end),
                cmocka_unit_test_setup_teardown(it_cannot_resume, begin, end),
                cmocka_unit_test_setup_teardown(offsets_go_on_without_events, begin, end),
                cmocka_unit_test_setup_teardown(a_slow_client, begin, end),
                cmocka_unit_test_setup_teardown(a_client_that_takes_nothing, begin, end),
                cmocka_unit_test_setup_teardown(no_frame_is_made_for_a_full_client, begin, end),
                cmocka_unit_test_setup_teardown(a_client_that_was_full_for_a_moment, begin, end),
                cmocka_unit_test_setup_teardown(a_client_that_is_gone, begin, end),
                cmocka_unit_test_setup_teardown(the_stream_is_away, begin, end),
                cmocka_unit_test_setup_teardown(the_stream_is_away_from_the_start, begin, end),
                cmocka_unit_test_setup_teardown(the_stream_is_rewound, begin, end),
                cmocka_unit_test_setup_teardown(filters_and_tenants, begin, end),
                cmocka_unit_test_setup_teardown(counts, begin, end),
                cmocka_unit_test_setup_teardown(counts_need_no_stream, begin, end),
                cmocka_unit_test_setup_teardown(its_key, begin, end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
