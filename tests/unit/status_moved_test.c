/* SPDX-License-Identifier: Apache-2.0
 *
 * status_moved_test.c: the duplicate check of messages of a job that was moved or cancelled, and
 * which consumers follow the marks.
 */
#include "tests/unit/status_rig.h"

#include "common/db/readers.h"
#include "status-store/acts/mark_readers.h"
#include "status-store/jobs/lookup.h"

#define ID "ac7df8a1-24b4-4f48-a2bf-0a8a2a0cc1d2"
#define START ((msec)1700000000000)
#define COPY ((int64_t)START * 1024)

static void tell_as(struct rig *r, const char *login, const char *line)
{
        const struct message m = {.exchange = bytes_of_text("events"),
                                  .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                                  .user_id = bytes_of_text(login),
                                  .body = bytes_of_text(line)};
        projection_fold(r->projection, &m, r->offset++);
}

static void tell(struct rig *r, const char *line)
{
        tell_as(r, "warren-consumer", line);
}

static void tell_moved(struct rig *r, int64_t attempt, int64_t copy)
{
        AUTO_FREE char *line = xasprintf("{\"event\":\"moved\",\"id\":\"" ID "\","
                                         "\"tenant\":\"acme\",\"run\":1,\"attempt\":%lld,"
                                         "\"copy\":%lld,\"at\":%lld,\"why\":\"run_now\"}\n",
                                         (long long)attempt, (long long)copy, (long long)START + 5);
        tell_as(r, "warren-operator", line);
}

static bool was_to_be_forgotten; /* in the last answer */

static void check(struct rig *r, struct delivery_asked d, const char *want)
{
        struct err e = {0};
        AUTO_BUFFER out = {0};
        rig_commit(r);
        AUTO(readers) readers = readers_create(r->place.path, 1, &e);
        AUTO_READER *reader = readers_take(readers, &e);
        snprintf(d.tenant, sizeof(d.tenant), "acme");
        snprintf(d.id, sizeof(d.id), ID);
        assert_int_equal(lookup_write_delivery(reader, &d, START + 10, &out, &e), 0);
        AUTO_FREE char *state = xasprintf("{\"state\":\"%s\"", want);
        if (strncmp(out.data, state, strlen(state)) != 0)
                fail_msg("%s, not %s", out.data, want);
        was_to_be_forgotten = strstr(out.data, "\"forget\":true") != NULL;
}

/* A message that is to start this attempt of the first run. */
static struct delivery_asked message(int64_t attempt, int64_t copy, enum moved_word listed)
{
        return (struct delivery_asked){
                .run = 1, .attempt = attempt, .copy = copy, .listed = listed};
}

/* A broker that dies can keep the copy's message in the stream alone: the old one must go on. */
static void a_copy_counts_once_it_is_confirmed(void **state)
{
        struct rig r;
        struct job j = rig_job(ID, START);
        (void)state;
        rig_open(&r);
        rig_submit(&r, &j);
        j.copy = COPY;
        j.moved = MOVED_BY_ACT;
        rig_submit(&r, &j);
        check(&r, message(1, 0, MOVED_UNKNOWN), "open");
        tell_moved(&r, 1, COPY);
        check(&r, message(1, 0, MOVED_UNKNOWN), "superseded");
        check(&r, message(1, COPY - 1, MOVED_UNKNOWN), "superseded");
        check(&r, message(1, COPY, MOVED_UNKNOWN), "open");
        check(&r, message(1, COPY + 1, MOVED_UNKNOWN), "open");
        rig_close(&r);
}

/* The old message was started before it could be told: its retry goes on, the copy does not. */
static void the_retry_of_the_old_message_goes_on(void **state)
{
        struct rig r;
        struct job j = rig_job(ID, START);
        (void)state;
        rig_open(&r);
        rig_submit(&r, &j);
        rig_tell(&r, &j, EVENT_STARTED, 1, START + 1);
        tell_moved(&r, 1, COPY);
        check(&r, message(1, COPY, MOVED_UNKNOWN), "running");
        j.attempt = 1;
        j.run_at = START + 2;
        struct job_message m;
        job_encode(&j, STATION_RETRY, START + 1, &m);
        rig_fold(&r, &m);
        j.due_at = START + 2;
        job_encode(&j, STATION_LANE_MOVE, START + 2, &m);
        message_add_int(&m.message, "x-due-at", START + 2);
        rig_fold(&r, &m);
        check(&r, message(2, 0, MOVED_UNKNOWN), "open");
        check(&r, message(1, COPY, MOVED_UNKNOWN), "superseded");
        rig_close(&r);
}

static void the_list_knows_what_the_rows_have_lost(void **state)
{
        struct rig r;
        const struct job j = rig_job(ID, START);
        (void)state;
        rig_open(&r);
        tell(&r, "{\"event\":\"worker\",\"worker\":\"h/1\",\"at\":1,\"state\":\"up\"}\n");
        check(&r, message(1, 0, MOVED_UNKNOWN), "unknown");
        check(&r, message(1, 0, MOVED_ENDED), "closed");
        check(&r, message(1, 0, MOVED_SUPERSEDED), "superseded");
        rig_submit(&r, &j);
        check(&r, message(1, 0, MOVED_UNKNOWN), "open");
        check(&r, message(1, 0, MOVED_ENDED), "closed");
        rig_tell(&r, &j, EVENT_COMPLETED, 1, START + 1);
        check(&r, message(1, 0, MOVED_SUPERSEDED), "closed");
        rig_close(&r);
}

enum leg { ONLY_LEG, LAST_OF_SEVERAL };

/* Its first row, in which it was cancelled or moved, was deleted. It comes due again and again
 * while the primary is away: more often than a history keeps. */
static void say_nothing_of_earlier_acts(enum leg leg)
{
        enum { DUES = 20 };
        struct rig r;
        struct job j = rig_job(ID, START);
        struct job_message m;
        rig_open(&r);
        for (int i = 0; i < DUES; i++) {
                job_encode(&j, STATION_LANE_MOVE, START + 2 + i, &m);
                message_add_int(&m.message, "x-due-at", START + 2 + i);
                if (leg == LAST_OF_SEVERAL)
                        message_add_int(&m.message, "x-hop", 1);
                rig_fold(&r, &m);
                check(&r, message(1, 0, MOVED_UNKNOWN), "unknown");
        }
        assert_false(was_to_be_forgotten);
        check(&r, message(1, 0, MOVED_ENDED), "closed");
        assert_true(was_to_be_forgotten);
        check(&r, message(1, 0, MOVED_SUPERSEDED), "superseded");
        assert_true(was_to_be_forgotten);
        rig_submit(&r, &j);
        check(&r, message(1, 0, MOVED_UNKNOWN), "open");
        check(&r, message(1, 0, MOVED_SUPERSEDED), "superseded");
        assert_false(was_to_be_forgotten);
        rig_close(&r);
}

static void a_message_alone_says_nothing_of_earlier_acts(void **state)
{
        (void)state;
        say_nothing_of_earlier_acts(ONLY_LEG);
        say_nothing_of_earlier_acts(LAST_OF_SEVERAL);
}

static void consumers_that_live_and_follow_the_marks_are_listed(void **state)
{
        static const char forged[] = "{\"event\":\"worker\",\"worker\":\"f/6\",\"at\":99000,"
                                     "\"state\":\"up\",\"marks\":true}\n";
        static const char *const records[] = {
                "{\"event\":\"worker\",\"worker\":\"d/4\",\"at\":99000,\"state\":\"up\","
                "\"marks\":true}\n",
                "{\"event\":\"worker\",\"worker\":\"a/1\",\"at\":99000,\"state\":\"draining\","
                "\"marks\":true}\n",
                /* of an earlier version; silent; gone */
                "{\"event\":\"worker\",\"worker\":\"b/2\",\"at\":99000,\"state\":\"up\"}\n",
                "{\"event\":\"worker\",\"worker\":\"c/3\",\"at\":80000,\"state\":\"up\","
                "\"marks\":true}\n",
                "{\"event\":\"worker\",\"worker\":\"e/5\",\"at\":99000,\"state\":\"gone\","
                "\"marks\":true}\n",
        };
        struct rig r;
        struct err e = {0};
        AUTO_MARK_READERS live = {.count = 0};
        (void)state;
        rig_open(&r);
        for (size_t i = 0; i < COUNT(records); i++)
                tell(&r, records[i]);
        tell_as(&r, "warren-operator", forged);
        rig_commit(&r);
        AUTO(readers) readers = readers_create(r.place.path, 1, &e);
        assert_int_equal(mark_readers_list(readers, 100000, &live, &e), 0);
        assert_int_equal(live.count, 2);
        assert_string_equal(live.workers[0], "a/1");
        assert_string_equal(live.workers[1], "d/4");
        rig_close(&r);
}

static int seen_count;
static void on_seen(void *owner, struct bytes worker, int64_t mark)
{
        (void)owner;
        assert_true(bytes_equal_text(worker, "a/1"));
        assert_int_equal(mark, 7);
        seen_count++;
}

static void what_consumers_have_seen_is_told_after_the_commit(void **state)
{
        static const struct projection_events events = {.seen = on_seen};
        static const char line[] =
                "{\"event\":\"seen\",\"worker\":\"a/1\",\"at\":99000,\"mark\":7}\n";
        struct rig r;
        (void)state;
        rig_open(&r);
        projection_on_commit(r.projection, &events, NULL);
        tell(&r, line);
        tell_as(&r, "warren-operator", line); /* not a consumer */
        assert_int_equal(seen_count, 0);
        rig_commit(&r);
        assert_int_equal(seen_count, 1);
        /* Not when a tenant's program says it. */
        const struct message forged = {.exchange = bytes_of_text("events"),
                                       .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                                       .user_id = bytes_of_text("tenant-acme"),
                                       .body = bytes_of_text(line)};
        projection_fold(r.projection, &forged, r.offset++);
        rig_commit(&r);
        assert_int_equal(seen_count, 1);
        rig_close(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_copy_counts_once_it_is_confirmed),
                cmocka_unit_test(the_retry_of_the_old_message_goes_on),
                cmocka_unit_test(the_list_knows_what_the_rows_have_lost),
                cmocka_unit_test(a_message_alone_says_nothing_of_earlier_acts),
                cmocka_unit_test(consumers_that_live_and_follow_the_marks_are_listed),
                cmocka_unit_test(what_consumers_have_seen_is_told_after_the_commit),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
