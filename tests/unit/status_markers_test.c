/* SPDX-License-Identifier: Apache-2.0
 *
 * status_markers_test.c: a marker has passed once the batch that contains it is written, not
 * before.
 */
#include "tests/unit/status_rig.h"

#include <pthread.h>

#include "status-store/projection/markers.h"

static void passed(void *owner, const char *id)
{
        markers_passed(owner, id);
}

static void fold_probe(struct rig *r, const char *id)
{
        const struct message m = {.exchange = bytes_of_text("events"),
                                  .type = bytes_of_text("probe"),
                                  .message_id = bytes_of_text(id),
                                  .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                                  .body = bytes_of_text("")};
        projection_fold(r->projection, &m, r->offset++);
}

static bool has_passed(struct markers *m, const char *id)
{
        return markers_await(m, id, clock_mono());
}

static void it_has_passed_when_its_batch_is_written(void **state)
{
        struct rig rig;
        char id[UUID_SIZE], other[UUID_SIZE];
        AUTO(markers) m = markers_create();
        (void)state;
        rig_open(&rig);
        projection_on_commit(rig.projection, &(struct projection_events){.passed = passed}, m);
        uuid7(id);
        uuid7(other);
        fold_probe(&rig, id);
        assert_false(has_passed(m, id));
        projection_forget(rig.projection);
        rig_commit(&rig);
        assert_false(has_passed(m, id));
        fold_probe(&rig, "");        /* a probe of the link itself */
        fold_probe(&rig, "no uuid"); /* this is not a marker either */
        fold_probe(&rig, id);
        rig_commit(&rig);
        assert_true(has_passed(m, id));
        assert_false(has_passed(m, other));
        assert_int_equal(projection_position(rig.projection)->skipped, 0);
        rig_close(&rig);
}

static void the_last_are_remembered(void **state)
{
        AUTO(markers) m = markers_create();
        char first[UUID_SIZE], id[UUID_SIZE];
        (void)state;
        uuid7(first);
        markers_passed(m, first);
        for (int i = 1; i < MARKERS_KEPT; i++) {
                uuid7(id);
                markers_passed(m, id);
        }
        assert_true(has_passed(m, first));
        uuid7(id);
        markers_passed(m, id);
        assert_false(has_passed(m, first));
        assert_true(has_passed(m, id));
}

struct passer {
        struct markers *markers;
        char id[UUID_SIZE];
        bool closes;
};

static void *pass(void *owner)
{
        struct passer *p = owner;
        if (p->closes)
                markers_close(p->markers);
        else
                markers_passed(p->markers, p->id);
        return NULL;
}

static void who_waits_is_woken(void **state)
{
        (void)state;
        for (int turn = 0; turn < 2; turn++) {
                AUTO(markers) m = markers_create();
                struct passer p = {.markers = m, .closes = turn == 1};
                pthread_t thread;
                uuid7(p.id);
                assert_int_equal(pthread_create(&thread, NULL, pass, &p), 0);
                bool got = markers_await(m, p.id, clock_mono() + (msec)60 * MSEC_SECOND);
                assert_int_equal(got, !p.closes);
                pthread_join(thread, NULL);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(it_has_passed_when_its_batch_is_written),
                cmocka_unit_test(the_last_are_remembered),
                cmocka_unit_test(who_waits_is_woken),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
