/* SPDX-License-Identifier: Apache-2.0
 *
 * subscriber_test.c: subscriptions that are looked up, begun, refused, renewed and moved;
 * deliveries with and without an owner.
 */
#include "tests/unit/subscriber_rig.h"

static void a_queue_is_looked_for_first(void **state)
{
        struct subscriber *s = create(false);
        struct subscription *sub = subscription(1, "a");
        struct err missing = {0};

        (void)state;
        err_set(&missing, ERR_NOT_FOUND, "no queue");
        subscribe(s, sub);
        assert_sent("");
        answer_looks(s, &missing, "a ");
        assert_int_equal(take_notices(s, NOTICE_REFUSED), 1);
        struct err e = {0};
        assert_int_equal(subscriber_retry(s, subscriber_retry_at(s) - 1, fake_channel, &e), 0);
        answer_looks(s, NULL, "");
        fake_now = subscriber_retry_at(s);
        assert_int_equal(subscriber_retry(s, fake_now, fake_channel, &e), 0);
        answer_looks(s, &missing, "a ");
        assert_int_equal(take_notices(s, NOTICE_REFUSED), 0); /* the refusal is reported once */
        fake_now = subscriber_retry_at(s);
        assert_int_equal(subscriber_retry(s, fake_now, fake_channel, &e), 0);
        answer_looks(s, NULL, "a ");
        assert_sent("open:3 consume:3:q1 ");
        assert_int_not_equal(atomic_load(&live[0]), 0);
        end(s, sub, NULL);
        assert_int_equal(atomic_load(&live[0]), 0);
}

static void what_nobody_wants_goes_back(void **state)
{
        struct subscriber *s = create(false);
        struct subscription *sub = subscription(7, "a");
        struct err e = {0};

        (void)state;
        subscribe(s, sub);
        answer_looks(s, NULL, "a ");
        consumed(s, 3, "q7");
        fake_forget();
        assert_int_equal(deliver(s, 3, 1, "q7"), 0);
        assert_int_equal(take_notices(s, NOTICE_DELIVERY), 1);
        assert_int_equal(deliver(s, 3, 2, "q8"), 0);
        assert_sent("requeue:3:2 ");
        assert_int_equal(deliver(s, 3, 3, "s8"), 0); /* a stream has no requeue */
        assert_sent("ack:3:3 ");
        assert_int_equal(subscriber_unsubscribe(s, sub, fake_channel, &e), 0);
        assert_sent("cancel:3:q7 ");
        assert_int_equal(deliver(s, 3, 4, "q7"), 0);
        assert_sent("requeue:3:4 ");
        assert_int_equal(take_notices(s, NOTICE_GONE), 1);
        end(s, sub, NULL);
}

static void one_that_ends_before_its_answer_is_cancelled_after_it(void **state)
{
        struct subscriber *s = create(false);
        struct subscription *sub = subscription(7, "a");
        struct err e = {0};

        (void)state;
        subscribe(s, sub);
        answer_looks(s, NULL, "a ");
        fake_forget();
        assert_int_equal(subscriber_unsubscribe(s, sub, fake_channel, &e), 0);
        assert_sent("");
        assert_int_equal(deliver(s, 3, 1, "q7"), 0);
        assert_sent("requeue:3:1 ");
        consumed(s, 3, "q7");
        assert_sent("cancel:3:q7 ");
        assert_int_equal(take_notices(s, NOTICE_GONE), 1);
        end(s, sub, NULL);
}

static void pass_over(struct subscriber *s, const char *tag, int64_t offset)
{
        const struct unreadable u = {
                .consumer_tag = amqp_cstring_bytes(tag), .channel = 3, .tag = 5, .offset = offset};

        subscriber_pass_over(s, &u, fake_channel);
}

/* An unreadable delivery of a queue is refused. The reader of a stream learns of it when it is
 * asked where to start. */
static void what_nobody_can_read_is_passed_over(void **state)
{
        struct subscriber *s = create(false);
        struct subscription *queue = subscription(7, "a");
        struct subscription *stream = subscription(8, "b");

        (void)state;
        stream->source.stream = true;
        stream->unreadable = -1;
        subscribe(s, queue);
        subscribe(s, stream);
        answer_looks(s, NULL, "a b ");
        fake_forget();
        assert_int_equal(subscription_unreadable(stream, -1), -1);
        pass_over(s, "q7", -1);
        assert_sent("refuse:3:5 ");
        pass_over(s, "q9", -1); /* this queue was unsubscribed meanwhile */
        assert_sent("refuse:3:5 ");
        pass_over(s, "s9", 4);
        pass_over(s, "s8", 20);
        assert_sent("");
        assert_int_equal(subscription_unreadable(stream, -1), 20);
        stream->last_offset = 22;
        pass_over(s, "s8", 23);
        assert_int_equal(subscription_unreadable(stream, 22), 23);
        assert_int_equal(subscription_unreadable(stream, -1), -1);
        assert_int_equal(subscription_unreadable(stream, 23), -1);
        end(s, queue, stream);
}

static void a_closed_channel_is_its_oldest_consume(void **state)
{
        struct subscriber *s = create(false);
        struct subscription *gone = subscription(1, "gone"), *other = subscription(2, "other");
        struct err why = {0}, e = {0};

        (void)state;
        err_set(&why, ERR_NOT_FOUND, "vanished");
        subscribe(s, gone);
        subscribe(s, other);
        answer_looks(s, NULL, "gone other ");
        assert_sent("open:3 consume:3:q1 consume:3:q2 ");
        subscriber_channel_closed(s, 3, true, &why);
        assert_int_equal(take_notices(s, NOTICE_REFUSED), 1);
        assert_int_equal(subscriber_renew(s, fake_channel, false, &e), 0);
        assert_false(subscriber_is_renewed(s));
        assert_sent("open:3 consume:3:q2 "); /* this queue exists; the other is tried later */
        consumed(s, 3, "q2");
        assert_true(subscriber_is_renewed(s));
        end(s, gone, other);
}

/* The consume that closed the channel was of a subscription that has ended: whose queue is gone is
 * not known. */
static void a_closed_channel_makes_queues_be_looked_for_again(void **state)
{
        struct subscriber *s = create(false);
        struct subscription *gone = subscription(1, "gone"), *again = subscription(2, "gone");
        struct err why = {0}, e = {0};

        (void)state;
        err_set(&why, ERR_NOT_FOUND, "vanished");
        subscribe(s, gone);
        answer_looks(s, NULL, "gone ");
        assert_int_equal(subscriber_unsubscribe(s, gone, fake_channel, &e), 0);
        subscriber_channel_closed(s, 3, true, &why);
        subscribe(s, again);
        answer_looks(s, &why, "gone ");
        assert_sent("open:3 consume:3:q1 ");
        end(s, gone, again);
}

static void renews_when_told(void **state)
{
        struct subscriber *s = create(true);
        struct subscription *sub = subscription(1, "a");
        struct err e = {0};

        (void)state;
        subscribe(s, sub);
        for (int connection = 0; connection < 2; connection++) {
                assert_int_equal(subscriber_renew(s, fake_channel, false, &e), 0);
                assert_true(subscriber_is_renewed(s));
                answer_looks(s, NULL, "");
                assert_int_equal(subscriber_renew(s, fake_channel, true, &e), 0);
                answer_looks(s, NULL, "a ");
                assert_sent("open:3 consume:3:q1 ");
                subscriber_disconnected(s);
        }
        end(s, sub, NULL);
}

/* One delivery is held. The busy queue moves to a channel of its own, the idle one stays. */
static void moves_away_from_a_held_delivery(void **state)
{
        struct subscriber *s = create(false);
        struct subscription *busy = subscription(1, "busy"), *idle = subscription(2, "idle");
        struct node_list held = {0};
        struct err e = {0};
        uint64_t number = 2;

        (void)state;
        subscribe(s, busy);
        subscribe(s, idle);
        answer_looks(s, NULL, "busy idle ");
        consumed(s, 3, "q1");
        consumed(s, 3, "q2");
        assert_int_equal(deliver(s, 3, 1, "q1"), 0);
        subscriber_take_notices(s, &held);
        fake_forget();
        for (; number < 2000 && fake_count("cancel:3:q1 open:4 consume:4:q1 ") == 0; number++) {
                assert_int_equal(deliver(s, 3, number, "q1"), 0);
                take_notices(s, NOTICE_DELIVERY);
                fake_now += 5;
                write_acks(s, false);
        }
        assert_int_in_range(number, 256, 400);
        assert_int_equal(fake_count(":q2"), 0);
        write_acks(s, true);
        fake_forget();
        consumed(s, 4, "q1");
        for (number = 1; number <= 40; number++) {
                assert_int_equal(deliver(s, 4, number, "q1"), 0);
                take_notices(s, NOTICE_DELIVERY);
                write_acks(s, false);
        }
        assert_sent("ack:4:4+ ack:4:8+ ack:4:12+ ack:4:16+ ack:4:20+ ack:4:24+ ack:4:28+ ack:4:32+ "
                    "ack:4:36+ ack:4:40+ ");
        assert_int_equal(acker_take(acker, &held, fake_channel, &e), 0);
        write_acks(s, true);
        assert_int_equal(fake_count("ack:3:1+"), 1);
        end(s, busy, idle);
}

static void subscriptions_spread_over_the_channels(void **state)
{
        struct subscriber *s = create(false);
        struct subscription *subs[5];
        struct err e = {0};

        (void)state;
        for (size_t i = 0; i < COUNT(subs); i++) {
                subs[i] = subscription(i + 1, "tokens");
                subs[i]->source.spread = true;
                subs[i]->source.prefetch = 1;
        }
        subscribe(s, subs[0]);
        answer_looks(s, NULL, "tokens ");
        for (size_t i = 1; i < COUNT(subs); i++)
                subscribe(s, subs[i]);
        assert_sent("open:3 consume:3:q1 open:4 consume:4:q2 open:5 consume:5:q3 open:6 "
                    "consume:6:q4 consume:3:q5 ");
        for (size_t i = 2; i < COUNT(subs); i++) {
                assert_int_equal(subscriber_unsubscribe(s, subs[i], fake_channel, &e), 0);
                forget(subs[i]);
        }
        end(s, subs[0], subs[1]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_queue_is_looked_for_first),
                cmocka_unit_test(what_nobody_wants_goes_back),
                cmocka_unit_test(one_that_ends_before_its_answer_is_cancelled_after_it),
                cmocka_unit_test(what_nobody_can_read_is_passed_over),
                cmocka_unit_test(a_closed_channel_is_its_oldest_consume),
                cmocka_unit_test(a_closed_channel_makes_queues_be_looked_for_again),
                cmocka_unit_test(renews_when_told),
                cmocka_unit_test(moves_away_from_a_held_delivery),
                cmocka_unit_test(subscriptions_spread_over_the_channels),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
