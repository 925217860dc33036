/* SPDX-License-Identifier: Apache-2.0
 *
 * status_packs_test.c: what packs in the stream make of the rows and counts, and which of them do
 * not count.
 */
#include "tests/unit/status_rig.h"

#include "common/amqp/pack.h"
#include "status-store/jobs/lookup.h"

#define START ((msec)1764000000000)

enum { JOBS = 6 };

static const char *const payloads[JOBS] = {"{\"n\":0}", "{\"n\":1}", "{\"n\":2}",
                                           "{\"n\":3}", "{\"n\":4}", "{\"n\":5}"};

/* Jobs of several tenants, types and times, each with its own payload. */
static void make_jobs(struct job jobs[JOBS])
{
        for (size_t i = 0; i < JOBS; i++) {
                char id[] = "019ab697-e800-7000-8000-00000000000N";
                id[sizeof(id) - 2] = (char)('0' + i);
                jobs[i] = rig_job(id, START + (msec)i);
                snprintf(jobs[i].tenant, sizeof(jobs[i].tenant), i < 4 ? "acme" : "globex");
                snprintf(jobs[i].type, sizeof(jobs[i].type), "type%zu", i % 3);
                jobs[i].run_at = i % 2 == 0 ? 0 : START + 60000;
                jobs[i].payload = bytes_of_text(payloads[i]);
        }
}

static void add(struct buffer *pack, const struct job *job)
{
        struct job_message m;
        struct err e = {0};

        job_encode(job, STATION_SUBMISSION, job->submitted_at, &m);
        if (pack_add(pack, &m.message, &e) != 0)
                fail_msg("%s", e.text);
}

static struct message pack_message(const struct buffer *pack)
{
        return (struct message){.exchange = bytes_of_text("events"),
                                .content_type = bytes_of_text(PACK_CONTENT_TYPE),
                                .user_id = bytes_of_text("warren-gateway"),
                                .timestamp = -1,
                                .body = buffer_bytes(pack)};
}

static void fold_pack(struct rig *r, const struct job *jobs, size_t count, bool again)
{
        AUTO_BUFFER pack = {0};

        for (size_t i = 0; i < count; i++)
                add(&pack, &jobs[i]);
        struct message m = pack_message(&pack);
        if (again)
                message_add_int(&m, "x-again", 1);
        projection_fold(r->projection, &m, r->offset++);
}

/* All that can be read of the jobs. */
static char *dump(struct rig *r, const struct job *jobs, size_t count)
{
        struct err e = {0};
        AUTO(readers) readers = readers_create(r->place.path, 1, &e);
        AUTO_READER *reader = readers_take(readers, &e);
        AUTO_BUFFER out = {0};

        assert_non_null(reader);
        for (size_t i = 0; i < count; i++) {
                AUTO_STORED_JOB job = {0};
                if (lookup_job(reader, jobs[i].tenant, jobs[i].id, &job, &e) == 1) {
                        assert_int_equal(lookup_write_job(reader, &job, NULL, &out, &e), 0);
                        assert_int_equal(lookup_write_attempts(reader, &job, &out, &e), 0);
                }
                buffer_add_char(&out, '\n');
        }
        return buffer_take(&out);
}

static void a_pack_is_as_its_jobs_one_by_one(void **state)
{
        struct job jobs[JOBS];
        struct rig one_by_one, packed;

        (void)state;
        make_jobs(jobs);
        rig_open(&one_by_one);
        for (size_t i = 0; i < JOBS; i++)
                rig_submit(&one_by_one, &jobs[i]);
        rig_commit(&one_by_one);
        rig_open(&packed);
        fold_pack(&packed, jobs, JOBS, false);
        assert_int_equal(projection_messages(packed.projection), JOBS);
        rig_commit(&packed);

        AUTO_FREE char *want = dump(&one_by_one, jobs, JOBS);
        AUTO_FREE char *got = dump(&packed, jobs, JOBS);
        for (size_t i = 0; i < JOBS; i++)
                assert_non_null(strstr(want, payloads[i]));
        assert_string_equal(got, want);
        const struct position *p = projection_position(packed.projection);
        assert_int_equal(p->events, JOBS);
        assert_int_equal(p->messages, 1);
        assert_int_equal(p->skipped, 0);
        assert_int_equal(p->offset, 0);
        assert_int_equal(p->clock, START + JOBS - 1);
        assert_int_equal(rig_number(&packed, "SELECT submitted FROM counters WHERE tenant = 0"),
                         JOBS);
        assert_int_equal(rig_number(&packed, "SELECT sum(n) FROM counts WHERE tenant = 0"), JOBS);
        assert_int_equal(rig_number(&packed, "SELECT sum(published) FROM jobs"), JOBS);
        rig_close(&one_by_one);
        rig_close(&packed);
}

/* New jobs of one message are numbered, and no payload stands in another's place. */
static void jobs_of_one_pack_have_places_of_their_own(void **state)
{
        struct job jobs[PACK_JOBS_MAX];
        struct rig r;

        (void)state;
        rig_open(&r);
        r.offset = 7;
        for (size_t i = 0; i < PACK_JOBS_MAX; i++) {
                char id[] = "019ab697-e800-7000-8000-0000000000NN";
                snprintf(id + sizeof(id) - 3, 3, "%02zu", i);
                jobs[i] = rig_job(id, START);
        }
        fold_pack(&r, jobs, PACK_JOBS_MAX / 2, false);
        fold_pack(&r, jobs, PACK_JOBS_MAX, false);
        rig_commit(&r);
        assert_int_equal(rig_number(&r, "SELECT count(*) FROM jobs"), PACK_JOBS_MAX);
        assert_int_equal(rig_number(&r, "SELECT count(*) FROM bodies"), PACK_JOBS_MAX);
        assert_int_equal(rig_number(&r, "SELECT count(*) FROM jobs WHERE seq BETWEEN 7 * 4096"
                                        " AND 7 * 4096 + 31 AND first = seq"),
                         PACK_JOBS_MAX / 2);
        /* Their numbers count the new jobs, their contents' places all jobs of the pack. */
        assert_int_equal(rig_number(&r, "SELECT count(*) FROM jobs WHERE seq BETWEEN 8 * 4096"
                                        " AND 8 * 4096 + 31 AND first = seq + 32"),
                         PACK_JOBS_MAX / 2);
        rig_close(&r);
}

static void a_pack_told_twice_is_no_duplicate(void **state)
{
        struct job jobs[JOBS];
        struct rig r;

        (void)state;
        make_jobs(jobs);
        rig_open(&r);
        fold_pack(&r, jobs, JOBS, false);
        rig_commit(&r);
        AUTO_FREE char *want = dump(&r, jobs, JOBS);
        for (int turn = 0; turn < 2; turn++) {
                fold_pack(&r, jobs, JOBS, true);
                rig_commit(&r);
                AUTO_FREE char *got = dump(&r, jobs, JOBS);
                assert_string_equal(got, want);
        }
        assert_int_equal(rig_number(&r, "SELECT submitted FROM counters WHERE tenant = 0"), JOBS);
        assert_int_equal(rig_number(&r, "SELECT max(published) FROM jobs"), 1);

        /* A client that submits an id again is one, also in the same pack. */
        struct job again[] = {jobs[0], jobs[0], jobs[0]};
        again[1].payload = bytes_of_text("\"other\"");
        again[2].payload = bytes_of_text("\"third\"");
        fold_pack(&r, again, COUNT(again), false);
        rig_commit(&r);
        assert_int_equal(rig_number(&r, "SELECT max(published) FROM jobs"), 3);
        fold_pack(&r, again, COUNT(again), true);
        rig_commit(&r);
        assert_int_equal(rig_number(&r, "SELECT max(published) FROM jobs"), 3);
        rig_close(&r);
}

/* Of two contents of one id in one pack the first is shown, until the other is the one that runs.
 */
static void contents_in_one_pack_are_in_order(void **state)
{
        struct job_message m;
        struct job jobs[JOBS];
        struct rig r;

        (void)state;
        make_jobs(jobs);
        rig_open(&r);
        struct job both[] = {jobs[1], jobs[0], jobs[0]};
        both[2].payload = bytes_of_text("\"second\"");
        fold_pack(&r, both, COUNT(both), false);
        rig_commit(&r);
        AUTO_FREE char *first = dump(&r, &jobs[0], 1);
        assert_non_null(strstr(first, payloads[0]));
        assert_int_equal(rig_number(&r, "SELECT count(*) FROM bodies"), 3);
        assert_int_equal(rig_number(&r, "SELECT count(*) FROM others"), 1);
        both[2].attempt = 1;
        both[2].run_at = START + 1000;
        both[2].error = bytes_of_text("broken");
        job_encode(&both[2], STATION_RETRY, START + 100, &m);
        rig_fold(&r, &m);
        rig_commit(&r);
        AUTO_FREE char *second = dump(&r, &jobs[0], 1);
        assert_non_null(strstr(second, "\"second\""));
        rig_close(&r);
}

static void only_a_pack_of_the_gateway_counts(void **state)
{
        static const struct {
                const char *exchange, *key, *user;
        } rows[] = {
                {"events", "", "warren-consumer"},
                {"events", "", "warren-dlx-monitor"},
                {"events", "", "tenant-acme"},
                {"events", "", NULL},
                {"jobs.acme", "high", "warren-gateway"},
                {"jobs.acme", "high", "tenant-acme"},
                {"due", "acme.high", "warren-consumer"},
                {"delay.1s", "acme.high", "warren-gateway"},
        };
        struct job jobs[JOBS];
        AUTO_BUFFER pack = {0};
        struct rig r;

        (void)state;
        make_jobs(jobs);
        rig_open(&r);
        add(&pack, &jobs[0]);
        add(&pack, &jobs[1]);
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct message m = pack_message(&pack);
                m.exchange = bytes_of_text(rows[i].exchange);
                m.routing_key = bytes_of_text(rows[i].key);
                m.user_id = bytes_of_text(rows[i].user);
                m.message_id = bytes_of_text(jobs[0].id);
                m.type = bytes_of_text("noop");
                m.delivery_mode = 2;
                projection_fold(r.projection, &m, r.offset++);
                assert_int_equal(projection_messages(r.projection), 1);
                rig_commit(&r);
                assert_int_equal(projection_position(r.projection)->skipped, (int64_t)i + 1);
                assert_int_equal(projection_position(r.projection)->events, 0);
        }
        assert_int_equal(rig_number(&r, "SELECT count(*) FROM jobs"), 0);
        rig_close(&r);
}

/* Neither a pack in a pack, nor events, nor what goes through the stream by itself. */
static void only_submissions_in_a_pack_count(void **state)
{
        struct job jobs[JOBS];
        struct job_message replay;
        AUTO_BUFFER inner = {0}, pack = {0}, line = {0};
        struct rig r;

        (void)state;
        make_jobs(jobs);
        rig_open(&r);
        add(&inner, &jobs[0]);
        struct message nested = pack_message(&inner);
        assert_int_equal(pack_add(&pack, &nested, NULL), 0);
        job_encode(&jobs[1], STATION_REPLAY, START, &replay);
        assert_int_equal(pack_add(&pack, &replay.message, NULL), 0);
        struct event e = {.kind = EVENT_STARTED, .tenant = "acme", .run = 1, .attempt = 1};
        memcpy(e.id, jobs[2].id, sizeof(e.id));
        event_write(&e, &line);
        struct message event = {.exchange = bytes_of_text("events"),
                                .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                                .body = buffer_bytes(&line)};
        assert_int_equal(pack_add(&pack, &event, NULL), 0);
        nested.exchange = bytes_of_text("work");
        nested.routing_key = bytes_of_text("acme.high");
        assert_int_equal(pack_add(&pack, &nested, NULL), 0);
        add(&pack, &jobs[3]);
        struct message m = pack_message(&pack);
        projection_fold(r.projection, &m, r.offset++);
        rig_commit(&r);
        assert_int_equal(projection_position(r.projection)->skipped, 4);
        assert_int_equal(projection_position(r.projection)->events, 1);
        assert_int_equal(rig_number(&r, "SELECT count(*) FROM jobs"), 1);
        AUTO_FREE char *got = dump(&r, &jobs[3], 1);
        assert_non_null(strstr(got, payloads[3]));
        rig_close(&r);
}

static void a_broken_pack_counts_up_to_the_break(void **state)
{
        struct job jobs[JOBS];
        AUTO_BUFFER pack = {0};
        struct rig r;

        (void)state;
        make_jobs(jobs);
        rig_open(&r);
        add(&pack, &jobs[0]);
        add(&pack, &jobs[1]);
        struct message m = pack_message(&pack);
        m.body.length--;
        projection_fold(r.projection, &m, r.offset++);
        m.body = bytes_of_text("");
        projection_fold(r.projection, &m, r.offset++);
        assert_int_equal(projection_messages(r.projection), 2);
        rig_commit(&r);
        assert_int_equal(projection_position(r.projection)->offset, 1);
        assert_int_equal(projection_position(r.projection)->skipped, 2);
        assert_int_equal(projection_position(r.projection)->events, 1);
        assert_int_equal(rig_number(&r, "SELECT count(*) FROM jobs"), 1);
        rig_close(&r);
}

static void count_passed(void *owner, const char *id)
{
        unsigned *passed = owner;

        (void)id;
        (*passed)++;
}

/* Markers are messages of their own. */
static void nothing_in_a_pack_is_a_marker(void **state)
{
        static const struct projection_events on = {.passed = count_passed};
        struct job jobs[JOBS];
        unsigned passed = 0;
        struct rig r;

        (void)state;
        make_jobs(jobs);
        rig_open(&r);
        projection_on_commit(r.projection, &on, &passed);
        snprintf(jobs[0].type, sizeof(jobs[0].type), "probe");
        fold_pack(&r, jobs, 1, false);
        rig_commit(&r);
        assert_int_equal(passed, 0);
        struct message marker = {.exchange = bytes_of_text("events"),
                                 .type = bytes_of_text("probe"),
                                 .message_id = bytes_of_text(jobs[0].id),
                                 .user_id = bytes_of_text("warren-consumer")};
        projection_fold(r.projection, &marker, r.offset++);
        rig_commit(&r);
        assert_int_equal(passed, 1);
        rig_close(&r);
}

/* Folds one message of a history with packs, at its own offset. */
static void fold_step(struct rig *r, const struct job jobs[JOBS], int64_t step)
{
        struct job other = jobs[2];

        r->offset = 1 + step;
        switch (step) {
        case 0:
                fold_pack(r, jobs, 4, false);
                break;
        case 1: /* one again, and one with another content */
                other.payload = bytes_of_text("\"other\"");
                fold_pack(r, (const struct job[]){jobs[1], other, jobs[2], jobs[4]}, 4, false);
                break;
        case 2:
                fold_pack(r, jobs + 3, 3, true);
                break;
        case 3:
                rig_tell(r, &jobs[0], EVENT_STARTED, 1, START + 100);
                break;
        case 4:
                rig_tell(r, &jobs[0], EVENT_COMPLETED, 1, START + 200);
                break;
        default:
                rig_tell(r, &jobs[5], EVENT_STARTED, 1, START + 60100);
                break;
        }
}

static void any_order_of_packs_gives_the_same(void **state)
{
        enum { STEPS = 6, ORDERS = 120 };
        struct job jobs[JOBS];
        AUTO_FREE char *want = NULL;

        (void)state;
        make_jobs(jobs);
        for (unsigned order = 0; order < ORDERS; order++) {
                int64_t left[STEPS] = {0, 1, 2, 3, 4, 5};
                unsigned rest = order * 7; /* which of the 720 orders */
                struct rig r;
                rig_open(&r);
                rig_tell(&r, &jobs[0], EVENT_PROGRESS, 1, START + 70000); /* the clock */
                for (unsigned count = STEPS; count > 0; count--) {
                        unsigned at = rest % count;
                        rest /= count;
                        fold_step(&r, jobs, left[at]);
                        left[at] = left[count - 1];
                        if (order % 3 == count % 3)
                                rig_commit(&r);
                }
                rig_commit(&r);
                AUTO_FREE char *got = dump(&r, jobs, JOBS);
                rig_close(&r);
                if (want == NULL)
                        want = TAKE(got);
                else
                        assert_string_equal(got, want);
        }
        assert_non_null(strstr(want, payloads[2]));
        assert_non_null(strstr(want, "completed"));
}

static void a_rewound_stream_tells_the_same(void **state)
{
        struct err e = {0};
        struct job jobs[JOBS];
        struct rig r;

        (void)state;
        make_jobs(jobs);
        rig_open(&r);
        fold_pack(&r, jobs, 4, false);
        fold_pack(&r, jobs + 2, 4, false);
        rig_commit(&r);
        AUTO_FREE char *want = dump(&r, jobs, JOBS);
        assert_int_equal(projection_rewind(r.projection, &e), 0);
        r.offset = 0;
        fold_pack(&r, jobs, JOBS, false);
        rig_commit(&r);
        AUTO_FREE char *got = dump(&r, jobs, JOBS);
        assert_string_equal(got, want);
        assert_int_equal(rig_number(&r, "SELECT count(*) FROM bodies"), JOBS);
        rig_close(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_pack_is_as_its_jobs_one_by_one),
                cmocka_unit_test(jobs_of_one_pack_have_places_of_their_own),
                cmocka_unit_test(a_pack_told_twice_is_no_duplicate),
                cmocka_unit_test(contents_in_one_pack_are_in_order),
                cmocka_unit_test(only_a_pack_of_the_gateway_counts),
                cmocka_unit_test(only_submissions_in_a_pack_count),
                cmocka_unit_test(a_broken_pack_counts_up_to_the_break),
                cmocka_unit_test(nothing_in_a_pack_is_a_marker),
                cmocka_unit_test(any_order_of_packs_gives_the_same),
                cmocka_unit_test(a_rewound_stream_tells_the_same),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
