/* SPDX-License-Identifier: Apache-2.0
 *
 * progress_test.c: the first report is published at once, then the latest one once a period, and
 * before the end.
 */
#include "tests/unit/unit.h"

#include "consumer/attempt.h"
#include "consumer/progress.h"

struct bench {
        uv_loop_t loop;
        struct progress *progress;
        bool mute;
        bool many;     /* there are several attempts: the time between two events says nothing */
        double hidden; /* the progress that the next look finds; 0: none */
        unsigned looks, tells;
        double done;
        char text[16];
        msec told_at;
};

static void look(void *owner, struct attempt *a)
{
        struct bench *b = owner;

        b->looks++;
        if (b->hidden > 0)
                progress_note(b->progress, &a->progress, b->hidden, bytes_of_text("hidden"));
        b->hidden = 0;
}

static bool may_tell(void *owner)
{
        return !((struct bench *)owner)->mute;
}

static void tell(void *owner, struct attempt *a, double done, struct bytes text)
{
        struct bench *b = owner;
        msec now = clock_mono();

        (void)a;
        if (!b->many && b->told_at > 0)
                assert_true(now - b->told_at >= PROGRESS_PERIOD);
        b->told_at = now;
        b->tells++;
        b->done = done;
        snprintf(b->text, sizeof(b->text), "%.*s", (int)text.length,
                 text.data != NULL ? text.data : "");
}

static void setup_bench(struct bench *b)
{
        *b = (struct bench){0};
        assert_int_equal(uv_loop_init(&b->loop), 0);
        b->progress = progress_create(&(struct progress_config){.loop = &b->loop,
                                                                .poll = look,
                                                                .may_publish = may_tell,
                                                                .publish = tell,
                                                                .owner = b});
}

static void take_down(struct bench *b, struct attempt *a)
{
        buffer_fini(&a->progress.text);
        progress_destroy(&b->progress);
        uv_run(&b->loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&b->loop), 0);
}

/* Runs the loop until one more period has ended. */
static void next_look(struct bench *b)
{
        for (unsigned looks = b->looks; b->looks == looks;)
                uv_run(&b->loop, UV_RUN_ONCE);
}

static void note(struct bench *b, struct attempt *a, double done, const char *text)
{
        a->progress.attempt = a;
        progress_note(b->progress, &a->progress, done, bytes_of_text(text));
}

static void the_latest_is_told_when_the_period_is_over(void **state)
{
        struct bench b;
        struct attempt a = {0};

        (void)state;
        setup_bench(&b);
        note(&b, &a, 0.1, "first");
        assert_int_equal(b.tells, 1);
        note(&b, &a, 0.3, "lost");
        note(&b, &a, 0.6, "latest");
        assert_int_equal(b.tells, 1);
        next_look(&b);
        assert_int_equal(b.tells, 2);
        assert_true(b.done == 0.6);
        assert_string_equal(b.text, "latest");

        /* A period without reports ends the timer. The next report is published at once, and may
         * have no text. */
        next_look(&b);
        assert_int_equal(b.tells, 2);
        assert_false(uv_loop_alive(&b.loop));
        note(&b, &a, 0.7, "");
        assert_int_equal(b.tells, 3);
        assert_string_equal(b.text, "");
        progress_end(b.progress, &a.progress);
        assert_int_equal(b.tells, 3);
        take_down(&b, &a);
}

static void the_latest_is_told_before_the_end(void **state)
{
        struct bench b;
        struct attempt a = {0};

        (void)state;
        setup_bench(&b);
        note(&b, &a, 0.1, "");
        note(&b, &a, 0.9, "");
        b.told_at = 0; /* the report before the end does not wait for the period */
        progress_end(b.progress, &a.progress);
        assert_int_equal(b.tells, 2);
        assert_true(b.done == 0.9);
        progress_end(b.progress, &a.progress);
        assert_int_equal(b.tells, 2);
        take_down(&b, &a);
}

static void what_is_found_by_looking_is_told(void **state)
{
        struct bench b;
        struct attempt a = {0};

        (void)state;
        setup_bench(&b);
        note(&b, &a, 0.1, "");
        b.hidden = 0.8;
        next_look(&b);
        assert_int_equal(b.tells, 2);
        assert_true(b.done == 0.8);
        take_down(&b, &a);
}

static void what_cannot_be_told_is_told_later(void **state)
{
        struct bench b = {0};
        struct attempt a = {0};

        (void)state;
        setup_bench(&b);
        b.mute = true;
        note(&b, &a, 0.1, "");
        next_look(&b);
        note(&b, &a, 0.2, "");
        assert_int_equal(b.tells, 0);
        b.mute = false;
        next_look(&b);
        assert_int_equal(b.tells, 1);
        assert_true(b.done == 0.2);

        b.mute = true;
        note(&b, &a, 0.3, "");
        b.told_at = 0;
        progress_end(b.progress, &a.progress);
        assert_int_equal(b.tells, 2);
        take_down(&b, &a);
}

static void each_has_its_own_period(void **state)
{
        struct bench b = {0};
        struct attempt a[3] = {0};

        (void)state;
        setup_bench(&b);
        b.many = true;
        for (size_t i = 0; i < COUNT(a); i++) {
                note(&b, &a[i], 0.1, "");
                note(&b, &a[i], 0.2, "");
        }
        assert_int_equal(b.tells, 3);
        progress_end(b.progress, &a[1].progress);
        assert_int_equal(b.tells, 4);
        while (b.tells < 6)
                uv_run(&b.loop, UV_RUN_ONCE);
        for (size_t i = 0; i < COUNT(a); i++) {
                progress_end(b.progress, &a[i].progress);
                buffer_fini(&a[i].progress.text);
        }
        assert_int_equal(b.tells, 6);
        take_down(&b, &a[0]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_latest_is_told_when_the_period_is_over),
                cmocka_unit_test(the_latest_is_told_before_the_end),
                cmocka_unit_test(what_is_found_by_looking_is_told),
                cmocka_unit_test(what_cannot_be_told_is_told_later),
                cmocka_unit_test(each_has_its_own_period),
        };

        return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
