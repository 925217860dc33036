/* SPDX-License-Identifier: Apache-2.0
 *
 * job_encode_test.c: the messages that jobs are encoded as, decoded again by job_decode.
 */
#include <stdio.h>
#include <string.h>

#include "common/model/job_headers.h"
#include "tests/unit/unit.h"

#define ID "01902f5e-7b1a-7000-8000-000000000001"
#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
#define NOW ((msec)1732250000000)

static const struct job_limits limits = {.payload_max = 1000};

static struct job whole_job(void)
{
        struct job job = {
                .id = ID,
                .tenant = "acme",
                .type = "send_email",
                .priority = PRIORITY_HIGH,
                .lane = LANE_HIGH,
                .run = 2,
                .attempt = 3,
                .copy = 1,
                .max_retries = 7,
                .timeout = 20000,
                .run_at = NOW + 30000,
                .expires_at = NOW + 90000,
                .submitted_at = NOW - 5000,
                .traceparent = TRACE,
                .key = "k",
                .key_hash = "h",
                .error_kind = ERROR_KIND_TIMEOUT,
        };

        job.error = bytes_of_text("too slow");
        job.payload = bytes_of_text("{\"to\":1.10}");
        return job;
}

/* As the broker would deliver it: with the service's user_id. */
static void decode_again(struct job_message *sent, struct job *job)
{
        struct err e = {0};

        sent->message.user_id = bytes_of_text("warren-consumer");
        assert_int_equal(job_decode(&sent->message, &limits, NOW, job, &e), 0);
        assert_string_equal(job->id, ID);
        assert_string_equal(job->tenant, "acme");
        assert_string_equal(job->type, "send_email");
        assert_int_equal(job->run, 2);
        assert_int_equal(job->attempt, 3);
        assert_int_equal(job->copy, 1);
        assert_int_equal(job->max_retries, 7);
        assert_int_equal(job->timeout, 20000);
        assert_int_equal(job->submitted_at, NOW - 5000);
        assert_int_equal(job->queued_at, NOW);
        assert_string_equal(job->traceparent, TRACE);
        assert_string_equal(job->key, "k");
        assert_string_equal(job->key_hash, "h");
        assert_true(bytes_equal_text(job->payload, "{\"to\":1.10}"));
        for (size_t i = 0; i < sent->message.header_count; i++)
                assert_non_null(job_header_known(sent->message.headers[i].name));
}

static void assert_addressed(const struct job_message *m, const char *exchange, const char *key)
{
        assert_true(bytes_equal_text(m->message.exchange, exchange));
        assert_true(bytes_equal_text(m->message.routing_key, key));
        assert_int_equal(m->message.delivery_mode, 2);
        assert_null(m->message.user_id.data);
}

static void submissions_make_the_round_trip(void **state)
{
        struct job job = whole_job(), got;
        struct job_message m;

        (void)state;
        job_encode(&job, STATION_SUBMISSION, NOW, &m);
        assert_addressed(&m, "hold.30s", "acme.high");
        assert_true(m.message.mandatory);
        assert_null(message_header(&m.message, "x-hop"));
        assert_null(message_header(&m.message, "x-doubt"));
        decode_again(&m, &got);
        assert_int_equal(got.due_at, NOW + 30000);
        assert_int_equal(got.run_at, NOW + 30000);
        assert_int_equal(got.expires_at, NOW + 90000);
        assert_false(got.doubt);

        job.doubt = true;
        job_encode(&job, STATION_SUBMISSION, NOW, &m);
        assert_int_equal(message_header_int(&m.message, "x-doubt", 0), 1);
        decode_again(&m, &got);
        assert_true(got.doubt);

        job_encode(&job, STATION_REPLAY, NOW, &m);
        assert_addressed(&m, "delay.30s", "acme.high");
        assert_false(m.message.mandatory);
        decode_again(&m, &got);
        assert_false(got.doubt);
        assert_null(message_header(&m.message, "x-expires-at")); /* a replay does not expire */
}

static void each_later_message_says_when_it_expires(void **state)
{
        static const enum job_station stations[] = {STATION_FIRST_HOP, STATION_HOP,
                                                    STATION_RETRY,     STATION_BURIAL,
                                                    STATION_LANE_MOVE, STATION_MOVE};
        struct job job = whole_job();
        struct job_message m;

        (void)state;
        for (size_t i = 0; i < COUNT(stations); i++) {
                job_encode(&job, stations[i], NOW, &m);
                assert_int_equal(message_header_int(&m.message, "x-expires-at", 0), NOW + 90000);
        }
}

/* Whatever services publish of it. Messages of earlier versions do not say it. */
static void each_later_message_says_that_the_job_came_from_outside(void **state)
{
        struct job job = whole_job();

        (void)state;
        for (int round = 0; round < 2; round++) {
                job.outside = round == 1;
                for (unsigned station = STATION_SUBMISSION; station <= STATION_UNPARK;
                     station <<= 1) {
                        struct job_message m;
                        struct job got;
                        struct err e = {0};
                        job.pause = PAUSE_TYPE;
                        job.reason = station == STATION_BURIAL ? REASON_PERMANENT : REASON_NONE;
                        job_encode(&job, (enum job_station)station, NOW, &m);
                        m.message.user_id = bytes_of_text("warren-consumer");
                        assert_int_equal(job_decode(&m.message, &limits, NOW, &got, &e), 0);
                        assert_false(got.from_outside);
                        assert_int_equal(got.outside, job.outside);
                        if (!job.outside)
                                assert_null(message_header(&m.message, "x-outside"));
                }
        }
}

static void later_messages_make_the_round_trip(void **state)
{
        struct job job = whole_job(), got;
        struct job_message m;

        (void)state;
        job.unhandled_at = NOW - 7;
        job_encode(&job, STATION_HOP, NOW, &m);
        assert_addressed(&m, "hold.30s", "acme.high");
        assert_true(m.message.mandatory);
        decode_again(&m, &got);
        assert_true(got.hop);
        assert_int_equal(got.unhandled_at, NOW - 7);
        assert_int_equal(got.error_kind, ERROR_KIND_TIMEOUT);

        job_encode(&job, STATION_FIRST_HOP, NOW, &m);
        assert_addressed(&m, "delay.30s", "acme.high");
        assert_false(m.message.mandatory);
        decode_again(&m, &got);
        assert_false(got.hop);

        job_encode(&job, STATION_RETRY, NOW, &m);
        assert_addressed(&m, "delay.30s", "acme.high");
        decode_again(&m, &got);
        assert_true(bytes_equal_text(got.error, "too slow"));
        assert_int_equal(got.unhandled_at, 0); /* the job ran, so a handler exists */

        job_encode(&job, STATION_LANE_MOVE, NOW, &m);
        assert_addressed(&m, "due", "acme.long");
        assert_null(message_header(&m.message, "x-due-at"));
        decode_again(&m, &got);
        assert_int_equal(got.lane, LANE_LONG);
        assert_int_equal(got.priority, PRIORITY_HIGH);

        job.reason = REASON_EXHAUSTED;
        memcpy(job.burial, ID, sizeof(job.burial));
        job_encode(&job, STATION_BURIAL, NOW, &m);
        assert_addressed(&m, "dead", "acme.high");
        decode_again(&m, &got);
        assert_int_equal(got.reason, REASON_EXHAUSTED);
        assert_string_equal(got.burial, ID);
}

/* A copy that takes the place of what waits. */
static void a_copy_goes_where_a_replay_goes(void **state)
{
        struct job job = whole_job(), got;
        struct job_message m;

        (void)state;
        job.moved = MOVED_GIVEN_BACK;
        job.again = true;
        job.unhandled_at = NOW - 7;
        job_encode(&job, STATION_MOVE, NOW, &m);
        assert_addressed(&m, "delay.30s", "acme.high");
        assert_false(m.message.mandatory);
        decode_again(&m, &got);
        assert_int_equal(got.moved, MOVED_GIVEN_BACK);
        assert_int_equal(got.expires_at, NOW + 90000);
        assert_int_equal(got.error_kind, ERROR_KIND_TIMEOUT);
        assert_true(bytes_equal_text(got.error, "too slow"));
        assert_true(got.again);
        assert_int_equal(got.unhandled_at, 0);
        job.run_at = 0;
        job_encode(&job, STATION_MOVE, NOW, &m);
        assert_addressed(&m, "jobs.acme", "high");
}

/* Only while the same attempt waits. */
static void each_message_says_whether_it_was_moved(void **state)
{
        static const struct {
                enum job_station station;
                bool want;
        } rows[] = {
                {STATION_SUBMISSION, false}, {STATION_FIRST_HOP, false}, {STATION_HOP, true},
                {STATION_RETRY, false},      {STATION_BURIAL, false},    {STATION_LANE_MOVE, true},
                {STATION_REPLAY, false},     {STATION_MOVE, true},       {STATION_PARK, true},
                {STATION_UNPARK, true},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct job job = whole_job();
                struct job_message m;
                job.moved = MOVED_BY_ACT;
                job.pause = PAUSE_TYPE;
                job_encode(&job, rows[i].station, NOW, &m);
                assert_int_equal(message_header_int(&m.message, "x-moved", 0), rows[i].want);
                assert_int_equal(message_header_int(&m.message, "x-copy", 0), 1);
                job.moved = MOVED_NOT;
                job_encode(&job, rows[i].station, NOW, &m);
                assert_null(message_header(&m.message, "x-moved"));
        }
}

static void a_job_is_parked_and_taken_out(void **state)
{
        static const struct {
                enum pause pause;
                const char *want;
        } rows[] = {
                {PAUSE_TYPE, "parked.send_email"},
                {PAUSE_TENANT_TYPE, "parked-tenant.acme.send_email"},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct job job = whole_job(), parked, got;
                struct job_message m, out;
                job.pause = rows[i].pause;
                job.unhandled_at = NOW - 7;
                job.again = true;
                job_encode(&job, STATION_PARK, NOW, &m);
                assert_addressed(&m, rows[i].want, "acme.high");
                assert_true(m.message.mandatory);
                decode_again(&m, &parked);
                assert_int_equal(parked.due_at, 0);
                assert_false(parked.hop);
                assert_int_equal(parked.unhandled_at, NOW - 7);
                assert_true(parked.again);
                assert_int_equal(parked.pause, PAUSE_NONE);

                job_encode(&parked, STATION_UNPARK, NOW + MSEC_DAY, &out);
                assert_addressed(&out, "work", "acme.high");
                assert_true(out.message.mandatory);
                decode_again(&out, &got); /* also: x-queued-at is that of the parking */
                assert_int_equal(got.run_at, NOW + 30000);
                assert_int_equal(got.expires_at, NOW + 90000);
                assert_int_equal(got.unhandled_at, NOW - 7);
                assert_int_equal(got.error_kind, ERROR_KIND_TIMEOUT);
        }
}

/* A consumer takes two messages of an attempt with the same time for one. */
static void each_message_is_later_than_the_one_before(void **state)
{
        static const struct {
                msec before, now, want;
        } rows[] = {
                {0, NOW, NOW},          {NOW - 1, NOW, NOW},
                {NOW, NOW, NOW + 1},    {NOW + 999, NOW, NOW + 1000},
                {NOW + 1000, NOW, NOW}, /* of a wrong clock */
        };

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                for (unsigned station = STATION_SUBMISSION; station < STATION_UNPARK;
                     station <<= 1) {
                        struct job job = whole_job();
                        struct job_message m;
                        job.pause = PAUSE_TYPE;
                        job.reason = station == STATION_BURIAL ? REASON_PERMANENT : REASON_NONE;
                        job.queued_at = rows[i].before;
                        job_encode(&job, (enum job_station)station, rows[i].now, &m);
                        assert_int_equal(message_header_int(&m.message, "x-queued-at", 0),
                                         rows[i].want);
                }
        }
}

static void a_submission_goes_where_its_time_says(void **state)
{
        static const struct {
                msec run_at;
                const char *want, *want_replayed;
        } rows[] = {
                {0, "work", "jobs.acme"},
                {NOW, "work", "jobs.acme"},
                {NOW + 250, "work", "jobs.acme"},
                {NOW + 251, "hold.200ms", "delay.200ms"},
                {NOW + (msec)365 * MSEC_DAY, "hold.30d", "delay.30d"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct job job = whole_job();
                struct job_message m;
                job.run_at = rows[i].run_at;
                job_encode(&job, STATION_SUBMISSION, NOW, &m);
                assert_addressed(&m, rows[i].want, "acme.high");
                job_encode(&job, STATION_REPLAY, NOW, &m);
                bool named = strcmp(rows[i].want_replayed, "jobs.acme") == 0;
                assert_addressed(&m, rows[i].want_replayed, named ? "high" : "acme.high");
        }
}

static void defaults_are_not_written(void **state)
{
        struct job job = whole_job();
        struct job_message m;

        (void)state;
        job.run = 1;
        job.attempt = job.copy = 0;
        job.max_retries = JOB_MAX_RETRIES_DEFAULT;
        job.timeout = job.run_at = job.expires_at = job.submitted_at = 0;
        job.traceparent[0] = job.key[0] = job.key_hash[0] = '\0';
        job_encode(&job, STATION_SUBMISSION, NOW, &m);
        assert_int_equal(m.message.header_count, 1);
        assert_int_equal(message_header_int(&m.message, "x-queued-at", 0), NOW);
}

static void a_malformed_burial_claims_no_json(void **state)
{
        struct job job = whole_job();
        struct job_message m;

        (void)state;
        job.reason = REASON_MALFORMED;
        job.type[0] = '\0';
        snprintf(job.claimed_id, sizeof(job.claimed_id), "%s", "x");
        job_encode(&job, STATION_BURIAL, NOW, &m);
        assert_null(m.message.type.data);
        assert_true(bytes_equal_text(m.message.content_type, "application/octet-stream"));
        assert_true(bytes_equal_text(message_header_text(&m.message, "x-claimed-id"), "x"));
}

static void the_lane_follows_the_timeout(void **state)
{
        static const struct {
                msec timeout, type_timeout;
                enum lane want;
        } rows[] = {
                {0, 0, LANE_HIGH},
                {0, JOB_TIMEOUT_LONG, LANE_HIGH},
                {0, JOB_TIMEOUT_LONG + 1, LANE_LONG},
                {JOB_TIMEOUT_LONG + 1, 5, LANE_LONG},
                {5000, JOB_TIMEOUT_LONG + 1, LANE_HIGH},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct job job = whole_job();
                job.timeout = rows[i].timeout;
                assert_int_equal(job_lane(&job, rows[i].type_timeout), rows[i].want);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(submissions_make_the_round_trip),
                cmocka_unit_test(each_later_message_says_that_the_job_came_from_outside),
                cmocka_unit_test(later_messages_make_the_round_trip),
                cmocka_unit_test(each_later_message_says_when_it_expires),
                cmocka_unit_test(a_copy_goes_where_a_replay_goes),
                cmocka_unit_test(each_message_says_whether_it_was_moved),
                cmocka_unit_test(a_job_is_parked_and_taken_out),
                cmocka_unit_test(each_message_is_later_than_the_one_before),
                cmocka_unit_test(a_submission_goes_where_its_time_says),
                cmocka_unit_test(defaults_are_not_written),
                cmocka_unit_test(a_malformed_burial_claims_no_json),
                cmocka_unit_test(the_lane_follows_the_timeout),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
