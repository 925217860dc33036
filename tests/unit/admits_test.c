/* SPDX-License-Identifier: Apache-2.0
 *
 * admits_test.c: what a gateway tells of what it admitted and when, and what it takes from its
 * buckets. A fake replaces the links and the control stream, and the clock can be put forward.
 */
#include "gateway/admits.h"

#include <stdio.h>
#include <string.h>

#include "gateway/limiter.h"
#include "tests/unit/unit.h"

static const struct tenant_record acme = {
        .name = "acme", .rate_count = 10, .rate_per = MSEC_MINUTE, .burst = 10};

/* The last publish, until it is answered. */
static struct {
        struct publish_wait wait;
        bool waits, again;
        int count;
        char body[512];
} sent;
static bool up;
static struct link_events publisher;
static void *publisher_owner;
static delivery_fn *deliver;
static void *deliver_owner;
static enum source_start (*start_reading)(void *owner, int64_t *offset);
static msec ahead; /* of the monotonic clock */
static int links, settled;

struct link *__wrap_link_create(const struct link_config *c, const struct link_events *on,
                                void *owner, uv_loop_t *loop, struct err *e);
void __wrap_link_destroy(struct link **l);
bool __wrap_link_is_up(const struct link *l);
int __wrap_link_publish(struct link *l, const struct message *m, const struct publish_wait *done,
                        struct err *e);
struct subscription *__wrap_link_subscribe(struct link *l, const struct source *s, delivery_fn *on,
                                           void *owner);
void __wrap_link_unsubscribe(struct subscription **s);
void __wrap_link_settle(struct delivery **d, enum settle how);
bool __wrap_control_tenant(struct control *c, const char *name, struct tenant_record *out);
msec __real_clock_mono(void);
msec __wrap_clock_mono(void);

msec __wrap_clock_mono(void)
{
        return __real_clock_mono() + ahead;
}

struct link *__wrap_link_create(const struct link_config *c, const struct link_events *on,
                                void *owner, uv_loop_t *loop, struct err *e)
{
        (void)loop;
        (void)e;
        links++;
        if (c->stream != NULL) {
                assert_string_equal(c->stream, "admits");
                publisher = *on;
                publisher_owner = owner;
        }
        return (struct link *)(void *)&up;
}

void __wrap_link_destroy(struct link **l)
{
        links -= *l != NULL;
        *l = NULL;
}

bool __wrap_link_is_up(const struct link *l)
{
        (void)l;
        return up;
}

int __wrap_link_publish(struct link *l, const struct message *m, const struct publish_wait *done,
                        struct err *e)
{
        (void)l;
        if (!up)
                return err_set(e, ERR_UNAVAILABLE, "down");
        assert_false(sent.waits); /* one at a time */
        assert_true(bytes_equal_text(m->exchange, "admits"));
        assert_true(m->mandatory);
        sent.wait = *done;
        sent.waits = true;
        sent.count++;
        sent.again = message_header(m, "x-again") != NULL;
        snprintf(sent.body, sizeof(sent.body), "%.*s", (int)m->body.length,
                 (const char *)m->body.data);
        return 0;
}

struct subscription *__wrap_link_subscribe(struct link *l, const struct source *s, delivery_fn *on,
                                           void *owner)
{
        (void)l;
        assert_string_equal(s->queue, "admits");
        assert_true(s->stream);
        deliver = on;
        deliver_owner = owner;
        start_reading = s->start;
        return (struct subscription *)(void *)&deliver;
}

void __wrap_link_unsubscribe(struct subscription **s)
{
        *s = NULL;
}

void __wrap_link_settle(struct delivery **d, enum settle how)
{
        assert_int_equal(how, SETTLE_ACK);
        *d = NULL;
        settled++;
}

bool __wrap_control_tenant(struct control *c, const char *name, struct tenant_record *out)
{
        (void)c;
        if (strcmp(name, acme.name) != 0)
                return false;
        *out = acme;
        return true;
}

struct fixture {
        uv_loop_t loop;
        struct limiter *limiter;
        struct admits *admits;
        bool finished;
};

static void answer(enum link_result result)
{
        assert_true(sent.waits);
        sent.waits = false;
        sent.wait.done(sent.wait.owner, result);
}

/* Lets the loop run until something was published. */
static void await_publish(struct fixture *f)
{
        msec until = clock_mono() + 5000;

        while (!sent.waits && clock_mono() < until)
                uv_run(&f->loop, UV_RUN_ONCE);
        assert_true(sent.waits);
}

static void run_for(struct fixture *f, msec wait)
{
        msec until = clock_mono() + wait;

        while (clock_mono() < until)
                uv_run(&f->loop, UV_RUN_ONCE);
}

static void bring(const char *body, const char *login)
{
        struct delivery d = {
                .message = {.body = bytes_of_text(body), .user_id = bytes_of_text(login)}};
        int before = settled;

        deliver(deliver_owner, &d);
        assert_int_equal(settled, before + 1);
}

static int64_t left(struct fixture *f)
{
        return limiter_take(f->limiter, &acme, clock_mono(), BUCKET_LOOK).remaining;
}

static void take(struct fixture *f)
{
        assert_true(limiter_take(f->limiter, &acme, clock_mono(), BUCKET_TAKE).granted);
}

static int set_up(void **state)
{
        static struct fixture f;
        struct err e = {0};

        memset(&f, 0, sizeof(f));
        memset(&sent, 0, sizeof(sent));
        up = true;
        ahead = 0;
        uv_loop_init(&f.loop);
        f.limiter = limiter_create();
        f.admits = admits_create(&(struct admits_config){.link = &(struct link_config){0},
                                                         .gateway = "gateway@host-a",
                                                         .limiter = f.limiter},
                                 &f.loop, &e);
        *state = &f;
        return f.admits == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
        struct fixture *f = *state;

        admits_destroy(&f->admits);
        limiter_destroy(&f->limiter);
        uv_run(&f->loop, UV_RUN_DEFAULT);
        assert_int_equal(links, 0);
        return uv_loop_close(&f->loop);
}

/* Its first record comes back: all before it has been read. */
static void begin(struct fixture *f)
{
        struct err why = {0};

        admits_begin(f->admits, (struct control *)(void *)f);
        await_publish(f);
        assert_non_null(strstr(sent.body, "{\"gateway\":\"host-a/"));
        assert_non_null(strstr(sent.body, "\"n\":1,"));
        assert_false(admits_is_ready(f->admits, &why));
        assert_true(err_is_set(&why));
        bring(sent.body, "warren-gateway");
        assert_true(admits_is_ready(f->admits, &why));
        answer(LINK_CONFIRMED);
        await_publish(f); /* levels, now that it knows them */
        answer(LINK_CONFIRMED);
}

static void tells_what_it_admitted(void **state)
{
        struct fixture *f = *state;

        begin(f);
        int before = sent.count;
        run_for(f, 120);
        assert_int_equal(sent.count, before); /* nothing, nothing told */
        take(f);
        take(f);
        await_publish(f);
        assert_non_null(strstr(sent.body, "\"admitted\":{\"acme\":2}"));
        assert_false(sent.again);
        bring(sent.body, "warren-gateway"); /* its own takes nothing */
        assert_int_equal(left(f), 8);
        /* The next waits for the confirm, with all that came meanwhile. */
        take(f);
        run_for(f, 120);
        take(f);
        assert_int_equal(sent.count, before + 1);
        answer(LINK_CONFIRMED);
        await_publish(f);
        assert_non_null(strstr(sent.body, "\"admitted\":{\"acme\":2}"));
        limiter_return(f->limiter, "acme");
        answer(LINK_CONFIRMED);
        await_publish(f);
        assert_non_null(strstr(sent.body, "\"admitted\":{\"acme\":-1}"));
        answer(LINK_CONFIRMED);
}

static void an_unconfirmed_record_comes_again_unchanged(void **state)
{
        struct fixture *f = *state;
        char first[sizeof(sent.body)];

        begin(f);
        take(f);
        await_publish(f);
        memcpy(first, sent.body, sizeof(first));
        answer(LINK_CLOSED);
        take(f);
        await_publish(f);
        assert_true(sent.again);
        assert_string_equal(sent.body, first);
        answer(LINK_CONFIRMED);
}

/* What was admitted while the broker was away is told when it is back, and how full buckets are. */
static void tells_all_after_a_reconnect(void **state)
{
        struct fixture *f = *state;
        struct err gone = {.code = ERR_UNAVAILABLE};

        begin(f);
        int before = sent.count;
        up = false;
        publisher.down(publisher_owner, &gone);
        assert_false(admits_is_up(f->admits));
        for (int i = 0; i < 3; i++) {
                take(f);
                run_for(f, 60);
        }
        assert_int_equal(sent.count, before);
        up = true;
        publisher.up(publisher_owner);
        await_publish(f);
        assert_non_null(strstr(sent.body, "\"admitted\":{\"acme\":3}"));
        answer(LINK_CONFIRMED);
        await_publish(f);
        assert_non_null(strstr(sent.body, "\"levels\":{\"acme\":17"));
        answer(LINK_CONFIRMED);
}

static void takes_what_others_admitted(void **state)
{
        struct fixture *f = *state;
        char body[256];
        int64_t now = clock_wall();

        begin(f);
        snprintf(body, sizeof(body),
                 "{\"gateway\":\"b\",\"n\":1,\"at\":%lld,\"admitted\":{\"acme\":3,\"nobody\":9}}",
                 (long long)now);
        bring("", "warren-gateway"); /* a probe */
        bring("{", "warren-gateway");
        bring(body, "warren-consumer");
        bring(body, "");
        assert_int_equal(left(f), 10);
        bring(body, "warren-gateway");
        assert_int_equal(left(f), 7);
        bring(body, "warren-gateway"); /* published again, or read again */
        assert_int_equal(left(f), 7);
        snprintf(body, sizeof(body),
                 "{\"gateway\":\"c\",\"n\":1,\"at\":%lld,\"levels\":{\"acme\":54000,\"x\":1}}",
                 (long long)now);
        bring(body, "warren-gateway");
        assert_int_equal(left(f), 1);
}

/* What another gateway admitted for acme, told `ago` ms ago by its clock. */
static void bring_admitted(const char *gateway, int64_t n, msec ago, int count)
{
        char body[256];

        snprintf(body, sizeof(body),
                 "{\"gateway\":\"%s\",\"n\":%lld,\"at\":%lld,\"admitted\":{\"acme\":%d}}", gateway,
                 (long long)n, (long long)(clock_wall() - ago), count);
        bring(body, "warren-gateway");
}

/* The reader has connected again, and reads from the first message: what it has missed counts, from
 * when it was admitted, until a record of its own shows that what comes now is new. */
static void what_was_missed_counts_at_its_time(void **state)
{
        struct fixture *f = *state;
        char first[sizeof(sent.body)];
        int64_t offset = 0;

        admits_begin(f->admits, (struct control *)(void *)f);
        await_publish(f);
        memcpy(first, sent.body, sizeof(first));
        bring(first, "warren-gateway");
        answer(LINK_CONFIRMED);
        await_publish(f);
        answer(LINK_CONFIRMED);
        bring_admitted("b", 1, 0, 2);
        assert_int_equal(left(f), 8);

        assert_int_equal(start_reading(deliver_owner, &offset), SOURCE_FIRST);
        bring(first, "warren-gateway");
        bring_admitted("b", 1, 0, 2); /* again */
        assert_int_equal(left(f), 8);
        for (int n = 2; n < 300; n++)
                bring_admitted("b", n, MSEC_HOUR, 1); /* refilled since */
        bring_admitted("c", 1, MSEC_HOUR, 9);
        assert_int_equal(left(f), 8);
        bring_admitted("b", 300, 0, 3);
        assert_int_equal(left(f), 5);

        await_publish(f); /* its levels */
        bring(sent.body, "warren-gateway");
        answer(LINK_CONFIRMED);
        bring_admitted("d", 1, MSEC_HOUR, 4); /* new, so its clock is an hour behind */
        assert_int_equal(left(f), 1);
}

/* Every ten minutes, and soon to a gateway that starts, which cannot know how far the clocks of the
 * others are from its own. */
static void tells_levels(void **state)
{
        struct fixture *f = *state;

        begin(f);
        take(f);
        await_publish(f);
        answer(LINK_CONFIRMED);
        int before = sent.count;
        ahead += 11 * MSEC_SECOND;
        run_for(f, 120);
        assert_int_equal(sent.count, before);
        bring_admitted("b", 1, 0, 9);
        await_publish(f);
        assert_non_null(strstr(sent.body, "\"levels\":{\"acme\":"));
        answer(LINK_CONFIRMED);
        /* One that starts and ends again and again does not make it talk all the time. */
        bring_admitted("c", 1, 0, 1);
        run_for(f, 120);
        assert_false(sent.waits);
        ahead += 10 * MSEC_SECOND;
        await_publish(f);
        answer(LINK_CONFIRMED);
        bring_admitted("c", 2, 0, 1);
        ahead += 9 * MSEC_MINUTE;
        run_for(f, 120);
        assert_false(sent.waits);
        ahead += MSEC_MINUTE;
        await_publish(f);
        answer(LINK_CONFIRMED);
}

static void on_finished(void *owner)
{
        struct fixture *f = owner;

        assert_false(f->finished);
        f->finished = true;
}

static void finishes_when_all_is_told(void **state)
{
        struct fixture *f = *state;

        begin(f);
        take(f);
        admits_finish(f->admits, 5000, on_finished, f);
        assert_non_null(strstr(sent.body, "\"admitted\":{\"acme\":1}"));
        answer(LINK_CONFIRMED);
        assert_non_null(strstr(sent.body, "\"levels\":{\"acme\":"));
        assert_false(f->finished);
        answer(LINK_CONFIRMED);
        assert_true(f->finished);
        take(f);
        run_for(f, 120);
        assert_false(sent.waits);
}

static void a_finish_is_limited(void **state)
{
        struct fixture *f = *state;

        begin(f);
        admits_finish(f->admits, 20, on_finished, f);
        run_for(f, 100);
        assert_true(f->finished);
}

static void a_finish_without_the_broker_ends_at_once(void **state)
{
        struct fixture *f = *state;

        begin(f);
        up = false;
        admits_finish(f->admits, 5000, on_finished, f);
        assert_true(f->finished);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(tells_what_it_admitted),
                TEST(an_unconfirmed_record_comes_again_unchanged),
                TEST(tells_all_after_a_reconnect),
                TEST(takes_what_others_admitted),
                TEST(what_was_missed_counts_at_its_time),
                TEST(tells_levels),
                TEST(finishes_when_all_is_told),
                TEST(a_finish_is_limited),
                TEST(a_finish_without_the_broker_ends_at_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
