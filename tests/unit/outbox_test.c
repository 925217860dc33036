/* SPDX-License-Identifier: Apache-2.0
 *
 * outbox_test.c: publishes are repeated until they are confirmed, events go in batches, and
 * attempts are held until their time. A fake replaces the link.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/amqp/outbox.h"
#include "common/base/memory.h"
#include "consumer/due_soon.h"
#include "consumer/events.h"
#include "tests/unit/unit.h"

enum { SENT_MAX = 64 };

/* Publishes that the link was given and has not answered yet. */
static struct {
        struct publish_wait waits[SENT_MAX];
        char bodies[SENT_MAX][32 * 1024];
        bool again[SENT_MAX];
        size_t count;
        size_t window;
        size_t refused; /* calls that found the window full */
} sent;

int __wrap_link_publish(struct link *l, const struct message *m, const struct publish_wait *done,
                        struct err *e);

int __wrap_link_publish(struct link *l, const struct message *m, const struct publish_wait *done,
                        struct err *e)
{
        (void)l;
        if (sent.count >= sent.window) {
                sent.refused++;
                return err_set(e, ERR_FULL, "full");
        }
        assert_int_in_range(m->body.length, 0, sizeof(sent.bodies[0]) - 1);
        memcpy(sent.bodies[sent.count], m->body.data, m->body.length);
        sent.bodies[sent.count][m->body.length] = '\0';
        sent.again[sent.count] = message_header(m, "x-again") != NULL;
        sent.waits[sent.count++] = *done;
        return 0;
}

static void answer_first(enum link_result result)
{
        struct publish_wait wait = sent.waits[0];

        assert_int_in_range(sent.count, 1, SENT_MAX);
        sent.count--;
        memmove(&sent.waits[0], &sent.waits[1], sent.count * sizeof(sent.waits[0]));
        memmove(sent.bodies[0], sent.bodies[1], sent.count * sizeof(sent.bodies[0]));
        memmove(&sent.again[0], &sent.again[1], sent.count * sizeof(sent.again[0]));
        wait.done(wait.owner, result);
}

struct fixture {
        uv_loop_t loop;
        struct outbox *outbox;
        unsigned timed;
        unsigned confirmed;
};

static void on_confirm_time(void *owner, double seconds)
{
        struct fixture *f = owner;

        assert_true(seconds >= 0);
        f->timed++;
}

static int set_up(void **state)
{
        struct fixture *f = xcalloc(1, sizeof(*f));

        memset(&sent, 0, sizeof(sent));
        sent.window = SENT_MAX;
        uv_loop_init(&f->loop);
        f->outbox = outbox_create(NULL, &f->loop, on_confirm_time, f);
        *state = f;
        return 0;
}

static int tear_down(void **state)
{
        struct fixture *f = *state;

        outbox_destroy(&f->outbox);
        uv_run(&f->loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&f->loop), 0);
        free(f);
        return 0;
}

static void encode(const struct publication *p, bool again, msec now, struct job_message *out)
{
        struct message *m = &out->message;

        (void)p;
        (void)now;
        memset(m, 0, sizeof(*m));
        m->body = bytes_of_text("body");
        if (again)
                message_add_int(m, "x-again", 1);
}

static void on_confirmed(void *owner, struct publication *p)
{
        struct fixture *f = owner;

        (void)p;
        f->confirmed++;
}

static struct publication publication_of(struct fixture *f)
{
        return (struct publication){.encode = encode, .confirmed = on_confirmed, .owner = f};
}

/* Runs the loop until the link holds that many publishes. */
static void run_until_sent(struct fixture *f, size_t count)
{
        while (sent.count < count)
                uv_run(&f->loop, UV_RUN_NOWAIT);
}

static void what_ends_unknown_is_published_again(void **state)
{
        static const enum link_result unknown[] = {LINK_NACKED, LINK_EXPIRED, LINK_CLOSED,
                                                   LINK_RETURNED};
        struct fixture *f = *state;
        struct publication p = publication_of(f);

        outbox_post(f->outbox, &p);
        assert_int_equal(sent.count, 1);
        assert_false(sent.again[0]);
        for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
                answer_first(unknown[i]);
                assert_int_equal(f->confirmed, 0);
                run_until_sent(f, 1);
                assert_true(sent.again[0]);
        }
        answer_first(LINK_CONFIRMED);
        assert_int_equal(f->confirmed, 1);
        assert_int_equal(sent.count, 0);
}

static void a_full_window_is_waited_for(void **state)
{
        struct fixture *f = *state;
        struct publication publications[5];

        sent.window = 2;
        for (size_t i = 0; i < 5; i++) {
                publications[i] = publication_of(f);
                outbox_post(f->outbox, &publications[i]);
        }
        assert_int_equal(sent.count, 2);
        for (unsigned done = 1; done <= 5; done++) {
                answer_first(LINK_CONFIRMED);
                assert_int_equal(f->confirmed, done);
        }
}

static void a_window_that_is_full_at_once_is_tried_again(void **state)
{
        struct fixture *f = *state;
        struct publication p = publication_of(f);

        sent.window = 0;
        outbox_post(f->outbox, &p);
        sent.window = 1;
        run_until_sent(f, 1);
        assert_false(sent.again[0]); /* the message was never sent before */
        answer_first(LINK_CONFIRMED);
        assert_int_equal(f->confirmed, 1);
}

static unsigned closed;

static void on_closed(void *owner, struct attempt *a)
{
        (void)owner;
        (void)a;
        closed++;
}

static unsigned lines_in(const char *body)
{
        unsigned lines = 0;

        for (; *body != '\0'; body++)
                lines += *body == '\n';
        return lines;
}

static const struct event line = {
        .kind = EVENT_STARTED, .id = "x", .tenant = "acme", .run = 1, .attempt = 1, .at = 1};

static void events_go_at_once_when_idle_and_together_when_not(void **state)
{
        struct fixture *f = *state;
        struct attempt *a = xcalloc(1, sizeof(*a));
        struct events *ev = events_create(&f->loop, f->outbox, "me", on_closed, NULL);

        closed = 0;
        events_add(ev, &line, NULL);
        assert_int_equal(sent.count, 0);
        run_until_sent(f, 1);
        assert_int_equal(lines_in(sent.bodies[0]), 1);

        /* One batch is under way, so the next events wait for more, but not long. */
        for (int i = 0; i < 3; i++)
                events_add(ev, &line, i == 1 ? a : NULL);
        assert_int_equal(sent.count, 1);
        run_until_sent(f, 2);
        assert_int_equal(lines_in(sent.bodies[1]), 3);

        for (int i = 0; i < EVENTS_MAX + 1; i++)
                events_add(ev, &line, NULL);
        assert_int_equal(sent.count, 3);
        assert_int_equal(lines_in(sent.bodies[2]), EVENTS_MAX);
        run_until_sent(f, 4);

        answer_first(LINK_CONFIRMED);
        assert_int_equal(closed, 0);
        answer_first(LINK_NACKED);
        assert_int_equal(closed, 0); /* the batch with this attempt is not confirmed yet */
        answer_first(LINK_CONFIRMED);
        answer_first(LINK_CONFIRMED);
        assert_true(events_are_pending(ev));
        run_until_sent(f, 1);
        assert_int_equal(lines_in(sent.bodies[0]), 3);
        answer_first(LINK_CONFIRMED);
        assert_int_equal(closed, 1);
        assert_false(events_are_pending(ev));
        events_destroy(&ev);
        free(a);
}

static void large_events_are_not_gathered(void **state)
{
        struct fixture *f = *state;
        struct events *ev = events_create(&f->loop, f->outbox, "me", on_closed, NULL);
        AUTO_BUFFER text = {0};
        struct event large = line;

        while (text.length < 20 * 1024)
                buffer_add_char(&text, 'x');
        large.kind = EVENT_PROGRESS;
        large.message = buffer_bytes(&text);
        events_add(ev, &line, NULL);
        run_until_sent(f, 1);
        sent.window = 1; /* more would not fit into this test's copies */
        for (int i = 0; i < EVENTS_BYTES_MAX / (20 * 1024) + 1; i++)
                events_add(ev, &large, NULL);
        assert_int_equal(sent.refused, 1); /* the full batch did not wait for its age */
        events_destroy(&ev);
}

struct due {
        struct attempt *order[4];
        size_t count;
};

static void on_due(void *owner, struct attempt *a)
{
        struct due *d = owner;

        assert_true(clock_wall() >= a->job.run_at);
        d->order[d->count++] = a;
}

static void held_attempts_come_in_order_and_never_early(void **state)
{
        struct fixture *f = *state;
        struct due due = {0};
        struct due_soon *h = due_soon_create(&f->loop, on_due, &due);
        struct attempt *a[4];
        struct tenant_queue queue = {0};
        msec now = clock_wall();
        static const msec waits[] = {60, 20, 100, 40};

        for (int i = 0; i < 4; i++) {
                a[i] = xcalloc(1, sizeof(*a[i]));
                a[i]->job.run_at = now + waits[i];
                a[i]->queue = &queue;
                due_soon_add(h, a[i]);
        }
        due_soon_remove(h, a[3]);
        assert_int_equal(queue.due, 3);
        while (due.count < 3)
                uv_run(&f->loop, UV_RUN_NOWAIT);
        assert_ptr_equal(due.order[0], a[1]);
        assert_ptr_equal(due.order[1], a[0]);
        assert_ptr_equal(due.order[2], a[2]);
        assert_int_equal(queue.due, 0);
        due_soon_destroy(&h);
        for (int i = 0; i < 4; i++)
                free(a[i]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define WITH_LOOP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
                WITH_LOOP(what_ends_unknown_is_published_again),
                WITH_LOOP(a_full_window_is_waited_for),
                WITH_LOOP(a_window_that_is_full_at_once_is_tried_again),
                WITH_LOOP(events_go_at_once_when_idle_and_together_when_not),
                WITH_LOOP(large_events_are_not_gathered),
                WITH_LOOP(held_attempts_come_in_order_and_never_early),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
