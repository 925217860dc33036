/* SPDX-License-Identifier: Apache-2.0
 *
 * status_given_back_test.c: what a store answers about a job that was started and then released,
 * and about its delivery when that comes again.
 */
#include "tests/unit/status_rig.h"

#include "status-store/jobs/lookup.h"

#define START ((msec)1700000000000)
/* All workers have been silent for a long time. */
#define LATER (START + MSEC_DAY)

static void tell(struct rig *r, const char *id, enum event_kind kind, const char *worker, msec at,
                 bool lost)
{
        struct event e = {.kind = kind,
                          .tenant = "acme",
                          .run = 1,
                          .attempt = 1,
                          .at = at,
                          .after = at - 1,
                          .lost = lost,
                          .worker = bytes_of_text(worker)};
        AUTO_BUFFER line = {0};
        memcpy(e.id, id, sizeof(e.id));
        event_write(&e, &line);
        const struct message m = {.exchange = bytes_of_text("events"),
                                  .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                                  .user_id = bytes_of_text("warren-consumer"),
                                  .body = buffer_bytes(&line)};
        projection_fold(r->projection, &m, r->offset++);
}

/* The store's answers about the delivery of attempt 1 and about the attempts. The caller frees
 * it. */
static char *ask(struct rig *r, const char *id)
{
        struct err e = {0};
        struct stored_job job = {0};
        AUTO_BUFFER out = {0};
        struct delivery_asked d = {.tenant = "acme", .run = 1, .attempt = 1};
        memcpy(d.id, id, sizeof(d.id));
        rig_commit(r);
        AUTO(readers) readers = readers_create(r->place.path, 1, &e);
        AUTO_READER *reader = readers_take(readers, &e);
        assert_non_null(reader);
        assert_int_equal(lookup_write_delivery(reader, &d, LATER, &out, &e), 0);
        assert_int_equal(lookup_job(reader, "acme", id, &job, &e), 1);
        assert_int_equal(lookup_write_attempts(reader, &job, &out, &e), 0);
        stored_job_fini(&job);
        return buffer_take(&out);
}

static void a_store_tells_of_it(void **state)
{
        /* Each worker starts the attempt. With `releases` it then releases the attempt; with `lost`
         * it was given up. */
        static const struct {
                int workers;
                bool releases, lost;
                const char *want[3];
        } rows[] = {
                {1,
                 false,
                 false,
                 {"\"state\":\"running\"", "\"starts\":1", "\"outcome\":\"running\""}},
                {1,
                 true,
                 false,
                 {"\"state\":\"open\"", "\"starts\":0", "\"outcome\":\"released\""}},
                {1, true, true, {"\"state\":\"open\"", "\"starts\":1", "\"outcome\":\"lost\""}},
                {6,
                 true,
                 false,
                 {"\"state\":\"open\"", "\"starts\":0", "\"outcome\":\"released\""}},
                {6, true, true, {"\"state\":\"open\"", "\"starts\":6", "\"outcome\":\"lost\""}},
        };
        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct rig rig;
                char id[UUID_SIZE], worker[32];
                rig_open(&rig);
                uuid7(id);
                struct job j = rig_job(id, START);
                rig_submit(&rig, &j);
                for (int n = 0; n < rows[i].workers; n++) {
                        msec at = START + (msec)100 * n;
                        snprintf(worker, sizeof(worker), "host/%d", n);
                        tell(&rig, id, EVENT_STARTED, worker, at, false);
                        if (rows[i].releases)
                                tell(&rig, id, EVENT_RELEASED, worker, at + 1, rows[i].lost);
                }
                AUTO_FREE char *got = ask(&rig, id);
                for (size_t at = 0; at < COUNT(rows[i].want); at++)
                        if (strstr(got, rows[i].want[at]) == NULL)
                                fail_msg("row %zu: no %s in %s", i, rows[i].want[at], got);
                rig_close(&rig);
        }
}

/* The same worker comes back, takes the attempt again, and dies with it. */
static void one_given_back_does_not_excuse_the_next(void **state)
{
        struct rig rig;
        char id[UUID_SIZE];
        (void)state;
        rig_open(&rig);
        uuid7(id);
        struct job j = rig_job(id, START);
        rig_submit(&rig, &j);
        tell(&rig, id, EVENT_STARTED, "host/1", START, false);
        tell(&rig, id, EVENT_RELEASED, "host/1", START + 1, false);
        tell(&rig, id, EVENT_STARTED, "host/1", START + 100, false);
        AUTO_FREE char *got = ask(&rig, id);
        assert_non_null(strstr(got, "\"state\":\"running\""));
        assert_non_null(strstr(got, "\"starts\":1"));
        assert_non_null(strstr(got, "\"outcome\":\"running\""));
        assert_non_null(strstr(got, "\"finished_at\":null"));
        rig_close(&rig);
}

/* The worker's later progress shows that it lives, and so does the attempt. */
static void a_worker_that_was_given_up_and_goes_on_is_shown(void **state)
{
        struct rig rig;
        char id[UUID_SIZE];
        (void)state;
        rig_open(&rig);
        uuid7(id);
        struct job j = rig_job(id, START);
        rig_submit(&rig, &j);
        tell(&rig, id, EVENT_STARTED, "host/1", START, false);
        tell(&rig, id, EVENT_RELEASED, "host/1", START + 1, true);
        tell(&rig, id, EVENT_PROGRESS, "host/1", START + 100, false);
        AUTO_FREE char *got = ask(&rig, id);
        assert_non_null(strstr(got, "\"state\":\"running\""));
        assert_non_null(strstr(got, "\"outcome\":\"running\""));
        rig_close(&rig);
}

/* A retry after the release is the attempt's first end, and counts as one. */
static void a_failure_after_it_counts(void **state)
{
        struct rig rig;
        struct job_message encoded;
        char id[UUID_SIZE];
        (void)state;
        rig_open(&rig);
        uuid7(id);
        struct job j = rig_job(id, START);
        rig_submit(&rig, &j);
        tell(&rig, id, EVENT_STARTED, "host/1", START, false);
        tell(&rig, id, EVENT_RELEASED, "host/1", START + 1, false);
        tell(&rig, id, EVENT_STARTED, "host/2", START + 100, false);
        j.attempt = 1;
        j.error = bytes_of_text("broken");
        j.run_at = START + 1000;
        job_encode(&j, STATION_RETRY, START + 200, &encoded);
        rig_fold(&rig, &encoded);
        AUTO_FREE char *got = ask(&rig, id);
        assert_non_null(strstr(got, "\"outcome\":\"failed\""));
        assert_int_equal(rig_number(&rig, "SELECT failed FROM counters"), 1);
        rig_close(&rig);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_store_tells_of_it),
                cmocka_unit_test(one_given_back_does_not_excuse_the_next),
                cmocka_unit_test(a_worker_that_was_given_up_and_goes_on_is_shown),
                cmocka_unit_test(a_failure_after_it_counts),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
