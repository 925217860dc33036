/* SPDX-License-Identifier: Apache-2.0
 *
 * status_canceller_test.c: what was to be cancelled while it ran and waits again is ended.
 */
#include "tests/unit/status_rig.h"

#include "common/db/readers.h"
#include "status-store/canceller.h"

#define ID "ac7df8a1-24b4-4f48-a2bf-0a8a2a0cc1d2"
#define START ((msec)1700000000000)

static int find(struct rig *r, msec as_of, struct event *out, struct buffer *scratch)
{
        struct err e = {0};
        struct sweep_found found = {.count = 0};
        AUTO(readers) readers = readers_create(r->place.path, 1, &e);
        AUTO_READER *reader = readers_take(readers, &e);
        assert_non_null(reader);
        assert_int_equal(canceller.find(reader, as_of, &found, &e), 0);
        if (found.count > 0)
                assert_int_equal(event_parse(buffer_bytes(&found.lines), scratch, out), EVENT_IS);
        /* Folded, it is not found again. */
        struct message m = {.exchange = bytes_of_text("events"),
                            .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                            .user_id = bytes_of_text("warren-provision"),
                            .body = buffer_bytes(&found.lines)};
        if (found.count > 0)
                projection_fold(r->projection, &m, r->offset++);
        rig_commit(r);
        buffer_fini(&found.lines);
        return found.count;
}

/* It ran, was to be cancelled, and then `kind` was told of its attempt. */
static void check(bool requested, enum event_kind kind, int want)
{
        struct rig r;
        struct event e = {.attempt = 0};
        AUTO_BUFFER scratch = {0};
        const struct job j = rig_job(ID, START);
        rig_open(&r);
        rig_submit(&r, &j);
        rig_tell(&r, &j, EVENT_STARTED, 1, START + 10);
        if (requested)
                rig_tell(&r, &j, EVENT_CANCEL_REQUESTED, 1, START + 20);
        if (kind != EVENT_STARTED)
                rig_tell(&r, &j, kind, 1, START + 30);
        rig_commit(&r);
        assert_int_equal(find(&r, START + 100, &e, &scratch), 0);
        assert_int_equal(find(&r, START + 1000, &e, &scratch), want);
        if (want > 0) {
                assert_int_equal(e.kind, EVENT_CANCELLED);
                assert_int_equal(e.attempt, 1);
                assert_false(e.running);
                assert_int_equal(rig_number(&r, "SELECT state FROM jobs"), STATUS_CANCELLED);
                assert_int_equal(find(&r, START + 1000, &e, &scratch), 0);
        }
        rig_close(&r);
}

static void what_waits_again_is_ended(void **state)
{
        (void)state;
        check(true, EVENT_RELEASED, 1);
        check(false, EVENT_RELEASED, 0);
}

static void what_runs_or_has_ended_is_left(void **state)
{
        (void)state;
        check(true, EVENT_STARTED, 0);
        check(true, EVENT_COMPLETED, 0);
        check(true, EVENT_CANCELLED, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_waits_again_is_ended),
                cmocka_unit_test(what_runs_or_has_ended_is_left),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
