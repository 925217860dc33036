/* SPDX-License-Identifier: Apache-2.0
 *
 * duplicate_check_test.c: what a question costs those that come after it. Markers are confirmed at
 * once; the stores' answers and the clock are replaced.
 */
#include "consumer/duplicate_check.h"

#include "tests/unit/unit.h"

#define ANSWER(word) "{\"deliveries\":[{\"state\":\"" word "\"}],\"lag_ms\":4000}"
enum { LAG = 4000 };
#define OF_REPLICA(word) \
        "{\"deliveries\":[{\"state\":\"" word "\"}],\"lag_ms\":4000,\"primary\":false}"
#define KEEP (2 * MSEC_DAY)

/* What a store answers; body: of a 200. */
struct reply {
        int done; /* as of stores_ask */
        const char *body;
};

static const struct reply away = {.done = -1}, busy = {.done = 1}, behind = {0, ANSWER("behind")},
                          current = {0, ANSWER("open")};

static struct {
        uv_loop_t loop;
        struct duplicate_check *check;
        msec now;
        struct reply replies[2];
        enum duplicate_state answer; /* the last */
        msec submitted_at;
} f;

msec __wrap_clock_mono(void);
void __wrap_outbox_post(struct outbox *o, struct publication *p);
int __wrap_stores_ask(const struct stores *s, size_t index, const char *path,
                      const struct buffer *body, struct buffer *answer, struct err *e);

msec __wrap_clock_mono(void)
{
        return f.now;
}

void __wrap_outbox_post(struct outbox *o, struct publication *p)
{
        (void)o;
        p->confirmed(p->owner, p);
}

int __wrap_stores_ask(const struct stores *s, size_t index, const char *path,
                      const struct buffer *body, struct buffer *answer, struct err *e)
{
        const struct reply *r = &f.replies[index];

        (void)s;
        (void)path;
        (void)body;
        if (r->done == 0)
                buffer_add_text(answer, r->body);
        else
                err_set(e, ERR_UNAVAILABLE, "no answer");
        if (r->done < 0)
                f.now += DUPLICATE_PATIENCE;
        return r->done;
}

static void on_answered(void *owner, struct attempt *a, const struct duplicate_answer *answer)
{
        (void)owner;
        (void)a;
        f.answer = answer->state;
}

static int prepare(void **state)
{
        static const struct stores stores = {.count = COUNT(f.replies)};
        const struct duplicate_check_config config = {
                .stores = &stores,
                .app_id = "test",
                .marks_keep = KEEP,
                .loop = &f.loop,
                .answered = on_answered,
        };

        (void)state;
        uv_loop_init(&f.loop);
        f.now = MSEC_HOUR;
        f.submitted_at = clock_wall();
        f.check = duplicate_check_create(&config);
        return 0;
}

static int clean(void **state)
{
        (void)state;
        duplicate_check_destroy(&f.check);
        uv_run(&f.loop, UV_RUN_DEFAULT);
        return uv_loop_close(&f.loop);
}

static enum duplicate_state ask(struct reply first, struct reply second)
{
        struct attempt a = {.key = {.tenant = "acme", .run = 1, .number = 1},
                            .job = {.submitted_at = f.submitted_at}};

        f.replies[0] = first;
        f.replies[1] = second;
        duplicate_check_ask(f.check, &a);
        while (a.question != NULL)
                uv_run(&f.loop, UV_RUN_ONCE);
        return f.answer;
}

static void which_answers_start_a_pause(void **state)
{
        const struct {
                struct reply first, second;
                enum duplicate_state want, last;
        } rows[] = {
                {away, away, DUPLICATE_SILENT, DUPLICATE_SILENT},
                {behind, behind, DUPLICATE_BEHIND, DUPLICATE_BEHIND},
                {busy, busy, DUPLICATE_BEHIND, DUPLICATE_BEHIND},
                {away, behind, DUPLICATE_BEHIND, DUPLICATE_BEHIND},
                {behind, away, DUPLICATE_BEHIND, DUPLICATE_BEHIND},
                {behind, current, DUPLICATE_OPEN, DUPLICATE_UNKNOWN},
                {away, current, DUPLICATE_OPEN, DUPLICATE_UNKNOWN},
                {current, away, DUPLICATE_OPEN, DUPLICATE_UNKNOWN},
        };

        for (size_t i = 0; i < COUNT(rows); i++) {
                assert_int_equal(duplicate_check_last(f.check), DUPLICATE_UNKNOWN);
                assert_int_equal(ask(rows[i].first, rows[i].second), rows[i].want);
                assert_int_equal(duplicate_check_last(f.check), rows[i].last);
                clean(state);
                prepare(state);
        }
}

static void a_pause_ends_with_its_time(void **state)
{
        (void)state;
        ask(behind, behind);
        f.now += LAG - 1;
        assert_int_equal(duplicate_check_last(f.check), DUPLICATE_BEHIND);
        f.now++;
        assert_int_equal(duplicate_check_last(f.check), DUPLICATE_UNKNOWN);
        ask(away, away);
        f.now += DUPLICATE_PAUSE_MAX - 1;
        assert_int_equal(duplicate_check_last(f.check), DUPLICATE_SILENT);
        f.now++;
        assert_int_equal(duplicate_check_last(f.check), DUPLICATE_UNKNOWN);
}

static void a_pause_is_as_long_as_the_lag(void **state)
{
        (void)state;
        assert_int_equal(duplicate_pause(0), 2000);
        assert_int_equal(duplicate_pause(2001), 2001);
        assert_int_equal(duplicate_pause(MSEC_HOUR), 30000);
}

static void a_pause_ends_with_an_answer(void **state)
{
        (void)state;
        ask(behind, behind);
        ask(away, away);
        assert_int_equal(duplicate_check_last(f.check), DUPLICATE_SILENT);
        ask(current, current);
        assert_int_equal(duplicate_check_last(f.check), DUPLICATE_UNKNOWN);
}

static void each_that_cannot_be_answered_prolongs_a_pause(void **state)
{
        (void)state;
        ask(behind, behind);
        f.now += LAG - 1;
        ask(behind, behind);
        f.now += LAG - 1;
        assert_int_equal(duplicate_check_last(f.check), DUPLICATE_BEHIND);
}

/* Of an old job a replica may have deleted all that it knew. */
static void who_may_not_know_an_old_job(void **state)
{
        static const struct reply replica = {0, OF_REPLICA("unknown")},
                                  knows = {0, OF_REPLICA("closed")},
                                  primary = {0, ANSWER("unknown")}, ended = {0, ANSWER("closed")};
        static const struct {
                struct reply first, second;
                bool old;
                enum duplicate_state want, last;
        } rows[] = {
                {replica, away, false, DUPLICATE_UNKNOWN, DUPLICATE_UNKNOWN},
                {replica, away, true, DUPLICATE_BEHIND, DUPLICATE_UNKNOWN},
                {replica, replica, true, DUPLICATE_BEHIND, DUPLICATE_UNKNOWN},
                {replica, primary, true, DUPLICATE_UNKNOWN, DUPLICATE_UNKNOWN},
                {replica, ended, true, DUPLICATE_CLOSED, DUPLICATE_UNKNOWN},
                {replica, ended, false, DUPLICATE_UNKNOWN, DUPLICATE_UNKNOWN},
                {knows, ended, true, DUPLICATE_CLOSED, DUPLICATE_UNKNOWN},
                {behind, replica, true, DUPLICATE_BEHIND, DUPLICATE_UNKNOWN},
        };

        for (size_t i = 0; i < COUNT(rows); i++) {
                if (rows[i].old)
                        f.submitted_at -= KEEP;
                assert_int_equal(ask(rows[i].first, rows[i].second), rows[i].want);
                assert_int_equal(duplicate_check_last(f.check), rows[i].last);
                clean(state);
                prepare(state);
        }
}

static void each_question_is_settled_by_the_first_who_can(void **state)
{
        struct duplicate_answer answers[] = {{.state = DUPLICATE_BEHIND},
                                             {.state = DUPLICATE_BEHIND}};
        struct duplicate_answer replica[] = {{.state = DUPLICATE_UNKNOWN},
                                             {.state = DUPLICATE_BURIED}};
        struct duplicate_answer primary[] = {{.state = DUPLICATE_CLOSED},
                                             {.state = DUPLICATE_BURIED}};
        static const bool needed[] = {true, true};

        (void)state;
        buffer_add_text(&replica[1].error, "boom");
        buffer_add_text(&primary[1].error, "boom");
        assert_false(duplicate_check_merge(answers, replica, needed, 2, false));
        assert_int_equal(answers[0].state, DUPLICATE_BEHIND);
        assert_int_equal(answers[1].state, DUPLICATE_BURIED);
        assert_true(duplicate_check_merge(answers, primary, needed, 2, true));
        assert_int_equal(answers[0].state, DUPLICATE_CLOSED);
        assert_int_equal(answers[1].error.length, 4);
        buffer_fini(&answers[1].error);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clean)
                TEST(which_answers_start_a_pause),
                TEST(a_pause_ends_with_its_time),
                TEST(a_pause_is_as_long_as_the_lag),
                TEST(who_may_not_know_an_old_job),
                TEST(each_question_is_settled_by_the_first_who_can),
                TEST(a_pause_ends_with_an_answer),
                TEST(each_that_cannot_be_answered_prolongs_a_pause),
#undef TEST
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
