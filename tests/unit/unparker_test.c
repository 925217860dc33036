/* SPDX-License-Identifier: Apache-2.0
 *
 * unparker_test.c: what is taken from a parked queue, when it is published, and how its delivery is
 * settled. Fakes replace the links, the outbox and the registry; the test is the loop's thread.
 */
#include "status-store/acts/unparker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/amqp/outbox.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/parked.h"
#include "tests/unit/unit.h"

enum { POSTED_MAX = 8, NOW = 1000000, SETTLES = 3, DELIVERIES_MAX = 8 };

static struct {
        uv_loop_t loop;
        msec now;
        char subscribed[PARKED_QUEUE_SIZE]; /* "": nothing is */
        delivery_fn *on;
        void *owner;
        struct publication *posted[POSTED_MAX];
        unsigned posts, settled[SETTLES];
        bool dead, unknown;
} fake;

struct link *__wrap_link_create(const struct link_config *c, const struct link_events *on,
                                void *owner, uv_loop_t *loop, struct err *e);
void __wrap_link_destroy(struct link **l);
struct subscription *__wrap_link_subscribe(struct link *l, const struct source *s, delivery_fn *on,
                                           void *owner);
void __wrap_link_unsubscribe(struct subscription **s);
void __wrap_link_settle(struct delivery **d, enum settle how);
bool __wrap_delivery_is_live(const struct delivery *d);
void __wrap_outbox_post(struct outbox *o, struct publication *p);
void __wrap_operator_run(struct operator* o, void (*run)(void *owner), void *owner);
uv_loop_t *__wrap_operator_loop(const struct operator* o);
int __wrap_registry_tenant(struct registry *r, const char *name, struct tenant *out, struct err *e);
msec __wrap_clock_mono(void);
msec __wrap_clock_wall(void);

struct link *__wrap_link_create(const struct link_config *c, const struct link_events *on,
                                void *owner, uv_loop_t *loop, struct err *e)
{
        (void)on;
        (void)owner;
        (void)loop;
        (void)e;
        assert_null(c->stream); /* neither queue of a job nor of a pause feeds one */
        return (struct link *)&fake;
}

void __wrap_link_destroy(struct link **l)
{
        *l = NULL;
}

struct subscription *__wrap_link_subscribe(struct link *l, const struct source *s, delivery_fn *on,
                                           void *owner)
{
        (void)l;
        snprintf(fake.subscribed, sizeof(fake.subscribed), "%s", s->queue);
        fake.on = on;
        fake.owner = owner;
        return (struct subscription *)&fake;
}

void __wrap_link_unsubscribe(struct subscription **s)
{
        *s = NULL;
        fake.subscribed[0] = '\0';
}

void __wrap_link_settle(struct delivery **d, enum settle how)
{
        fake.settled[how]++;
        *d = NULL;
}

bool __wrap_delivery_is_live(const struct delivery *d)
{
        (void)d;
        return !fake.dead;
}

void __wrap_outbox_post(struct outbox *o, struct publication *p)
{
        (void)o;
        assert_true(fake.posts < POSTED_MAX);
        fake.posted[fake.posts++] = p;
}

void __wrap_operator_run(struct operator* o, void (*run)(void *owner), void *owner)
{
        (void)o;
        run(owner);
}

uv_loop_t *__wrap_operator_loop(const struct operator* o)
{
        (void)o;
        return &fake.loop;
}

int __wrap_registry_tenant(struct registry *r, const char *name, struct tenant *out, struct err *e)
{
        (void)r;
        (void)e;
        assert_string_equal(name, "acme");
        *out = (struct tenant){0};
        return fake.unknown ? 0 : 1;
}

msec __wrap_clock_mono(void)
{
        return fake.now;
}

msec __wrap_clock_wall(void)
{
        return fake.now;
}

struct fixture {
        struct unparker *unparker;
        struct delivery deliveries[DELIVERIES_MAX];
        struct job_message messages[DELIVERIES_MAX];
        unsigned count;
};

static int set_up(void **state)
{
        static const struct link_config config = {.name = "test"};
        struct fixture *f = xcalloc(1, sizeof(*f));
        struct err e = {0};

        memset(&fake, 0, sizeof(fake));
        fake.now = NOW;
        uv_loop_init(&fake.loop);
        f->unparker = unparker_create(&config, NULL, NULL, &e);
        assert_non_null(f->unparker);
        unparker_paused(f->unparker, "type:acme/send", false);
        assert_string_equal(fake.subscribed, "parked-tenant.acme.send");
        *state = f;
        return 0;
}

static int tear_down(void **state)
{
        struct fixture *f = *state;

        unparker_destroy(&f->unparker);
        uv_run(&fake.loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&fake.loop), 0);
        free(f);
        return 0;
}

/* Delivers a job that was parked so long ago. */
static void deliver(struct fixture *f, msec ago, bool redelivered)
{
        static const struct job job = {.id = "0190a3f0-6c1e-7d3a-9b52-3c5e0f6a1b2c",
                                       .tenant = "acme",
                                       .type = "send",
                                       .lane = LANE_HIGH,
                                       .run = 1,
                                       .submitted_at = 5000,
                                       .pause = PAUSE_TENANT_TYPE,
                                       .payload = {"1", 1}};
        struct job_message *m = &f->messages[f->count];
        struct delivery *d = &f->deliveries[f->count++];

        job_encode(&job, STATION_PARK, fake.now - ago, m);
        m->message.user_id = bytes_of_text("warren-consumer");
        *d = (struct delivery){.message = m->message, .offset = -1, .redelivered = redelivered};
        fake.on(fake.owner, d);
}

static bool has_header(const struct message *m, const char *name)
{
        for (size_t i = 0; i < m->header_count; i++)
                if (bytes_equal_text(m->headers[i].name, name))
                        return true;
        return false;
}

static void encode(unsigned n, bool again, struct job_message *out)
{
        fake.posted[n]->encode(fake.posted[n], again, fake.now, out);
}

static void test_it_goes_to_its_lane(void **state)
{
        struct fixture *f = *state;
        struct job_message *out = xcalloc(1, sizeof(*out));

        deliver(f, MSEC_MINUTE, false);
        deliver(f, MSEC_MINUTE, true);
        assert_int_equal(fake.posts, 2);
        encode(0, false, out);
        assert_true(bytes_equal_text(out->message.exchange, "work"));
        assert_true(bytes_equal_text(out->message.routing_key, "acme.high"));
        assert_true(out->message.mandatory);
        assert_false(has_header(&out->message, "x-again"));
        encode(0, true, out);
        assert_true(has_header(&out->message, "x-again"));
        encode(1, false, out); /* it may have been published before */
        assert_true(has_header(&out->message, "x-again"));
        assert_int_equal(fake.settled[SETTLE_ACK], 0);
        for (unsigned i = 0; i < 2; i++)
                fake.posted[i]->confirmed(fake.posted[i]->owner, fake.posted[i]);
        assert_int_equal(fake.settled[SETTLE_ACK], 2);
        free(out);
}

static void run_until(msec now)
{
        for (unsigned i = 0; i < 300 && fake.now < now; i++) {
                uv_sleep(1);
                fake.now++;
                uv_run(&fake.loop, UV_RUN_NOWAIT);
        }
}

static void test_it_rests_for_a_second(void **state)
{
        struct fixture *f = *state;

        deliver(f, 900, false);
        deliver(f, -MSEC_HOUR, false); /* a clock that is wrong */
        assert_int_equal(fake.posts, 0);
        run_until(NOW + 99);
        assert_int_equal(fake.posts, 0);
        fake.now = NOW + 100;
        uv_sleep(110);
        uv_run(&fake.loop, UV_RUN_ONCE);
        assert_int_equal(fake.posts, 1);
        fake.now = NOW + 1000;
        uv_sleep(110);
        uv_run(&fake.loop, UV_RUN_ONCE);
        assert_int_equal(fake.posts, 2);
}

static void test_one_whose_connection_ended_is_not_published(void **state)
{
        struct fixture *f = *state;

        deliver(f, 900, false);
        fake.dead = true;
        fake.now = NOW + 100;
        uv_sleep(110);
        uv_run(&fake.loop, UV_RUN_ONCE);
        assert_int_equal(fake.posts, 0);
        assert_int_equal(fake.settled[SETTLE_ACK], 0);
        assert_int_equal(fake.settled[SETTLE_REQUEUE], 1);
}

static void test_no_lane(void **state)
{
        struct fixture *f = *state;

        deliver(f, MSEC_MINUTE, false);
        assert_false(fake.posted[0]->returned(fake.posted[0]->owner, fake.posted[0]));
        assert_int_equal(fake.settled[SETTLE_ACK], 0);
        fake.unknown = true; /* deleted, and its queues are gone */
        assert_true(fake.posted[0]->returned(fake.posted[0]->owner, fake.posted[0]));
        assert_int_equal(fake.settled[SETTLE_ACK], 1);
}

static void test_what_is_no_job_stays(void **state)
{
        struct delivery d = {
                .message = {.routing_key = bytes_of_text("acme.high"), .body = bytes_of_text("{")},
                .offset = -1};

        (void)state;
        fake.on(fake.owner, &d);
        assert_int_equal(fake.posts, 0);
        assert_int_equal(fake.settled[SETTLE_ACK] + fake.settled[SETTLE_REQUEUE], 0);
}

static void test_paused_again(void **state)
{
        const struct fixture *f = *state;

        unparker_paused(f->unparker, "type:acme/send", true);
        assert_string_equal(fake.subscribed, "");
        unparker_paused(f->unparker, "type:acme/send", true);
        unparker_paused(f->unparker, "something:else", false);
        assert_string_equal(fake.subscribed, "");
        unparker_paused(f->unparker, "type:send", false);
        assert_string_equal(fake.subscribed, "parked.send");
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                CASE(test_it_goes_to_its_lane),
                CASE(test_it_rests_for_a_second),
                CASE(test_one_whose_connection_ended_is_not_published),
                CASE(test_no_lane),
                CASE(test_what_is_no_job_stays),
                CASE(test_paused_again),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
