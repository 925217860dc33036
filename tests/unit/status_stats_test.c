/* SPDX-License-Identifier: Apache-2.0
 *
 * status_stats_test.c: when the measured times start, and that an endless number of invented types
 * has no lasting cost.
 */
#include "tests/unit/status_rig.h"

#include <jansson.h>

#include "status-store/projection/retention.h"
#include "status-store/stats.h"

static json_t *stats_of(const struct rig *rig, msec now)
{
        struct err e = {0};
        json_error_t fault;
        AUTO_BUFFER out = {0};
        AUTO(readers) readers = readers_create(rig->place.path, 1, &e);
        struct reader *r = readers_take(readers, &e);
        buffer_add_char(&out, '{');
        if (stats_write(r, "*", now, &out, &e) != 0)
                fail_msg("%s", e.text);
        buffer_add_char(&out, '}');
        readers_give(&r);
        json_t *stats = json_loadb(out.data, out.length, 0, &fault);
        assert_non_null(stats);
        return stats;
}

/* The 99th percentile; -1: none was measured. */
static json_int_t longest(const json_t *stats, const char *time)
{
        const json_t *times = json_object_get(json_object_get(stats, "last_hour"), time);
        const json_t *p99 = json_object_get(times, "p99");
        assert_non_null(p99);
        return json_is_null(p99) ? -1 : json_integer_value(p99);
}

static void assert_near(json_int_t got, json_int_t want)
{
        json_int_t off = got > want ? got - want : want - got;
        assert_true(want < 0 ? got == want : off * 100 <= want * 7);
}

static void fold_retry(struct rig *rig, struct job *j, msec at, msec run_at)
{
        struct job_message encoded;
        j->attempt = 1;
        j->run_at = run_at;
        j->error = bytes_of_text("broken");
        j->error_kind = ERROR_KIND_ERROR;
        job_encode(j, STATION_RETRY, at, &encoded);
        rig_fold(rig, &encoded);
}

/* The history of a job that was submitted a good while ago, in ms from then; 0: did not happen. */
static void times_are_measured_from_when_it_was_due(void **state)
{
        static const struct {
                const char *what;
                bool submitted;
                msec delay, started, failed, again, completed;
                json_int_t wait, latency;
        } table[] = {
                {"at once", true, 0, 300, 0, 0, 1000, 300, 1000},
                {"delayed", true, 1200000, 1200200, 0, 0, 1200700, 200, 700},
                {"retried", true, 0, 300, 400, 60000, 61000, 300, 61000},
                {"delayed and retried", true, 600000, 600500, 600600, 660000, 661000, 500, 661000},
                {"its submission is lost", false, 0, 300, 0, 0, 1000, -1, -1},
        };
        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct rig rig;
                char id[UUID_SIZE];
                msec now = clock_wall();
                msec at = now - 25 * MSEC_MINUTE;
                rig_open(&rig);
                uuid7(id);
                struct job j = rig_job(id, at);
                j.run_at = table[i].delay > 0 ? at + table[i].delay : 0;
                if (table[i].submitted)
                        rig_submit(&rig, &j);
                rig_commit(&rig);
                rig_tell(&rig, &j, EVENT_STARTED, 1, at + table[i].started);
                rig_tell(&rig, &j, EVENT_STARTED, 1, at + table[i].started); /* published twice */
                if (table[i].failed > 0) {
                        fold_retry(&rig, &j, at + table[i].failed, at + table[i].again);
                        rig_tell(&rig, &j, EVENT_STARTED, 2, at + table[i].again);
                }
                rig_tell(&rig, &j, EVENT_COMPLETED, table[i].failed > 0 ? 2 : 1,
                         at + table[i].completed);
                rig_commit(&rig);
                json_t *stats = stats_of(&rig, now);
                print_message("%s\n", table[i].what);
                assert_near(longest(stats, "wait_ms"), table[i].wait);
                assert_near(longest(stats, "latency_ms"), table[i].latency);
                assert_near(longest(stats, "duration_ms"), 5);
                json_decref(stats);
                rig_close(&rig);
        }
}

static json_int_t submitted_last_hour(const struct rig *rig, msec now)
{
        json_t *stats = stats_of(rig, now);
        const json_t *hour = json_object_get(stats, "last_hour");
        json_int_t count = json_integer_value(json_object_get(hour, "submitted"));
        json_decref(stats);
        return count;
}

/* A job from outside whose id holds no time: the last event before it gives the hour. */
static void a_job_without_any_time_counts_when_it_came(void **state)
{
        static const struct {
                msec age; /* age of the event before; 0: there is none */
                json_int_t want;
        } table[] = {{0, 1}, {MSEC_MINUTE, 1}, {3 * 60 * MSEC_MINUTE, 0}};
        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct rig rig;
                msec now = clock_wall();
                struct job other = rig_job("01900000-0000-7000-8000-000000000001", now);
                rig_open(&rig);
                if (table[i].age > 0)
                        rig_tell(&rig, &other, EVENT_STARTED, 1, now - table[i].age);
                struct message m = {.exchange = bytes_of_text("jobs.acme"),
                                    .routing_key = bytes_of_text("medium"),
                                    .user_id = bytes_of_text("tenant-acme"),
                                    .message_id =
                                            bytes_of_text("ac7df8a1-24b4-4f48-a2bf-0a8a2a0cc1d2"),
                                    .type = bytes_of_text("noop"),
                                    .content_type = bytes_of_text("application/json"),
                                    .timestamp = -1,
                                    .delivery_mode = 2,
                                    .body = bytes_of_text("{}")};
                projection_fold(rig.projection, &m, rig.offset++);
                rig_commit(&rig);
                assert_int_equal(submitted_last_hour(&rig, now), table[i].want);
                rig_close(&rig);
        }
}

/* Folds one completed job of each of `count` types. */
static void invent(struct rig *rig, msec at, int count)
{
        for (int i = 0; i < count; i++) {
                char id[UUID_SIZE];
                uuid7(id);
                struct job j = rig_job(id, at);
                snprintf(j.type, sizeof(j.type), "type%d", i);
                rig_submit(rig, &j);
                rig_tell(rig, &j, EVENT_COMPLETED, 1, at);
                assert_true(names_held(store_names(rig->store)) <= NAMES_HELD_MAX);
        }
        rig_commit(rig);
}

static void walk(struct retention *retention, msec now)
{
        struct err e = {0};
        int more = 1;
        while (more == 1)
                more = retention_step(retention, now, &e);
        if (more != 0)
                fail_msg("%s", e.text);
}

static void invented_types_go_with_their_jobs(void **state)
{
        static const struct retention_settings keep = {.keep_ended = MSEC_DAY,
                                                       .keep_dead = MSEC_DAY};
        static const int counts[] = {10, 10, NAMES_HELD_MAX + 100, 10};
        struct rig rig;
        msec now = clock_wall();
        (void)state;
        rig_open(&rig);
        AUTO(retention) retention = retention_create(rig.store, &keep);
        assert_non_null(retention);
        for (size_t turn = 0; turn < COUNT(counts); turn++) {
                int count = counts[turn];
                invent(&rig, now, count);
                assert_int_equal(rig_number(&rig, "SELECT count(*) FROM names"), count + 1);
                walk(retention, now); /* types that have jobs stay */
                assert_int_equal(rig_number(&rig, "SELECT count(*) FROM names"), count + 1);
                now += 3 * MSEC_DAY;
                walk(retention, now);
                assert_int_equal(rig_number(&rig, "SELECT count(*) FROM jobs"), 0);
                now += 2 * MSEC_HOUR;
                walk(retention, now);
                assert_int_equal(rig_number(&rig, "SELECT count(*) FROM names"), 1);
                assert_int_equal(rig_number(&rig, "SELECT count(*) FROM counts"), 0);
                assert_int_equal(rig_number(&rig, "SELECT count(*) FROM names WHERE name ="
                                                  " 'acme'"),
                                 1);
        }
        retention_destroy(&retention);
        rig_close(&rig);
}

static void types_beyond_many_are_one(void **state)
{
        struct rig rig;
        json_t *group;
        const char *type;
        json_int_t sum = 0;
        (void)state;
        rig_open(&rig);
        invent(&rig, clock_wall(), 1200);
        json_t *stats = stats_of(&rig, clock_wall());
        json_t *types = json_object_get(stats, "types");
        assert_int_equal(json_object_size(types), 1001);
        json_object_foreach(types, type, group) sum +=
                json_integer_value(json_object_get(group, "completed"));
        assert_int_equal(sum, 1200);
        group = json_object_get(types, "*");
        assert_int_equal(json_integer_value(json_object_get(group, "completed")), 200);
        json_decref(stats);
        rig_close(&rig);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(times_are_measured_from_when_it_was_due),
                cmocka_unit_test(a_job_without_any_time_counts_when_it_came),
                cmocka_unit_test(invented_types_go_with_their_jobs),
                cmocka_unit_test(types_beyond_many_are_one),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
