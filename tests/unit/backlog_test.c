/* SPDX-License-Identifier: Apache-2.0
 *
 * backlog_test.c: which jobs are admitted between two counts; jobs that were never sent do not
 * count. A fake replaces the link.
 */
#include <string.h>

#include "common/model/lane.h"
#include "common/model/record.h"
#include "gateway/backlog.h"
#include "tests/unit/unit.h"

static bool up;
static int asked;
static uint32_t in_each_queue;
/* How many counts stay unanswered, and how to answer the last of them. */
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

/* A backlog on an event loop of its own. */
struct rig {
        uv_loop_t loop;
        struct backlog *backlog;
};

static int begin(void **state)
{
        static struct rig rig;
        struct err e = {0};

        up = false;
        asked = withheld = 0;
        in_each_queue = 0;
        uv_loop_init(&rig.loop);
        rig.backlog = backlog_create(&(struct link_config){0}, &rig.loop, &e);
        *state = &rig;
        return rig.backlog == NULL ? -1 : 0;
}

static int end(void **state)
{
        struct rig *r = *state;

        backlog_destroy(&r->backlog);
        uv_run(&r->loop, UV_RUN_DEFAULT);
        return uv_loop_close(&r->loop);
}

static void count_once(uv_loop_t *loop)
{
        int before = asked;

        while (asked == before)
                uv_run(loop, UV_RUN_ONCE);
        assert_int_equal(asked - before, LANE_COUNT);
}

static int64_t retry; /* of the last refusal */

static bool admit(struct backlog *b, const char *tenant, int64_t max_pending)
{
        return backlog_admit(b, tenant, max_pending, &retry);
}

static void only_so_many_may_wait(void **state)
{
        struct rig *r = *state;
        struct backlog *b = r->backlog;

        assert_true(admit(b, "free", RECORD_UNLIMITED));

        /* The broker is away: a job that is refused for that does not count against the tenant. */
        for (int i = 0; i < 100; i++) {
                assert_true(admit(b, "acme", 2));
                backlog_return(b, "acme");
        }
        backlog_return(b, "acme");
        backlog_return(b, "nobody");
        assert_true(admit(b, "acme", 2));
        assert_true(admit(b, "acme", 2));
        assert_false(admit(b, "acme", 2));

        up = true;
        in_each_queue = 1;
        count_once(&r->loop);
        assert_false(admit(b, "acme", LANE_COUNT));
        assert_true(admit(b, "acme", LANE_COUNT + 1));
        assert_false(admit(b, "acme", LANE_COUNT + 1));
        backlog_forget(b, "acme");
        in_each_queue = 0;
        assert_true(admit(b, "acme", 1));
        assert_false(admit(b, "acme", 1));
}

/* The first job after a pause is counted too. */
static void the_first_is_counted_too(void **state)
{
        struct rig *r = *state;
        struct backlog *b = r->backlog;

        up = true;
        in_each_queue = 1;
        assert_false(admit(b, "acme", LANE_COUNT));
        assert_true(admit(b, "acme", LANE_COUNT + 1));
        assert_false(admit(b, "acme", LANE_COUNT + 1));
        assert_int_equal(asked, LANE_COUNT); /* only the first job starts a count */
}

/* A broker that does not answer delays a caller only briefly, and only the first one. */
static void a_count_that_does_not_come_is_not_waited_for(void **state)
{
        struct rig *r = *state;
        struct backlog *b = r->backlog;

        up = true;
        withheld = LANE_COUNT;
        assert_true(admit(b, "acme", 2));
        assert_true(admit(b, "acme", 2));
        assert_false(admit(b, "acme", 2));
        assert_int_equal(withheld, 0);
        for (int i = 0; i < LANE_COUNT; i++)
                on_count(asked_by, NULL, 0, 0);
        /* the two jobs admitted since the count was requested are added to it */
        assert_false(admit(b, "acme", 2));
}

/* A refusal says when there is room, by how fast the queues empty. */
static void a_refusal_says_when_to_come_back(void **state)
{
        struct rig *r = *state;
        struct backlog *b = r->backlog;

        up = true;
        in_each_queue = 100;
        assert_false(admit(b, "acme", 50));
        assert_int_equal(retry, 5); /* one count says nothing */
        in_each_queue = 80;
        count_once(&r->loop);
        /* About 100 left within the second: 351 more must. */
        assert_false(admit(b, "acme", 50));
        assert_int_in_range(retry, 3, 5);
        assert_false(admit(b, "acme", 399));
        assert_int_in_range(retry, 1, 1);
        in_each_queue = 1000;
        count_once(&r->loop);
        assert_false(admit(b, "acme", 399));
        assert_int_equal(retry, 60);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(only_so_many_may_wait, begin, end),
                cmocka_unit_test_setup_teardown(the_first_is_counted_too, begin, end),
                cmocka_unit_test_setup_teardown(a_count_that_does_not_come_is_not_waited_for, begin,
                                                end),
                cmocka_unit_test_setup_teardown(a_refusal_says_when_to_come_back, begin, end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
