/* SPDX-License-Identifier: Apache-2.0
 *
 * backlog_test.c: who is let in between two counts, and that what was never sent does not count;
 * the link is played by this test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/model/lane.h"
#include "common/model/record.h"
#include "gateway/backlog.h"

static bool up;
static int asked;
static uint32_t in_each_queue;
/* Answers that do not come by themselves, and how to give them. */
static int withheld;
static declared_fn *on_count;
static void *asked_by;

struct link *__wrap_link_create(const struct link_config *c, const struct link_events *on,
                                void *owner, uv_loop_t *loop, struct err *e);
void __wrap_link_destroy(struct link **l);
bool __wrap_link_is_up(const struct link *l);
void __wrap_link_declare(struct link *l, const struct declaration *d, declared_fn *done,
                         void *owner);

struct link *__wrap_link_create(const struct link_config *c, const struct link_events *on,
                                void *owner, uv_loop_t *loop, struct err *e)
{
        (void)c;
        (void)on;
        (void)owner;
        (void)loop;
        (void)e;
        return (struct link *)(void *)&up;
}

void __wrap_link_destroy(struct link **l)
{
        *l = NULL;
}

bool __wrap_link_is_up(const struct link *l)
{
        (void)l;
        return up;
}

void __wrap_link_declare(struct link *l, const struct declaration *d, declared_fn *done,
                         void *owner)
{
        (void)l;
        assert_int_equal(d->what, COUNT_QUEUE);
        asked++;
        if (withheld == 0) {
                done(owner, NULL, in_each_queue, 0);
                return;
        }
        withheld--;
        on_count = done;
        asked_by = owner;
}

static void count_once(uv_loop_t *loop)
{
        int before = asked;

        while (asked == before)
                uv_run(loop, UV_RUN_ONCE);
        assert_int_equal(asked - before, LANE_COUNT);
}

static void only_so_many_may_wait(void **state)
{
        uv_loop_t loop;
        struct err e = {0};

        (void)state;
        uv_loop_init(&loop);
        struct backlog *b = backlog_create(&(struct link_config){0}, &loop, &e);
        assert_true(backlog_admit(b, "free", RECORD_UNLIMITED));

        /* The broker is away: what is refused for that is not held against the tenant. */
        for (int i = 0; i < 100; i++) {
                assert_true(backlog_admit(b, "acme", 2));
                backlog_return(b, "acme");
        }
        backlog_return(b, "acme");
        backlog_return(b, "nobody");
        assert_true(backlog_admit(b, "acme", 2));
        assert_true(backlog_admit(b, "acme", 2));
        assert_false(backlog_admit(b, "acme", 2));

        up = true;
        in_each_queue = 1;
        count_once(&loop);
        assert_false(backlog_admit(b, "acme", LANE_COUNT));
        assert_true(backlog_admit(b, "acme", LANE_COUNT + 1));
        assert_false(backlog_admit(b, "acme", LANE_COUNT + 1));
        backlog_forget(b, "acme");
        in_each_queue = 0;
        assert_true(backlog_admit(b, "acme", 1));
        assert_false(backlog_admit(b, "acme", 1));
        backlog_destroy(&b);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&loop), 0);
}

/* Whoever comes back after a pause does not get one in for nothing. */
static void the_first_is_counted_too(void **state)
{
        uv_loop_t loop;
        struct err e = {0};

        (void)state;
        uv_loop_init(&loop);
        struct backlog *b = backlog_create(&(struct link_config){0}, &loop, &e);
        up = true;
        in_each_queue = 1;
        asked = 0;
        assert_false(backlog_admit(b, "acme", LANE_COUNT));
        assert_true(backlog_admit(b, "acme", LANE_COUNT + 1));
        assert_false(backlog_admit(b, "acme", LANE_COUNT + 1));
        assert_int_equal(asked, LANE_COUNT); /* and only the first has it done */
        backlog_destroy(&b);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&loop), 0);
}

/* A broker that does not answer holds nobody up for long, and nobody twice. */
static void a_count_that_does_not_come_is_not_waited_for(void **state)
{
        uv_loop_t loop;
        struct err e = {0};

        (void)state;
        uv_loop_init(&loop);
        struct backlog *b = backlog_create(&(struct link_config){0}, &loop, &e);
        up = true;
        withheld = LANE_COUNT;
        assert_true(backlog_admit(b, "acme", 2));
        assert_true(backlog_admit(b, "acme", 2));
        assert_false(backlog_admit(b, "acme", 2));
        assert_int_equal(withheld, 0);
        for (int i = 0; i < LANE_COUNT; i++)
                on_count(asked_by, NULL, 0, 0);
        assert_false(backlog_admit(b, "acme", 2)); /* counted in since it was asked */
        backlog_destroy(&b);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(only_so_many_may_wait),
                cmocka_unit_test(the_first_is_counted_too),
                cmocka_unit_test(a_count_that_does_not_come_is_not_waited_for),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
