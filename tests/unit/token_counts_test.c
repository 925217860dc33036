/* SPDX-License-Identifier: Apache-2.0
 *
 * token_counts_test.c: when the broker is asked for tokens, and how long an answer is used.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/own.h"
#include "status-store/why/token_counts.h"
#include "tests/unit/unit.h"

/* A link that answers when somebody waits, if it answers. */
static struct {
        struct link_events on;
        void *owner;
        unsigned asked;
        struct {
                declared_fn *done;
                void *owner;
        } open[8];
        size_t open_count;
        uint32_t ready;
        bool silent, absent;
} fake;

struct link *__wrap_link_create(const struct link_config *c, const struct link_events *on,
                                void *owner, uv_loop_t *loop, struct err *e);
struct link *__wrap_link_create(const struct link_config *c, const struct link_events *on,
                                void *owner, uv_loop_t *loop, struct err *e)
{
        (void)c;
        (void)loop;
        (void)e;
        memset(&fake, 0, sizeof(fake));
        fake.on = *on;
        fake.owner = owner;
        return (struct link *)&fake;
}

static void answer_all(void)
{
        struct err absent = {0};

        err_set(&absent, ERR_NOT_FOUND, "no such queue");
        for (size_t i = 0; i < fake.open_count; i++)
                fake.open[i].done(fake.open[i].owner, fake.absent ? &absent : NULL, fake.ready, 0);
        fake.open_count = 0;
}

void __wrap_link_destroy(struct link **l);
void __wrap_link_destroy(struct link **l)
{
        answer_all();
        *l = NULL;
}

void __wrap_link_declare(struct link *l, const struct declaration *d, declared_fn *done,
                         void *owner);
void __wrap_link_declare(struct link *l, const struct declaration *d, declared_fn *done,
                         void *owner)
{
        (void)l;
        assert_int_equal(d->what, COUNT_QUEUE);
        fake.asked++;
        fake.open[fake.open_count].done = done;
        fake.open[fake.open_count++].owner = owner;
}

static msec mono;

msec __wrap_clock_mono(void);
msec __wrap_clock_mono(void)
{
        return mono;
}

bool __wrap_condition_wait(pthread_cond_t *c, pthread_mutex_t *mutex, msec deadline);
bool __wrap_condition_wait(pthread_cond_t *c, pthread_mutex_t *mutex, msec deadline)
{
        (void)c;
        if (fake.silent) {
                mono = deadline;
                return false;
        }
        pthread_mutex_unlock(mutex);
        answer_all();
        pthread_mutex_lock(mutex);
        return true;
}

static struct token_counts *create_up(void)
{
        struct err e = {0};
        struct token_counts *t = token_counts_create(NULL, NULL, &e);

        mono = 1000000;
        fake.on.up(fake.owner);
        mono += 10000;
        return t;
}

static int64_t read_one(struct token_counts *t, const char *queue)
{
        struct token_count counts[2] = {0};

        snprintf(counts[1].queue, sizeof(counts[1].queue), "%s", queue);
        token_counts_read(t, counts, COUNT(counts), mono + 300);
        assert_int_equal(counts[0].ready, -1);
        return counts[1].ready;
}

static void test_an_answer_is_used_for_two_seconds(void **state)
{
        (void)state;
        AUTO(token_counts) t = create_up();

        fake.ready = 3;
        assert_int_equal(read_one(t, "slots.acme.1"), 3);
        fake.ready = 4;
        mono += 1999;
        assert_int_equal(read_one(t, "slots.acme.1"), 3);
        mono += 1;
        assert_int_equal(read_one(t, "slots.acme.1"), 4);
        assert_int_equal(fake.asked, 2);
        assert_int_equal(read_one(t, "slots.other.1"), 4);
        assert_int_equal(fake.asked, 3);
}

static void test_nothing_is_known_soon_after_a_connect(void **state)
{
        (void)state;
        AUTO(token_counts) t = create_up();

        mono -= 1;
        assert_int_equal(read_one(t, "slots.acme.1"), -1);
        mono += 1;
        assert_int_equal(read_one(t, "slots.acme.1"), 0);
        fake.on.down(fake.owner, NULL);
        assert_int_equal(read_one(t, "slots.acme.1"), -1);
        fake.on.up(fake.owner);
        assert_int_equal(read_one(t, "slots.acme.1"), -1);
        assert_int_equal(fake.asked, 1);
}

static void test_no_answer(void **state)
{
        (void)state;
        AUTO(token_counts) t = create_up();

        fake.silent = true;
        assert_int_equal(read_one(t, "slots.acme.1"), -1);
        assert_int_equal(read_one(t, "slots.acme.1"), -1);
        assert_int_equal(fake.asked, 1);
        fake.ready = 2;
        answer_all();
        assert_int_equal(read_one(t, "slots.acme.1"), 2);
        assert_int_equal(fake.asked, 1);
}

static void test_no_such_queue(void **state)
{
        (void)state;
        AUTO(token_counts) t = create_up();

        fake.absent = true;
        assert_int_equal(read_one(t, "slots.acme.1"), -1);
        assert_int_equal(read_one(NULL, "slots.acme.1"), -1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_an_answer_is_used_for_two_seconds),
                cmocka_unit_test(test_nothing_is_known_soon_after_a_connect),
                cmocka_unit_test(test_no_answer),
                cmocka_unit_test(test_no_such_queue),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
