/* SPDX-License-Identifier: Apache-2.0
 *
 * tokens_test.c: which subscriptions ask for a limit's tokens, and what becomes of a token that
 * comes. A fake replaces the link.
 */
#include <stdlib.h>
#include <string.h>

#include "consumer/tokens.h"
#include "tests/unit/unit.h"

/* The subscriptions that are open, in the order in which they began. */
static struct asked {
        delivery_fn *on;
        void *owner;
        int rank;
} asked[16];
static size_t asked_count;
static uint16_t prefetch; /* of the last */
static unsigned begun, acked, rejected, requeued;
static bool live = true;
static msec now = 1000;

struct subscription *__wrap_link_subscribe(struct link *l, const struct source *s, delivery_fn *on,
                                           void *owner);
void __wrap_link_unsubscribe(struct subscription **s);
void __wrap_link_settle(struct delivery **d, enum settle how);
bool __wrap_delivery_is_live(const struct delivery *d);
msec __wrap_clock_mono(void);

struct subscription *__wrap_link_subscribe(struct link *l, const struct source *s, delivery_fn *on,
                                           void *owner)
{
        (void)l;
        assert_string_equal(s->queue, "slots.acme.3");
        prefetch = s->prefetch;
        assert_false(s->stream);
        assert_true(asked_count < COUNT(asked));
        asked[asked_count++] = (struct asked){on, owner, s->priority};
        begun++;
        return owner; /* tells them apart */
}

void __wrap_link_unsubscribe(struct subscription **s)
{
        for (size_t i = 0; i < asked_count; i++) {
                if (asked[i].owner != *s)
                        continue;
                asked_count--;
                for (; i < asked_count; i++)
                        asked[i] = asked[i + 1];
                *s = NULL;
                return;
        }
        fail();
}

void __wrap_link_settle(struct delivery **d, enum settle how)
{
        if (*d == NULL)
                return;
        acked += how == SETTLE_ACK;
        rejected += how == SETTLE_REJECT;
        requeued += how == SETTLE_REQUEUE;
        *d = NULL;
}

bool __wrap_delivery_is_live(const struct delivery *d)
{
        assert_non_null(d);
        return live;
}

msec __wrap_clock_mono(void)
{
        return now;
}

static int prepare(void **state)
{
        (void)state;
        asked_count = 0;
        begun = acked = rejected = requeued = 0;
        live = true;
        return 0;
}

static void deliver(size_t i)
{
        static struct delivery token;
        const struct asked a = asked[i];

        a.on(a.owner, &token);
}

struct taker {
        struct tokens *tokens;
        struct token *taken;
        bool leaves; /* takes none */
};

static void on_came(void *owner)
{
        struct taker *t = owner;

        if (t->leaves)
                return;
        t->taken = tokens_take(t->tokens);
        assert_null(tokens_take(t->tokens)); /* one comes at a time */
}

static void one_subscription_ends_with_each_token(void **state)
{
        struct taker t = {0};

        (void)state;
        t.tokens = tokens_create(NULL, "slots.acme.3", on_came, &t);
        tokens_want(t.tokens, 3, 1);
        assert_int_equal(prefetch, 1);
        assert_int_equal(asked_count, 3);
        assert_int_equal(tokens_wanted(t.tokens), 3);
        assert_null(tokens_take(t.tokens));
        deliver(1);
        assert_int_equal(asked_count, 2);
        assert_int_equal(tokens_wanted(t.tokens), 2);
        assert_int_equal(tokens_taken(t.tokens), 1);
        assert_int_equal(token_since(t.taken), 1000);
        assert_int_equal(acked + rejected + requeued, 0);
        token_return(&t.taken);
        assert_null(t.taken);
        assert_int_equal(requeued, 1);
        assert_int_equal(tokens_taken(t.tokens), 0);
        tokens_destroy(&t.tokens);
        assert_int_equal(asked_count, 0);
}

static void a_token_that_nobody_takes_goes_back(void **state)
{
        struct taker t = {.leaves = true};

        (void)state;
        t.tokens = tokens_create(NULL, "slots.acme.3", on_came, &t);
        tokens_want(t.tokens, 1, 0);
        deliver(0);
        assert_int_equal(requeued, 1);
        assert_int_equal(asked_count, 0);
        assert_int_equal(tokens_taken(t.tokens), 0);
        tokens_destroy(&t.tokens);
}

static void the_newest_subscriptions_end_first(void **state)
{
        struct taker t = {0};

        (void)state;
        t.tokens = tokens_create(NULL, "slots.acme.3", on_came, &t);
        tokens_want(t.tokens, 3, 0);
        const void *first = asked[0].owner;
        tokens_want(t.tokens, 1, 0);
        assert_int_equal(asked_count, 1);
        assert_ptr_equal(asked[0].owner, first);
        tokens_want(t.tokens, 1, 0);
        assert_int_equal(begun, 3);
        tokens_destroy(&t.tokens);
}

static void another_rank_takes_another_subscription(void **state)
{
        struct taker t = {0};

        (void)state;
        t.tokens = tokens_create(NULL, "slots.acme.3", on_came, &t);
        tokens_want(t.tokens, 2, 0);
        tokens_want(t.tokens, 2, 3);
        assert_int_equal(asked_count, 2);
        assert_int_equal(asked[0].rank, 3);
        assert_int_equal(asked[1].rank, 3);

        /* Only what differs is changed. */
        begun = 0;
        tokens_want_each(t.tokens, (unsigned[TOKENS_RANKS]){[0] = 1, [3] = 2});
        assert_int_equal(begun, 1);
        tokens_want_each(t.tokens, (unsigned[TOKENS_RANKS]){[0] = 1, [TOKENS_RANK_RUNNING] = 1});
        assert_int_equal(begun, 2);
        assert_int_equal(asked_count, 2);
        assert_int_equal(tokens_wanted(t.tokens), 2);
        tokens_destroy(&t.tokens);
}

static void a_kept_subscription_brings_more_than_one(void **state)
{
        struct taker t = {0};

        (void)state;
        t.tokens = tokens_create(NULL, "slots.acme.3", on_came, &t);
        tokens_keep(t.tokens, 8);
        assert_int_equal(prefetch, 8);
        for (unsigned i = 1; i <= 3; i++) {
                deliver(0);
                token_spend(&t.taken);
                assert_int_equal(rejected, i);
        }
        tokens_keep(t.tokens, 8);
        assert_int_equal(begun, 1);
        tokens_keep(t.tokens, 16);
        assert_int_equal(asked_count, 1);
        assert_int_equal(prefetch, 16);
        tokens_keep(t.tokens, 0);
        assert_int_equal(asked_count, 0);
        tokens_destroy(&t.tokens);
}

/* A property list with a message id and one x-death entry of 17 `rejected`. */
#define DEATH "\6reasonS\0\0\0\x08rejected\5countl\0\0\0\0\0\0\0\x11"
#define COOLED \
        "\x20\x80\0\0\0\x35\7x-deathA\0\0\0\x28" \
        "F\0\0\0\x23" DEATH "\2" \
        "42"

static void a_rates_token_tells_its_number_and_round(void **state)
{
        static const struct {
                struct message message;
                int64_t number, round;
        } rows[] = {
                {{.message_id = {"42", 2}, .properties = {COOLED, sizeof(COOLED) - 1}}, 42, 17},
                {{.message_id = {"0", 1}, .properties = {"\0\0", 2}}, 0, 0},
                {{.properties = {"\0\0", 2}}, -1, 0},
                {{.message_id = {"x1", 2}, .properties = {"", 0}}, -1, 0},
                {{.message_id = {"99999999999999999999", 20}, .properties = {"\0\0", 2}}, -1, 0},
        };
        struct taker t = {0};

        (void)state;
        t.tokens = tokens_create(NULL, "slots.acme.3", on_came, &t);
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct delivery d = {.message = rows[i].message};
                tokens_want(t.tokens, 1, 0);
                const struct asked a = asked[0];
                a.on(a.owner, &d);
                const struct token_round r = token_round_of(t.taken);
                assert_int_equal(r.number, rows[i].number);
                assert_int_equal(r.round, rows[i].round);
                token_remove(&t.taken);
                assert_int_equal(acked, i + 1);
        }
        tokens_destroy(&t.tokens);
}

static void a_spent_token_is_rejected_and_a_lost_one_is_not_held(void **state)
{
        struct taker t = {0};

        (void)state;
        t.tokens = tokens_create(NULL, "slots.acme.3", on_came, &t);
        tokens_want(t.tokens, 1, 2);
        deliver(0);
        assert_true(token_is_held(t.taken));
        live = false;
        assert_false(token_is_held(t.taken));
        token_spend(&t.taken);
        assert_int_equal(rejected, 1);
        tokens_destroy(&t.tokens);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(one_subscription_ends_with_each_token, prepare),
                cmocka_unit_test_setup(a_token_that_nobody_takes_goes_back, prepare),
                cmocka_unit_test_setup(the_newest_subscriptions_end_first, prepare),
                cmocka_unit_test_setup(another_rank_takes_another_subscription, prepare),
                cmocka_unit_test_setup(a_kept_subscription_brings_more_than_one, prepare),
                cmocka_unit_test_setup(a_rates_token_tells_its_number_and_round, prepare),
                cmocka_unit_test_setup(a_spent_token_is_rejected_and_a_lost_one_is_not_held,
                                       prepare),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
