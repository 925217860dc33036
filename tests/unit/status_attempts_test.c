/* SPDX-License-Identifier: Apache-2.0
 *
 * status_attempts_test.c: the attempts that a job's row and table `attempts` keep.
 */
#include "tests/unit/status_rig.h"

#include "status-store/jobs/lookup.h"

static void a_plain_job_has_no_attempt_rows(void **state)
{
        static const enum event_kind kinds[] = {EVENT_STARTED, EVENT_STARTED, EVENT_COMPLETED};
        struct rig rig;
        char id[UUID_SIZE];
        (void)state;
        rig_open(&rig);
        uuid7(id);
        const struct job j = rig_job(id, 1700000000000);
        for (size_t i = 0; i < COUNT(kinds); i++) {
                rig_tell(&rig, &j, kinds[i], 1, 1700000000000);
                rig_commit(&rig);
        }
        assert_int_equal(rig_number(&rig, "SELECT count(*) FROM attempts"), 0);
        assert_int_equal(rig_number(&rig, "SELECT count(*) FROM starts"), 0);
        assert_int_equal(rig_number(&rig, "SELECT spilled FROM jobs"), 0);
        rig_close(&rig);
}

/* A burial without an attempt of its own leaves the last attempt as it was. */
static void a_burial_unrun_overwrites_no_attempt(void **state)
{
        static const struct {
                enum reason reason;
                const char *want;
        } table[] = {{REASON_NO_HANDLER, "\"outcome\":\"failed\""},
                     {REASON_MALFORMED, "\"outcome\":\"failed\""},
                     {REASON_UNROUTABLE, "\"outcome\":\"failed\""},
                     {REASON_EXHAUSTED, "\"outcome\":\"dead\""}};
        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct rig rig;
                struct job_message encoded;
                struct err e = {0};
                char id[UUID_SIZE];
                AUTO_BUFFER out = {0};
                rig_open(&rig);
                uuid7(id);
                struct job j = rig_job(id, 1700000000000);
                rig_submit(&rig, &j);
                rig_tell(&rig, &j, EVENT_STARTED, 1, 1700000000100);
                j.attempt = 1;
                j.error = bytes_of_text("broken");
                j.error_kind = ERROR_KIND_ERROR;
                j.run_at = 1700000001200;
                job_encode(&j, STATION_RETRY, 1700000000200, &encoded);
                rig_fold(&rig, &encoded);
                j.reason = table[i].reason;
                j.error = bytes_of_text("buried");
                uuid7(j.burial);
                job_encode(&j, STATION_BURIAL, 1700000001300, &encoded);
                rig_fold(&rig, &encoded);
                rig_commit(&rig);
                AUTO(readers) readers = readers_create(rig.place.path, 1, &e);
                struct reader *r = readers_take(readers, &e);
                struct stored_job job = {0};
                assert_int_equal(lookup_job(r, "acme", id, &job, &e), 1);
                assert_int_equal(job.row.status, STATUS_DEAD);
                assert_int_equal(lookup_write_attempts(r, &job, &out, &e), 0);
                assert_non_null(strstr(out.data, table[i].want));
                assert_null(strstr(out.data, "\"attempt\":2"));
                stored_job_fini(&job);
                readers_give(&r);
                readers_destroy(&readers);
                rig_close(&rig);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_plain_job_has_no_attempt_rows),
                cmocka_unit_test(a_burial_unrun_overwrites_no_attempt),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
