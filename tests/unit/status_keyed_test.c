/* SPDX-License-Identifier: Apache-2.0
 *
 * status_keyed_test.c: of which jobs the projection says that they were published with an
 * idempotency key, and when.
 */
#include "tests/unit/order_rig.h"

#define KEY "order-17"

struct seen {
        int count;
        char key[JOB_KEY_SIZE];
};

static void note_keyed(void *owner, const struct keyed_job *job)
{
        struct seen *seen = owner;
        assert_string_equal(job->tenant, "acme");
        assert_string_equal(job->id, ID);
        snprintf(seen->key, sizeof(seen->key), "%s", job->key);
        seen->count++;
}

static void listen(struct rig *r, struct seen *seen)
{
        *seen = (struct seen){.count = 0};
        projection_on_commit(r->projection, &(struct projection_events){.keyed = note_keyed}, seen);
}

/* As tell, but the job's messages have a key. O: a submission from outside, where a key is not
 * read. */
static void tell_keyed(struct rig *r, const struct plan *p, char letter)
{
        struct job j = job_of(p);
        struct job_message m;
        if (strchr("sdDO", letter) == NULL) {
                tell(r, p, letter);
                return;
        }
        j.doubt = letter == 'd';
        snprintf(j.key, sizeof(j.key), KEY);
        snprintf(j.key_hash, sizeof(j.key_hash), "00112233445566778899aabbccddeeff");
        if (letter == 'D') {
                come_due(r, &j, p->at, p->at);
                return;
        }
        job_encode(&j, letter == 'O' ? STATION_REPLAY : STATION_SUBMISSION, p->at, &m);
        if (letter == 'O')
                projection_fold(r->projection, &m.message, r->offset++);
        else
                rig_fold(r, &m);
}

static const struct {
        const char *events; /* each in a batch of its own */
        const char *counts; /* how often it was said, after each batch */
} rows[] = {
        {"s", "1"},   {"ss", "11"},   {"d", "0"},   {"db", "01"},   {"dD", "01"},
        {"bs", "01"}, {"cs", "01"},   {"sb", "11"}, {"sbc", "111"}, {"b", "0"},
        {"O", "0"},   {"ObO", "000"}, {"ds", "01"}, {"dk", "01"},
};

static void it_is_said_once_when_the_row_is_shown(void **state)
{
        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct plan p = {.at = clock_wall() - MSEC_HOUR};
                struct rig rig;
                struct seen seen;
                rig_open(&rig);
                listen(&rig, &seen);
                for (size_t n = 0; rows[i].events[n] != '\0'; n++) {
                        tell_keyed(&rig, &p, rows[i].events[n]);
                        assert_true(seen.count == (n == 0 ? 0 : rows[i].counts[n - 1] - '0'));
                        rig_commit(&rig);
                        if (seen.count != rows[i].counts[n] - '0')
                                fail_msg("%s: %d after %d", rows[i].events, seen.count, (int)n + 1);
                }
                if (seen.count > 0)
                        assert_string_equal(seen.key, KEY);
                rig_close(&rig);
        }
}

static void it_is_said_once_in_a_batch_and_not_of_a_lost_one(void **state)
{
        struct plan p = {.at = clock_wall() - MSEC_HOUR};
        struct rig rig;
        struct seen seen;
        (void)state;
        rig_open(&rig);
        listen(&rig, &seen);
        tell_keyed(&rig, &p, 's');
        projection_forget(rig.projection);
        rig_commit(&rig);
        assert_int_equal(seen.count, 0);
        for (const char *at = "dsbc"; *at != '\0'; at++)
                tell_keyed(&rig, &p, *at);
        rig_commit(&rig);
        assert_int_equal(seen.count, 1);
        rig_close(&rig);
}

/* A rewound stream says it of no row that stayed; a new database says it of all. */
static void it_is_said_again_of_a_new_database_only(void **state)
{
        struct plan p = {.at = clock_wall() - MSEC_HOUR};
        struct err e = {0};
        struct rig rig;
        struct seen seen;
        (void)state;
        rig_open(&rig);
        listen(&rig, &seen);
        tell_keyed(&rig, &p, 's');
        rig_commit(&rig);
        assert_int_equal(projection_rewind(rig.projection, &e), 0);
        rig.offset = 0;
        tell_keyed(&rig, &p, 's');
        rig_commit(&rig);
        assert_int_equal(seen.count, 1);
        rig_close(&rig);
        rig_open(&rig);
        listen(&rig, &seen);
        tell_keyed(&rig, &p, 's');
        rig_commit(&rig);
        assert_int_equal(seen.count, 1);
        rig_close(&rig);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(it_is_said_once_when_the_row_is_shown),
                cmocka_unit_test(it_is_said_once_in_a_batch_and_not_of_a_lost_one),
                cmocka_unit_test(it_is_said_again_of_a_new_database_only),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
