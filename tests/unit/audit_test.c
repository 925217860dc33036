/* SPDX-License-Identifier: Apache-2.0
 *
 * audit_test.c: an act waits until its line is confirmed; lines that come meanwhile are the next
 * message. A fake replaces the link; the test is the loop's thread.
 */
#include "gateway/audit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "tests/unit/unit.h"

enum { TIMEOUT = 1000, ACTS = 70, CALLERS_MAX = 2, SPIN_MAX = 100000 };

static struct {
        struct publish_wait wait;
        struct buffer body;
        unsigned count; /* messages so far */
        bool up, out;   /* out: one is not answered */
} sent;

int __wrap_link_publish(struct link *l, const struct message *m, const struct publish_wait *done,
                        struct err *e);
bool __wrap_link_is_ready(struct link *l, struct err *why);

int __wrap_link_publish(struct link *l, const struct message *m, const struct publish_wait *done,
                        struct err *e)
{
        (void)l;
        if (!sent.up)
                return err_set(e, ERR_UNAVAILABLE, "down");
        assert_false(sent.out);
        assert_true(m->mandatory);
        assert_true(bytes_equal_text(m->exchange, "events"));
        buffer_set(&sent.body, m->body);
        sent.wait = *done;
        sent.count++;
        sent.out = true;
        return 0;
}

bool __wrap_link_is_ready(struct link *l, struct err *why)
{
        (void)l;
        if (!sent.up)
                err_set(why, ERR_UNAVAILABLE, "down");
        return sent.up;
}

struct act {
        struct audit *audit;
        pthread_t thread;
        int result;
        struct err why;
        atomic_bool done;
};

struct fixture {
        uv_loop_t loop;
        struct meters meters;
        struct audit *audit, *audit_of_none;
        struct act acts[ACTS];
        bool drained;
};

static int set_up(void **state)
{
        struct fixture *f = xcalloc(1, sizeof(*f));
        const struct audit_config c = {.app_id = "gateway@test",
                                       .timeout = TIMEOUT,
                                       .waiting_max = CALLERS_MAX,
                                       .meters = &f->meters};
        struct err e = {0};

        memset(&sent, 0, sizeof(sent));
        sent.up = true;
        uv_loop_init(&f->loop);
        meters_init(&f->meters);
        f->audit = audit_create(&c, &f->loop, &e);
        assert_non_null(f->audit);
        *state = f;
        return 0;
}

static int tear_down(void **state)
{
        struct fixture *f = *state;

        audit_destroy(&f->audit);
        uv_run(&f->loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&f->loop), 0);
        buffer_fini(&sent.body);
        metrics_destroy(&f->meters.metrics);
        free(f);
        return 0;
}

static void *begin(void *owner)
{
        struct act *act = owner;

        act->result = audit_begin(act->audit, bytes_of_text("{\"x\":1}\n"), &act->why);
        atomic_store(&act->done, true);
        return NULL;
}

static void start(struct fixture *f, size_t i)
{
        f->acts[i].audit = f->audit;
        assert_int_equal(pthread_create(&f->acts[i].thread, NULL, begin, &f->acts[i]), 0);
}

static void await_message(struct fixture *f, unsigned number)
{
        for (unsigned i = 0; i < SPIN_MAX && sent.count < number; i++) {
                uv_run(&f->loop, UV_RUN_NOWAIT);
                uv_sleep(sent.count < number);
        }
        assert_int_equal(sent.count, number);
}

static void answer(enum link_result result)
{
        assert_true(sent.out);
        sent.out = false;
        sent.wait.done(sent.wait.owner, result);
}

static unsigned lines(void)
{
        unsigned count = 0;

        for (size_t i = 0; i < sent.body.length; i++)
                count += sent.body.data[i] == '\n';
        return count;
}

static void an_act_waits_for_its_confirm(void **state)
{
        struct fixture *f = *state;

        start(f, 0);
        await_message(f, 1);
        assert_false(atomic_load(&f->acts[0].done));
        answer(LINK_CONFIRMED);
        pthread_join(f->acts[0].thread, NULL);
        assert_int_equal(f->acts[0].result, 0);
        /* Its end is not waited for. */
        audit_end(f->audit, bytes_of_text("{}\n"));
        await_message(f, 2);
        answer(LINK_CONFIRMED);
}

/* 70 lines: the first alone or with some, then at most 64 in each. */
static void lines_that_come_meanwhile_are_the_next_message(void **state)
{
        struct fixture *f = *state;
        unsigned told;

        audit_end(f->audit, bytes_of_text("{}\n"));
        await_message(f, 1);
        for (size_t i = 0; i < ACTS; i++)
                audit_end(f->audit, bytes_of_text("{\"y\":1}\n"));
        uv_run(&f->loop, UV_RUN_NOWAIT);
        assert_int_equal(sent.count, 1);
        told = lines();
        assert_int_equal(told, 1);
        answer(LINK_CONFIRMED);
        assert_int_equal(sent.count, 2);
        assert_int_equal(lines(), 64);
        answer(LINK_CONFIRMED);
        assert_int_equal(sent.count, 3);
        assert_int_equal(lines(), ACTS - 64);
        answer(LINK_CONFIRMED);
}

static void a_long_message_is_cut_at_a_line(void **state)
{
        struct fixture *f = *state;
        AUTO_BUFFER line = {0};

        while (line.length < AUDIT_LINE_MAX - 1)
                buffer_add_char(&line, 'x');
        buffer_add_char(&line, '\n');
        for (int i = 0; i < 5; i++)
                audit_end(f->audit, buffer_bytes(&line));
        await_message(f, 1);
        assert_int_equal(lines(), 4);
        answer(LINK_CONFIRMED);
        assert_int_equal(lines(), 1);
        answer(LINK_CONFIRMED);
}

static void without_a_confirm_the_act_is_not_done(void **state)
{
        struct fixture *f = *state;

        start(f, 0);
        await_message(f, 1);
        pthread_join(f->acts[0].thread, NULL);
        assert_int_equal(f->acts[0].result, -1);
        assert_int_equal(f->acts[0].why.code, ERR_TIMEOUT);
        /* Its line is published until it is confirmed. */
        answer(LINK_NACKED);
        await_message(f, 2);
        assert_int_equal(lines(), 1);
        answer(LINK_CONFIRMED);
}

static void without_a_link_nothing_waits(void **state)
{
        struct fixture *f = *state;
        struct err e = {0};

        sent.up = false;
        assert_int_equal(audit_begin(f->audit, bytes_of_text("{}\n"), &e), -1);
        assert_int_equal(e.code, ERR_UNAVAILABLE);
}

static void callers_are_bounded(void **state)
{
        struct fixture *f = *state;
        struct err e = {0};

        for (size_t i = 0; i < CALLERS_MAX; i++)
                start(f, i);
        await_message(f, 1);
        for (unsigned told = lines(); told < CALLERS_MAX; told += lines()) {
                const unsigned before = sent.count;
                answer(LINK_CONFIRMED); /* may send what has come already */
                await_message(f, before + 1);
        }
        answer(LINK_CONFIRMED);
        for (size_t i = 0; i < CALLERS_MAX; i++) {
                pthread_join(f->acts[i].thread, NULL);
                assert_int_equal(f->acts[i].result, 0);
        }
        f->audit_of_none = audit_create(&(struct audit_config){.app_id = "x"}, &f->loop, &e);
        assert_int_equal(audit_begin(f->audit_of_none, bytes_of_text("{}\n"), &e), -1);
        assert_int_equal(e.code, ERR_FULL);
        audit_destroy(&f->audit_of_none);
}

static bool has_metric(const struct fixture *f, const char *line)
{
        AUTO_BUFFER text = {0};

        metrics_write(f->meters.metrics, &text);
        return strstr(text.data, line) != NULL;
}

static void what_waits_is_bounded(void **state)
{
        struct fixture *f = *state;
        AUTO_BUFFER line = {0};
        struct err e = {0};

        while (line.length < AUDIT_LINE_MAX - 1)
                buffer_add_char(&line, 'x');
        buffer_add_char(&line, '\n');
        for (int i = 0; i < 100; i++)
                audit_end(f->audit, buffer_bytes(&line));
        assert_int_equal(audit_begin(f->audit, bytes_of_text("{}\n"), &e), -1);
        assert_int_equal(e.code, ERR_FULL);
        audit_skip(f->audit);
        assert_true(has_metric(f, "warren_audit_dropped_total{reason=\"full\"} 36\n"));
        assert_true(has_metric(f, "warren_audit_dropped_total{reason=\"rate\"} 1\n"));
}

/* However many log in, an act can begin, and end. */
static void logins_leave_room_for_acts(void **state)
{
        struct fixture *f = *state;
        AUTO_BUFFER filler = {0};
        struct err e = {0};

        while (filler.length < AUDIT_LINE_MAX - 1)
                buffer_add_char(&filler, 'x');
        buffer_add_char(&filler, '\n');
        for (int i = 0; i < 100; i++)
                audit_note(f->audit, buffer_bytes(&filler));
        audit_note(f->audit, bytes_of_text("{\"login\":1}\n{}\n"));
        assert_int_equal(audit_begin(f->audit, buffer_bytes(&filler), &e), -1);
        assert_int_equal(e.code, ERR_TIMEOUT); /* it waits for a confirm: there is room */
        audit_end(f->audit, bytes_of_text("{\"end\":1}\n"));
        await_message(f, 1);
        for (unsigned i = 0; i < 100 && strstr(sent.body.data, "end") == NULL; i++)
                answer(LINK_CONFIRMED);
        assert_non_null(strstr(sent.body.data, "{\"end\":1}\n"));
        assert_int_equal(lines() <= 5, true);
        answer(LINK_CONFIRMED);
}

/* Both lines of a login are counted: whoever waits for a later one is not let go too soon. */
static void two_lines_at_once_are_two(void **state)
{
        struct fixture *f = *state;

        audit_note(f->audit, bytes_of_text("{\"a\":1}\n{\"b\":1}\n"));
        await_message(f, 1);
        assert_int_equal(lines(), 2);
        start(f, 0);
        answer(LINK_CONFIRMED);
        await_message(f, 2);
        assert_false(atomic_load(&f->acts[0].done));
        answer(LINK_CONFIRMED);
        pthread_join(f->acts[0].thread, NULL);
        assert_int_equal(f->acts[0].result, 0);
}

static void on_drained(void *owner)
{
        struct fixture *f = owner;

        f->drained = true;
}

static void drains(void **state)
{
        struct fixture *f = *state;

        audit_end(f->audit, bytes_of_text("{}\n"));
        audit_drain(f->audit, MSEC_MINUTE, on_drained, f);
        assert_false(f->drained);
        answer(LINK_CONFIRMED);
        assert_true(f->drained);
        f->drained = false;
        audit_drain(f->audit, MSEC_MINUTE, on_drained, f);
        assert_true(f->drained);
}

static void a_drain_has_a_limit(void **state)
{
        struct fixture *f = *state;

        audit_end(f->audit, bytes_of_text("{}\n"));
        audit_drain(f->audit, 1, on_drained, f);
        for (unsigned i = 0; i < SPIN_MAX && !f->drained; i++)
                uv_run(&f->loop, UV_RUN_ONCE);
        assert_true(f->drained);
        answer(LINK_CONFIRMED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(an_act_waits_for_its_confirm),
                TEST(lines_that_come_meanwhile_are_the_next_message),
                TEST(a_long_message_is_cut_at_a_line),
                TEST(without_a_confirm_the_act_is_not_done),
                TEST(without_a_link_nothing_waits),
                TEST(callers_are_bounded),
                TEST(what_waits_is_bounded),
                TEST(logins_leave_room_for_acts),
                TEST(two_lines_at_once_are_two),
                TEST(drains),
                TEST(a_drain_has_a_limit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
