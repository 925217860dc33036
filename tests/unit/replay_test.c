/* SPDX-License-Identifier: Apache-2.0
 *
 * replay_test.c: replays of dead letters: begun, ended, abandoned, and the jobs they publish.
 */
#include "tests/unit/archive_rig.h"

#include "common/amqp/properties.h"
#include "dlx-monitor/replay.h"

/* Returns how many replays are under way after that letter; `first` is the first of them. */
static size_t replaying(struct archive *a, const char *after, char first[UUID_SIZE])
{
        char left[2][UUID_SIZE] = {"", ""};
        struct err e = {0};
        size_t count;

        assert_int_equal(letters_replaying(a, left, 2, after, &count, &e), 0);
        memcpy(first, left[0], UUID_SIZE);
        return count;
}

static void assert_dead(struct archive *a, size_t want)
{
        const struct letter_filter dead = {.limit = 9, .state = "dead"};

        assert_int_equal(list_count(a, &dead), want);
}

static void a_replay_outlives_a_crash(void **state)
{
        const struct replay_edit edit = {
                .payload = bytes_of_text("[2]"), .type = "other", .priority = PRIORITY_LOW};
        __attribute__((cleanup(letter_content_fini))) struct letter_content content = {0};
        struct place *p = *state;
        char left[UUID_SIZE];
        struct letter l;
        struct err e = {0};
        struct replay_run run = {0};

        bury(p->archive, ID, "acme.high", "t", "{}", &l);
        assert_int_equal(archive_begin_replay(p->archive, l.id, &edit, &run, &e), 0);
        assert_int_equal(run.run, 2);
        assert_int_equal(archive_begin_replay(p->archive, l.id, &edit, &run, &e), -1);
        assert_int_equal(e.code, ERR_CONFLICT);
        err_clear(&e);

        archive_destroy(&p->archive);
        p->archive = archive_open(p->path, &e);
        assert_non_null(p->archive);
        assert_int_equal(replaying(p->archive, "", left), 1);
        assert_string_equal(left, l.id);
        assert_int_equal(replaying(p->archive, l.id, left), 0);
        assert_int_equal(letters_content(p->archive, l.id, NULL, &content, &e), 0);
        assert_int_equal(content.replay_run, 2);
        assert_string_equal(content.edit.type, "other");
        assert_int_equal(content.edit.priority, PRIORITY_LOW);
        assert_true(bytes_equal_text(buffer_bytes(&content.edited), "[2]"));
        assert_dead(p->archive, 1);

        assert_true(content.replaying);
        assert_string_equal(content.tenant, "acme");
        assert_int_equal(archive_end_replay(p->archive, l.id, NOW, &e), 0);
        letter_content_fini(&content);
        assert_int_equal(letters_content(p->archive, l.id, NULL, &content, &e), 0);
        assert_false(content.replaying);
        assert_int_equal(replaying(p->archive, "", left), 0);
        assert_int_equal(archive_begin_replay(p->archive, l.id, &edit, &run, &e), -1);
        assert_int_equal(e.code, ERR_CONFLICT);
        err_clear(&e);
        assert_int_equal(archive_begin_replay(p->archive, ID, &edit, &run, &e), -1);
        assert_int_equal(e.code, ERR_NOT_FOUND);
}

static void an_abandoned_replay_is_a_dead_letter_again(void **state)
{
        const struct replay_edit none = {.priority = -1};
        struct place *p = *state;
        char left[UUID_SIZE];
        struct letter l;
        struct err e = {0};
        struct replay_run run = {0};

        bury(p->archive, ID, "acme.high", "t", "{}", &l);
        assert_int_equal(archive_begin_replay(p->archive, l.id, &none, &run, &e), 0);
        assert_int_equal(archive_abandon_replay(p->archive, l.id, &e), 0);
        assert_int_equal(replaying(p->archive, "", left), 0);
        assert_dead(p->archive, 1);
        assert_int_equal(archive_begin_replay(p->archive, l.id, &none, &run, &e), 0);
        assert_int_equal(run.run, 3);
}

static void each_replay_of_a_job_is_a_run_of_its_own(void **state)
{
        const struct replay_edit none = {.priority = -1};
        struct place *p = *state;
        struct letter first, second, other;
        struct err e = {0};
        struct replay_run run = {0};

        bury(p->archive, ID, "acme.high", "t", "{}", &first);
        bury(p->archive, ID, "acme.high", "t", "{}", &second);
        bury(p->archive, ID, "beta.high", "t", "{}", &other);
        assert_int_equal(archive_begin_replay(p->archive, second.id, &none, &run, &e), 0);
        assert_int_equal(run.run, 2);
        assert_int_equal(archive_begin_replay(p->archive, first.id, &none, &run, &e), 0);
        assert_int_equal(run.run, 3);
        run = (struct replay_run){0};
        assert_int_equal(archive_begin_replay(p->archive, other.id, &none, &run, &e), 0);
        assert_int_equal(run.run, 2);
}

/* A letter, the edit, and the job that results from both. */
static const struct replay_case {
        const char *tenant_lane, *type, *body;
        struct replay_edit edit;
        enum err_code want;
        const char *want_type, *want_payload;
        enum lane want_lane;
} cases[] = {
        {"acme.high", "t", "{}", {.priority = -1}, ERR_NONE, "t", "{}", LANE_HIGH},
        {"acme.long", "t", "{}", {.priority = 3}, ERR_NONE, "t", "{}", LANE_LONG},
        {"acme.high", "t", "{}", {.type = "u", .priority = 0}, ERR_NONE, "u", "{}", LANE_LOW},
        {"acme.high", "T", "{}", {.priority = -1}, ERR_INVALID, "", "", LANE_HIGH},
        {"acme.high", "T", "{}", {.type = "u", .priority = -1}, ERR_NONE, "u", "{}", LANE_HIGH},
        {"acme.high", "t", "{", {.priority = -1}, ERR_INVALID, "", "", LANE_HIGH},
        {"acme.high",
         "t",
         "{",
         {.payload = {"[1]", 3}, .priority = -1},
         ERR_NONE,
         "t",
         "[1]",
         LANE_HIGH},
        {"acme.high", "t", "\"0123456789\"", {.priority = -1}, ERR_INVALID, "", "", LANE_HIGH},
};

static void a_replayed_job_is_built(void **state)
{
        struct place *p = *state;

        for (const struct replay_case *c = cases; c < cases + COUNT(cases); c++) {
                __attribute__((cleanup(letter_content_fini))) struct letter_content content = {0};
                struct message m;
                struct letter l;
                struct job job;
                struct err e = {0};
                bury(p->archive, ID, c->tenant_lane, c->type, c->body, &l);
                assert_int_equal(letters_content(p->archive, l.id, NULL, &content, &e), 0);
                int result = replay_job(&content, &c->edit, 10, &m, &job, &e);
                assert_int_equal(e.code, c->want);
                assert_int_equal(result, c->want == ERR_NONE ? 0 : -1);
                if (result != 0)
                        continue;
                assert_string_equal(job.id, ID);
                assert_string_equal(job.tenant, "acme");
                assert_string_equal(job.type, c->want_type);
                assert_true(bytes_equal_text(job.payload, c->want_payload));
                assert_int_equal(job.lane, c->want_lane);
                assert_int_equal(job.attempt, 0);
        }
}

/* Buries a waiting job from outside with that header and replays it; `edit` may set when. */
static int replay_waiting(struct place *p, const char *header, char kind, int64_t value,
                          const struct replay_edit *edit, struct job *job, struct err *e)
{
        __attribute__((cleanup(letter_content_fini))) struct letter_content content = {0};
        AUTO_BUFFER wire = {0};
        struct message m;
        struct letter l;
        size_t kept;

        wire_with_header(&wire, header, kind, value);
        assert_int_equal(properties_to_message(buffer_bytes(&wire), &m, e), 0);
        m.exchange = bytes_of_text("jobs.acme");
        m.routing_key = bytes_of_text("bogus");
        m.body = bytes_of_text("{}");
        letter_of_message(&m, FROM_UNROUTABLE, clock_wall(), &l);
        assert_int_equal(archive_put(p->archive, &l, 1, &kept, e), 0);
        assert_int_equal(letters_content(p->archive, l.id, NULL, &content, e), 0);
        return replay_job(&content, edit, 10, &m, job, e);
}

static void a_replay_is_never_early(void **state)
{
        const struct replay_edit kept = {.priority = -1};
        const struct replay_edit cleared = {.priority = -1, .sets_run_at = true};
        const msec now = clock_wall(), later = now + MSEC_HOUR;
        const struct replay_edit set = {.priority = -1, .sets_run_at = true, .run_at = later + 1};
        const struct {
                const char *header;
                char kind; /* type of the field on the wire */
                int64_t value;
                const struct replay_edit *edit;
                msec want_from; /* -1: refused; else the earliest run_at, 0: at once */
        } rows[] = {
                {"x-run-at", 'l', later, &kept, later},
                {"x-run-at", 'l', later, &cleared, 0},
                {"x-run-at", 'l', later, &set, later + 1},
                {"x-run-at", 'l', now - 1, &kept, 0},
                {"x-run-at", 'T', later / 1000, &kept, -1},
                {"x-run-at", 'T', later / 1000, &cleared, 0},
                {"x-delay", 'l', MSEC_HOUR, &kept, later},
                {"x-delay", 'l', MSEC_HOUR, &cleared, 0},
                {"x-delay", 'T', MSEC_HOUR, &kept, -1},
                {"x-delay", 'T', MSEC_HOUR, &set, later + 1},
                {"x-odd", 'T', MSEC_HOUR, &kept, 0},
        };

        for (size_t i = 0; i < COUNT(rows); i++) {
                struct job job;
                struct err e = {0};
                int got = replay_waiting(*state, rows[i].header, rows[i].kind, rows[i].value,
                                         rows[i].edit, &job, &e);
                assert_int_equal(got, rows[i].want_from < 0 ? -1 : 0);
                if (got != 0)
                        assert_non_null(strstr(e.text, "give run_at"));
                else if (rows[i].want_from == 0)
                        assert_int_equal(job.run_at, 0);
                else
                        assert_int_in_range(job.run_at, rows[i].want_from,
                                            rows[i].want_from + MSEC_MINUTE);
        }
}

static void the_time_of_a_replay_outlives_a_crash(void **state)
{
        const struct replay_edit edits[] = {
                {.priority = -1},
                {.priority = -1, .sets_run_at = true},
                {.priority = -1, .sets_run_at = true, .run_at = NOW},
        };
        struct place *p = *state;

        for (size_t i = 0; i < COUNT(edits); i++) {
                __attribute__((cleanup(letter_content_fini))) struct letter_content content = {0};
                struct letter l;
                struct err e = {0};
                struct replay_run run = {0};
                bury(p->archive, ID, "acme.high", "t", "{}", &l);
                assert_int_equal(archive_begin_replay(p->archive, l.id, &edits[i], &run, &e), 0);
                assert_int_equal(letters_content(p->archive, l.id, NULL, &content, &e), 0);
                assert_int_equal(content.edit.sets_run_at, edits[i].sets_run_at);
                assert_int_equal(content.edit.run_at, edits[i].run_at);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_replay_outlives_a_crash, begin, end),
                cmocka_unit_test_setup_teardown(an_abandoned_replay_is_a_dead_letter_again, begin,
                                                end),
                cmocka_unit_test_setup_teardown(each_replay_of_a_job_is_a_run_of_its_own, begin,
                                                end),
                cmocka_unit_test_setup_teardown(a_replayed_job_is_built, begin, end),
                cmocka_unit_test_setup_teardown(a_replay_is_never_early, begin, end),
                cmocka_unit_test_setup_teardown(the_time_of_a_replay_outlives_a_crash, begin, end),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
