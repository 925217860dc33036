/* SPDX-License-Identifier: Apache-2.0
 *
 * status_releaser_test.c: what ran on a lost worker starts again, unless it was to be cancelled.
 */
#include "tests/unit/status_rig.h"

#include "common/db/readers.h"
#include "status-store/releaser.h"

#define ID "ac7df8a1-24b4-4f48-a2bf-0a8a2a0cc1d2"
#define START ((msec)1700000000000)

/* A job that runs on a worker that is silent for a minute. */
static void run_lost(struct rig *r, bool to_be_cancelled)
{
        const struct job j = rig_job(ID, START);
        rig_submit(r, &j);
        rig_tell(r, &j, EVENT_STARTED, 1, START + 10);
        if (to_be_cancelled)
                rig_tell(r, &j, EVENT_CANCEL_REQUESTED, 1, START + 20);
        rig_commit(r);
}

static void find(struct rig *r, struct sweep_found *found)
{
        struct err e = {0};
        AUTO(readers) readers = readers_create(r->place.path, 1, &e);
        AUTO_READER *reader = readers_take(readers, &e);
        assert_non_null(reader);
        assert_int_equal(releaser.find(reader, START + MSEC_MINUTE, found, &e), 0);
}

static void check_event(bool to_be_cancelled, enum event_kind want)
{
        struct rig r;
        struct sweep_found found = {.count = 0};
        struct event e;
        AUTO_BUFFER scratch = {0};
        rig_open(&r);
        run_lost(&r, to_be_cancelled);
        find(&r, &found);
        assert_int_equal(found.count, 1);
        assert_int_equal(event_parse(buffer_bytes(&found.lines), &scratch, &e), EVENT_IS);
        assert_int_equal(e.kind, want);
        assert_int_equal(e.attempt, 1);
        assert_true(bytes_equal_text(e.worker, "host/1"));
        if (want == EVENT_CANCELLED)
                assert_true(e.running);

        /* Folded, it is not found again. */
        struct message m = {.exchange = bytes_of_text("events"),
                            .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                            .user_id = bytes_of_text("warren-provision"),
                            .body = buffer_bytes(&found.lines)};
        projection_fold(r.projection, &m, r.offset++);
        rig_commit(&r);
        assert_int_equal(rig_number(&r, "SELECT state FROM jobs"),
                         want == EVENT_CANCELLED ? STATUS_CANCELLED : STATUS_PENDING);
        buffer_clear(&found.lines);
        found.count = 0;
        find(&r, &found);
        assert_int_equal(found.count, 0);
        buffer_fini(&found.lines);
        rig_close(&r);
}

static void what_ran_on_a_lost_worker_starts_again(void **state)
{
        (void)state;
        check_event(false, EVENT_RELEASED);
}

static void what_was_to_be_cancelled_ends(void **state)
{
        (void)state;
        check_event(true, EVENT_CANCELLED);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_ran_on_a_lost_worker_starts_again),
                cmocka_unit_test(what_was_to_be_cancelled_ends),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
