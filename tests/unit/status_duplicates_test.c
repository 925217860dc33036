/* SPDX-License-Identifier: Apache-2.0
 *
 * status_duplicates_test.c: several messages with one id. The row shows the one that runs or ran;
 * the others are counted.
 */
#include "tests/unit/status_rig.h"

#include "status-store/jobs/lookup.h"
#include "status-store/projection/retention.h"

#define ID "ac7df8a1-24b4-4f48-a2bf-0a8a2a0cc1d2"
#define START ((msec)1700000000000)

/* The contents a to f. b differs from a only in its lane, c in its timeout, d in its payload. */
static struct job job_of(char which)
{
        struct job j = rig_job(ID, START);
        j.payload = bytes_of_text(which == 'd' ? "[4]" : "{}");
        if (which == 'b')
                j.priority = PRIORITY_HIGH;
        if (which == 'b')
                j.lane = LANE_HIGH;
        j.timeout = which == 'c' ? 5000 : 0;
        if (which > 'd')
                snprintf(j.type, sizeof(j.type), "type-%c", which);
        return j;
}

/* One step of a history, in two letters: the event and the content. */
static void step(struct rig *r, char what, char which, msec at)
{
        struct job j = job_of(which);
        struct job_message m;
        enum event_kind kind = what == 's' ? EVENT_STARTED : EVENT_COMPLETED;
        struct event e = {.kind = kind, .run = 1, .attempt = 1, .at = at, .ms = 5};
        AUTO_BUFFER line = {0};

        switch (what) {
        case 'o': /* published from outside */
                job_encode(&j, STATION_REPLAY, 0, &m);
                m.message.user_id = bytes_of_text("tenant-acme");
                projection_fold(r->projection, &m.message, r->offset++);
                return;
        case 'g': /* submitted at a gateway */
        case 'G': /* again, after a lost confirm */
                j.again = what == 'G';
                job_encode(&j, STATION_REPLAY, at, &m);
                break;
        case 'h': /* moved to its delay queue */
                j.run_at = at + 60000;
                job_encode(&j, STATION_FIRST_HOP, at, &m);
                break;
        case 'd': /* came due */
                job_encode(&j, STATION_LANE_MOVE, at, &m);
                message_add_int(&m.message, "x-due-at", at);
                break;
        case 'f': /* failed, to be retried */
                j.attempt = 1;
                j.run_at = at + 1000;
                job_encode(&j, STATION_RETRY, at, &m);
                break;
        case 'r': /* replayed */
                j.run = 2;
                job_encode(&j, STATION_REPLAY, at, &m);
                break;
        default:
                memcpy(e.id, ID, sizeof(e.id));
                memcpy(e.tenant, "acme", 5);
                e.content = which == '-' ? 0 : event_content(&j);
                e.worker = bytes_of_text("host/1");
                event_write(&e, &line);
                m.message = (struct message){.exchange = bytes_of_text("events"),
                                             .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                                             .body = buffer_bytes(&line)};
        }
        rig_fold(r, &m);
}

static void see(struct rig *r, char want, int64_t duplicates)
{
        struct err e = {0};
        struct stored_job job = {0};
        AUTO_BUFFER out = {0};
        char counted[32];
        AUTO(readers) readers = readers_create(r->place.path, 1, &e);
        AUTO_READER *reader = readers_take(readers, &e);
        assert_int_equal(lookup_job(reader, "acme", ID, &job, &e), 1);
        struct job shown = job_of(want);
        const struct job_facts *facts = job_row_facts(&job.row);
        assert_string_equal(facts->type, shown.type);
        assert_int_equal(facts->priority, shown.priority);
        assert_int_equal(facts->timeout, shown.timeout);
        assert_int_equal(lookup_write_job(reader, &job, NULL, &out, &e), 0);
        assert_non_null(strstr(out.data, want == 'd' ? "\"payload\":[4]," : "\"payload\":{},"));
        snprintf(counted, sizeof(counted), "\"duplicates\":%lld,", (long long)duplicates);
        assert_non_null(strstr(out.data, counted));
        stored_job_fini(&job);
}

static void nothing_is_left(struct rig *r)
{
        static const struct retention_settings keep = {.keep_ended = MSEC_DAY,
                                                       .keep_dead = MSEC_DAY};
        struct err e = {0};
        int more = 1;
        AUTO(retention) retention = retention_create(r->store, &keep);
        assert_non_null(retention);
        step(r, 'c', '-', START + MSEC_MINUTE);
        rig_commit(r);
        while (more == 1)
                more = retention_step(retention, START + 2 * MSEC_DAY, &e);
        assert_int_equal(more, 0);
        assert_int_equal(rig_number(r, "SELECT (SELECT count(*) FROM jobs) + (SELECT count(*) FROM"
                                       " bodies) + (SELECT count(*) FROM others)"),
                         0);
}

static void the_row_shows_what_runs(void **state)
{
        static const struct {
                const char *history;
                char want;
                int64_t duplicates;
        } rows[] = {
                {"oa", 'a', 0},
                {"ga", 'a', 0},
                /* None has run: the first is shown. */
                {"oa od", 'a', 1},
                {"ga od", 'a', 1},
                {"oa ob oc od", 'a', 3},
                /* Another message with the same content. */
                {"oa oa oa", 'a', 2},
                /* A service publishes a job again on its way: that is no duplicate. */
                {"oa ha", 'a', 0},
                {"oa ha sa fa", 'a', 0},
                {"ga Ga", 'a', 0},
                /* The submission is read after what came of it. */
                {"da ga", 'a', 0},
                {"da ga Ga", 'a', 0},
                {"da ga oa", 'a', 1},
                {"sa fa ga od", 'a', 1},
                {"sa ca ga", 'a', 0},
                /* One runs: it is shown. */
                {"oa sa od", 'a', 1},
                {"oa od sd", 'd', 1},
                {"oa ob sb", 'b', 1},
                {"oa oc sc cc", 'c', 1},
                {"oe of sf", 'f', 1},
                {"oa sa fa od", 'a', 1},
                {"oa od sd fd", 'd', 1},
                /* One ran: it is shown. */
                {"oa sa ca od", 'a', 1},
                {"ga sa ca od", 'a', 1},
                {"oa sa ca oe", 'a', 1},
                {"ga sa ca ob oc", 'a', 2},
                /* Both ran: the last that completed is shown. */
                {"oa od sa sd ca cd", 'd', 1},
                /* The events do not say which content ran: the first is shown. */
                {"oa od s- c-", 'a', 1},
                {"sd oa od", 'd', 1},
                /* More contents than are stored. */
                {"oa ob oc od oe of", 'a', 5},
                {"oa ob oc od oe of sf", 'a', 5},
                {"oa ob oc od oe of sd", 'd', 5},
                /* A replay, perhaps edited. */
                {"oa sa ca rd", 'd', 0},
                {"oa od sd cd ra", 'a', 1},
                {"oa sa ca ra od", 'a', 1},
        };
        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                for (int commits = 0; commits < 2; commits++) {
                        struct rig rig;
                        msec at = START;
                        rig_open(&rig);
                        print_message("%s\n", rows[i].history);
                        for (const char *h = rows[i].history; *h != '\0';
                             h += h[2] == ' ' ? 3 : 2) {
                                step(&rig, h[0], h[1], at += 10);
                                if (commits == 1)
                                        rig_commit(&rig);
                        }
                        rig_commit(&rig);
                        see(&rig, rows[i].want, rows[i].duplicates);
                        if (strchr(rows[i].history, 'r') == NULL)
                                nothing_is_left(&rig);
                        rig_close(&rig);
                }
        }
}

/* Publishes the same job once more, with changes that do not make another content. */
static void publish_again(struct rig *r, char which, int64_t max_retries, msec run_at)
{
        struct job j = job_of('a');
        struct job_message m;

        j.max_retries = max_retries;
        j.run_at = run_at;
        snprintf(j.traceparent, sizeof(j.traceparent),
                 "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902%02d-01", (int)max_retries);
        if (which == 'h') {
                job_encode(&j, STATION_FIRST_HOP, START + 1000, &m);
                rig_fold(r, &m);
                return;
        }
        job_encode(&j, STATION_REPLAY, 0, &m);
        m.message.user_id = bytes_of_text("tenant-acme");
        projection_fold(r->projection, &m.message, r->offset++);
}

/* The second message came before or after the job ended, and did not run. Each history runs with
 * many digests. */
static void a_second_message_does_not_change_the_first(void **state)
{
        static const char *const histories[] = {"o", "oh", "osco", "oscoh", "oo", "oos"};

        (void)state;
        for (size_t i = 0; i < COUNT(histories) * 10; i++) {
                struct rig rig;
                int64_t times = 0;
                rig_open(&rig);
                for (const char *h = histories[i / 10]; *h != '\0'; h++) {
                        if (*h == 's' || *h == 'c')
                                step(&rig, *h, 'a', START + (*h == 's' ? 10 : 20));
                        else
                                publish_again(&rig, *h, times++ == 0 ? 5 : 10 + (int64_t)i % 10,
                                              *h == 'h' ? START + 60000 : 0);
                        if (i % 2 == 0)
                                rig_commit(&rig);
                }
                rig_commit(&rig);
                print_message("%s\n", histories[i / 10]);
                assert_int_equal(rig_number(&rig, "SELECT max_retries FROM jobs"), 5);
                see(&rig, 'a', strlen(histories[i / 10]) > 1 && strchr(histories[i / 10] + 1, 'o'));
                rig_close(&rig);
        }
}

/* A forgotten job leaves no payload, not even those of its duplicates. */
static void forgetting_takes_all(void **state)
{
        struct rig rig;
        (void)state;
        rig_open(&rig);
        step(&rig, 'o', 'a', START);
        step(&rig, 'o', 'd', START);
        rig_commit(&rig);
        assert_int_equal(rig_number(&rig, "SELECT count(*) FROM bodies"), 2);
        struct job j = job_of('a');
        rig_tell(&rig, &j, EVENT_FORGOTTEN, 0, START + 5);
        rig_commit(&rig);
        assert_int_equal(rig_number(&rig, "SELECT (SELECT count(*) FROM bodies) + (SELECT count(*)"
                                          " FROM others)"),
                         0);
        rig_close(&rig);
}

/* A job's run_at is its own, not that of another job with its id. */
static void the_time_to_run_is_that_of_what_is_shown(void **state)
{
        struct rig rig;
        (void)state;
        rig_open(&rig);
        step(&rig, 'o', 'a', START);
        step(&rig, 's', 'a', START + 10);
        step(&rig, 'c', 'a', START + 20);
        step(&rig, 'o', 'd', START + 30);
        step(&rig, 'h', 'd', START + 40);
        rig_commit(&rig);
        assert_int_equal(rig_number(&rig, "SELECT count(*) FROM jobs WHERE run_at IS NULL"), 1);
        see(&rig, 'a', 1);
        rig_close(&rig);
}

/* After a job has completed, another with its id starts, and fails or is not finished. Its start is
 * not mixed with the end of the completed one. */
static void a_later_start_is_not_told_of_what_completed(void **state)
{
        struct err e = {0};
        struct stored_job job = {0};
        struct rig rig;
        AUTO_BUFFER out = {0};
        (void)state;
        rig_open(&rig);
        step(&rig, 'o', 'a', START);
        step(&rig, 's', 'a', START + 10);
        step(&rig, 'c', 'a', START + 20);
        step(&rig, 'o', 'd', START + 30);
        step(&rig, 's', 'd', START + 40);
        rig_commit(&rig);
        see(&rig, 'a', 1);
        AUTO(readers) readers = readers_create(rig.place.path, 1, &e);
        AUTO_READER *reader = readers_take(readers, &e);
        assert_int_equal(lookup_job(reader, "acme", ID, &job, &e), 1);
        assert_int_equal(lookup_write_job(reader, &job, NULL, &out, &e), 0);
        assert_int_equal(lookup_write_attempts(reader, &job, &out, &e), 0);
        assert_non_null(strstr(out.data, "\"status\":\"completed\""));
        assert_null(strstr(out.data, "\"started_at\":\""));
        assert_null(strstr(out.data, "host/1"));
        stored_job_fini(&job);
        rig_close(&rig);
}

/* A body that is not JSON never appears unencoded in an answer, whatever other events its id
 * has. */
static void a_body_that_is_no_json_is_shown_in_base64(void **state)
{
        enum what { SUBMISSION = 1, BURIAL = 2, COMPLETION = 4 };
        static const struct {
                unsigned what;
                const char *body, *want; /* of the burial */
        } table[] = {
                {SUBMISSION, NULL, "\"payload\":{},"},
                {BURIAL, "[1.50 ]", "\"payload\":[1.50 ],"},
                {BURIAL, "\xff{", "\"payload\":null,\"payload_base64\":\"/3s=\","},
                {BURIAL, "1} ,\"x\":{", "\"payload\":null,\"payload_base64\":"},
                {SUBMISSION | BURIAL, "\xff{", "\"payload\":null,\"payload_base64\":"},
                /* The completion ends the row, so the end is not the burial's. */
                {BURIAL | COMPLETION, "\xff{", "\"payload\":null,\"payload_base64\":"},
        };
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
                if ((table[i].what & SUBMISSION) != 0)
                        rig_submit(&rig, &j);
                if ((table[i].what & BURIAL) != 0) {
                        j.payload = bytes_of_text(table[i].body);
                        j.reason = REASON_MALFORMED;
                        uuid7(j.burial);
                        job_encode(&j, STATION_BURIAL, 1700000001300, &encoded);
                        rig_fold(&rig, &encoded);
                }
                if ((table[i].what & COMPLETION) != 0)
                        rig_tell(&rig, &j, EVENT_COMPLETED, 1, 1700000001400);
                rig_commit(&rig);
                AUTO(readers) readers = readers_create(rig.place.path, 1, &e);
                struct reader *r = readers_take(readers, &e);
                struct stored_job job = {0};
                assert_int_equal(lookup_job(r, "acme", id, &job, &e), 1);
                assert_int_equal(lookup_write_job(r, &job, NULL, &out, &e), 0);
                if (strstr(out.data, table[i].want) == NULL)
                        fail_msg("%zu: %s", i, out.data);
                stored_job_fini(&job);
                readers_give(&r);
                readers_destroy(&readers);
                rig_close(&rig);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_body_that_is_no_json_is_shown_in_base64),
                cmocka_unit_test(the_row_shows_what_runs),
                cmocka_unit_test(a_later_start_is_not_told_of_what_completed),
                cmocka_unit_test(a_second_message_does_not_change_the_first),
                cmocka_unit_test(forgetting_takes_all),
                cmocka_unit_test(the_time_to_run_is_that_of_what_is_shown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
