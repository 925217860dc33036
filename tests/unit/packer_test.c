/* SPDX-License-Identifier: Apache-2.0
 *
 * packer_test.c: when a pack leaves and with how many jobs, who is told and when, and that a pack
 * is published until it is confirmed. A fake replaces the link.
 */
#include "gateway/packer.h"

#include <stdlib.h>
#include <string.h>

#include "common/amqp/pack.h"
#include "common/base/memory.h"
#include "tests/unit/unit.h"

enum { SENT_MAX = 16, LATE_MS = 30, JOB_BYTES = 700, WINDOW_JOBS = 1000 };

/* Packs that the link was given and has not answered yet. */
static struct {
        struct publish_wait waits[SENT_MAX];
        unsigned jobs[SENT_MAX];
        size_t bytes[SENT_MAX];
        bool again[SENT_MAX];
        size_t count;
        bool up;
} sent;

int __wrap_link_publish(struct link *l, const struct message *m, const struct publish_wait *done,
                        struct err *e);
bool __wrap_link_is_ready(struct link *l, struct err *why);

static void on_job(void *owner, const struct message *m)
{
        unsigned *jobs = owner;

        assert_true(bytes_equal_text(m->exchange, "work"));
        (*jobs)++;
}

int __wrap_link_publish(struct link *l, const struct message *m, const struct publish_wait *done,
                        struct err *e)
{
        struct message delivered = *m;
        uint64_t skipped = 0;
        unsigned jobs = 0;

        (void)l;
        if (!sent.up)
                return err_set(e, ERR_UNAVAILABLE, "down");
        assert_true(m->mandatory);
        delivered.user_id = bytes_of_text("warren-gateway");
        pack_each(&delivered, on_job, &jobs, &skipped);
        assert_int_equal(skipped, 0);
        assert_int_in_range(sent.count, 0, SENT_MAX - 1);
        sent.jobs[sent.count] = jobs;
        sent.bytes[sent.count] = m->body.length;
        sent.again[sent.count] = message_header(m, "x-again") != NULL;
        sent.waits[sent.count++] = *done;
        return 0;
}

bool __wrap_link_is_ready(struct link *l, struct err *why)
{
        (void)l;
        if (!sent.up)
                err_set(why, ERR_UNAVAILABLE, "down");
        return sent.up;
}

static void answer_first(enum link_result result)
{
        struct publish_wait wait = sent.waits[0];

        assert_int_in_range(sent.count, 1, SENT_MAX);
        sent.count--;
        for (unsigned i = 0; i < sent.count; i++) {
                sent.waits[i] = sent.waits[i + 1];
                sent.jobs[i] = sent.jobs[i + 1];
                sent.bytes[i] = sent.bytes[i + 1];
                sent.again[i] = sent.again[i + 1];
        }
        wait.done(wait.owner, result);
}

struct fixture {
        uv_loop_t loop;
        struct meters meters;
        struct in_flight *in_flight;
        struct packer *packer;
        unsigned in_time, late; /* waits that ended so */
        bool drained;
};

static int set_up(void **state)
{
        struct fixture *f = xcalloc(1, sizeof(*f));

        memset(&sent, 0, sizeof(sent));
        sent.up = true;
        uv_loop_init(&f->loop);
        meters_init(&f->meters);
        f->in_flight = in_flight_create(WINDOW_JOBS, SIZE_MAX);
        const struct packer_config c = {.app_id = "gateway@test",
                                        .late = LATE_MS,
                                        .in_flight = f->in_flight,
                                        .meters = &f->meters};
        f->packer = packer_create(&c, &f->loop);
        *state = f;
        return 0;
}

static int tear_down(void **state)
{
        struct fixture *f = *state;

        packer_destroy(&f->packer);
        in_flight_destroy(&f->in_flight);
        metrics_destroy(&f->meters.metrics);
        uv_run(&f->loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&f->loop), 0);
        free(f);
        return 0;
}

static void on_told(void *owner, bool in_time)
{
        struct fixture *f = owner;

        if (in_time)
                f->in_time++;
        else
                f->late++;
}

static void add_sized(struct fixture *f, size_t payload, bool waits)
{
        const struct told_wait wait = {.done = on_told, .owner = f};
        AUTO_BUFFER body = {0};
        struct message m = {.exchange = bytes_of_text("work"),
                            .routing_key = bytes_of_text("acme.medium"),
                            .message_id = bytes_of_text("01900000-0000-7000-8000-000000000001"),
                            .timestamp = -1};
        struct err e = {0};

        while (body.length < payload)
                buffer_add_char(&body, '1');
        m.body = buffer_bytes(&body);
        assert_int_equal(in_flight_enter(f->in_flight, payload, &e), 0);
        packer_add(f->packer, &m, payload, waits ? &wait : NULL);
}

static void add(struct fixture *f, unsigned jobs)
{
        for (unsigned i = 0; i < jobs; i++)
                add_sized(f, JOB_BYTES, true);
}

static void turn(struct fixture *f)
{
        uv_run(&f->loop, UV_RUN_NOWAIT);
}

static void a_pack_leaves_at_once_and_the_next_when_it_is_confirmed(void **state)
{
        struct fixture *f = *state;

        add(f, 3);
        assert_int_equal(sent.count, 0); /* others may come in this turn */
        turn(f);
        assert_int_equal(sent.count, 1);
        assert_int_equal(sent.jobs[0], 3);
        add(f, 5);
        turn(f);
        add(f, 6);
        turn(f);
        assert_int_equal(sent.count, 1);
        assert_int_equal(f->in_time, 0);
        answer_first(LINK_CONFIRMED);
        assert_int_equal(f->in_time, 3);
        turn(f);
        assert_int_equal(sent.jobs[0], 11);
        assert_int_equal(packer_untold(f->packer), 11);
        assert_int_equal(in_flight_jobs(f->in_flight), 11);
        answer_first(LINK_CONFIRMED);
        assert_int_equal(f->in_time, 14);
        assert_int_equal(packer_untold(f->packer), 0);
        assert_int_equal(in_flight_jobs(f->in_flight), 0);
}

static void a_full_pack_does_not_wait(void **state)
{
        struct fixture *f = *state;

        add(f, 1);
        turn(f);
        add(f, 2 * PACK_JOBS_MAX + 1);
        assert_int_equal(sent.count, 3);
        assert_int_equal(sent.jobs[1], PACK_JOBS_MAX);
        assert_int_equal(sent.jobs[2], PACK_JOBS_MAX);
        while (sent.count > 0)
                answer_first(LINK_CONFIRMED);
        turn(f);
        assert_int_equal(sent.jobs[0], 1);
        answer_first(LINK_CONFIRMED);
        assert_int_equal(f->in_time, 2 * PACK_JOBS_MAX + 2);
}

static void a_pack_is_full_of_bytes(void **state)
{
        struct fixture *f = *state;

        for (int i = 0; i < 6; i++)
                add_sized(f, 60 * 1024, true);
        turn(f);
        assert_int_equal(sent.count, 1);
        assert_int_equal(sent.jobs[0], 4);
        assert_int_in_range(sent.bytes[0], 240 * 1024, PACK_BYTES_MAX);
        answer_first(LINK_CONFIRMED);
        turn(f);
        assert_int_equal(sent.jobs[0], 2);
        answer_first(LINK_CONFIRMED);
}

static void a_job_larger_than_a_pack_travels_alone(void **state)
{
        struct fixture *f = *state;

        add(f, 2);
        add_sized(f, 300 * 1024, true);
        assert_int_equal(sent.count, 2);
        assert_int_equal(sent.jobs[0], 2);
        assert_int_equal(sent.jobs[1], 1);
        add(f, 1);
        answer_first(LINK_CONFIRMED);
        answer_first(LINK_CONFIRMED);
        assert_int_equal(f->in_time, 3);
        turn(f);
        assert_int_equal(sent.jobs[0], 1);
        answer_first(LINK_CONFIRMED);
}

static void run_until_sent(struct fixture *f, size_t count)
{
        while (sent.count < count)
                uv_run(&f->loop, UV_RUN_ONCE);
}

static void a_pack_is_published_until_it_is_confirmed(void **state)
{
        static const enum link_result results[] = {LINK_NACKED, LINK_EXPIRED, LINK_CLOSED,
                                                   LINK_RETURNED};
        struct fixture *f = *state;

        add_sized(f, JOB_BYTES, false);
        turn(f);
        assert_false(sent.again[0]);
        for (size_t i = 0; i < COUNT(results); i++) {
                answer_first(results[i]);
                run_until_sent(f, 1);
                assert_int_equal(sent.jobs[0], 1);
                assert_true(sent.again[0]);
                assert_int_equal(in_flight_jobs(f->in_flight), 1);
        }
        answer_first(LINK_CONFIRMED);
        assert_int_equal(in_flight_jobs(f->in_flight), 0);
        assert_int_equal(f->in_time + f->late, 0);
}

static bool is_ready(struct fixture *f)
{
        struct err e = {0};
        bool ready = packer_is_ready(f->packer, &e);

        assert_int_equal(ready, !err_is_set(&e));
        return ready;
}

/* Both in the pack that is on its way and in the open one. */
static void a_late_pack_ends_its_waits_and_is_still_told(void **state)
{
        struct fixture *f = *state;
        msec began = clock_mono();

        add(f, 2);
        turn(f);
        add(f, 3);
        assert_true(is_ready(f));
        while (f->late < 5)
                uv_run(&f->loop, UV_RUN_ONCE);
        assert_true(clock_mono() - began >= LATE_MS);
        assert_false(is_ready(f));
        assert_int_equal(in_flight_jobs(f->in_flight), 5);
        add(f, 1);
        answer_first(LINK_CONFIRMED);
        assert_true(is_ready(f));
        turn(f);
        assert_int_equal(sent.jobs[0], 4);
        answer_first(LINK_CONFIRMED);
        assert_int_equal(f->in_time, 1);
        assert_int_equal(f->late, 5);
        assert_int_equal(in_flight_jobs(f->in_flight), 0);
}

static void it_is_not_ready_without_its_link(void **state)
{
        struct fixture *f = *state;

        sent.up = false;
        assert_false(is_ready(f));
        sent.up = true;
        assert_true(is_ready(f));
}

static void on_drained(void *owner)
{
        struct fixture *f = owner;

        assert_false(f->drained);
        f->drained = true;
}

static void a_drain_waits_for_the_last_confirm(void **state)
{
        struct fixture *f = *state;

        add(f, PACK_JOBS_MAX + 1);
        packer_drain(f->packer, MSEC_MINUTE, on_drained, f);
        answer_first(LINK_CONFIRMED);
        assert_false(f->drained);
        run_until_sent(f, 1);
        answer_first(LINK_CONFIRMED);
        assert_true(f->drained);
        assert_int_equal(packer_untold(f->packer), 0);
}

static void a_drain_of_nothing_ends_at_once(void **state)
{
        struct fixture *f = *state;

        packer_drain(f->packer, MSEC_MINUTE, on_drained, f);
        assert_true(f->drained);
}

static void a_drain_is_limited(void **state)
{
        struct fixture *f = *state;

        sent.up = false;
        for (int i = 0; i < 3; i++)
                add_sized(f, JOB_BYTES, false);
        packer_drain(f->packer, 5, on_drained, f);
        while (!f->drained)
                uv_run(&f->loop, UV_RUN_ONCE);
        assert_int_equal(packer_untold(f->packer), 3);
}

static void the_window_is_full_of_jobs_or_of_bytes(void **state)
{
        struct in_flight *f = in_flight_create(3, 1000);
        struct err e = {0};

        (void)state;
        assert_int_equal(in_flight_enter(f, 5000, &e), 0); /* alone */
        assert_int_equal(in_flight_enter(f, 1, &e), -1);
        assert_int_equal(e.code, ERR_FULL);
        in_flight_leave(f, 1, 5000);
        assert_int_equal(in_flight_enter(f, 600, &e), 0);
        assert_int_equal(in_flight_enter(f, 401, &e), -1);
        assert_int_equal(in_flight_enter(f, 400, &e), 0);
        in_flight_leave(f, 2, 1000);
        for (int i = 0; i < 3; i++)
                assert_int_equal(in_flight_enter(f, 1, &e), 0);
        assert_int_equal(in_flight_enter(f, 1, &e), -1);
        assert_int_equal(in_flight_jobs(f), 3);
        in_flight_destroy(&f);
}

#define PACKER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                PACKER_TEST(a_pack_leaves_at_once_and_the_next_when_it_is_confirmed),
                PACKER_TEST(a_full_pack_does_not_wait),
                PACKER_TEST(a_pack_is_full_of_bytes),
                PACKER_TEST(a_job_larger_than_a_pack_travels_alone),
                PACKER_TEST(a_pack_is_published_until_it_is_confirmed),
                PACKER_TEST(a_late_pack_ends_its_waits_and_is_still_told),
                PACKER_TEST(it_is_not_ready_without_its_link),
                PACKER_TEST(a_drain_waits_for_the_last_confirm),
                PACKER_TEST(a_drain_of_nothing_ends_at_once),
                PACKER_TEST(a_drain_is_limited),
                cmocka_unit_test(the_window_is_full_of_jobs_or_of_bytes),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
