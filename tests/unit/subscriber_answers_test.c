/* SPDX-License-Identifier: Apache-2.0
 *
 * subscriber_answers_test.c: a queue whose subscription has no answer is tried apart from the
 * others.
 */
#include "tests/unit/subscriber_rig.h"

static int check_answers(msec later)
{
        struct err e = {0};

        fake_now += later;
        return answers_check(answers, fake_now, &e);
}

/* Renews after a lost connection, and answers all looks. */
static void connect_again(struct subscriber *s, const char *want)
{
        struct err e = {0};

        subscriber_disconnected(s);
        assert_int_equal(subscriber_renew(s, fake_channel, false, &e), 0);
        answer_looks(s, NULL, want);
}

static void retry(struct subscriber *s)
{
        struct err e = {0};

        assert_int_equal(subscriber_retry(s, fake_now, fake_channel, &e), 0);
}

/* Neither consume has an answer, because of the first. So each is tried alone, and `mute` later. */
static void a_queue_without_an_answer_holds_up_no_other(void **state)
{
        struct subscriber *s = create(false);
        struct subscription *mute = subscription(1, "mute"), *good = subscription(2, "good");

        (void)state;
        subscribe(s, mute);
        subscribe(s, good);
        answer_looks(s, NULL, "mute good ");
        assert_sent("open:3 consume:3:q1 consume:3:q2 ");
        assert_int_equal(check_answers(9999), 0);
        assert_int_equal(answers_deadline(answers), fake_now + 1);
        assert_int_equal(check_answers(1), -1);
        connect_again(s, "mute good ");
        assert_sent("open:7 consume:7:q1 ");
        assert_int_equal(check_answers(10000), -1);
        connect_again(s, "good ");
        consumed(s, 7, "q2");
        assert_sent("open:7 consume:7:q2 cancel:7:q2 open:3 consume:3:q2 ");
        assert_true(subscriber_is_renewed(s)); /* `up` does not wait for suspects */
        consumed(s, 3, "q2");
        retry(s);
        assert_int_equal(subscriber_retry_at(s), fake_now + 5000);
        fake_now += 5000;
        retry(s);
        answer_looks(s, NULL, "mute ");
        assert_sent("consume:7:q1 ");
        assert_int_equal(check_answers(10000), -1);
        assert_int_equal(answers_retry_at(answers, "mute"), fake_now + 10000);
        connect_again(s, "good ");
        consumed(s, 7, "q2");
        assert_sent("open:7 consume:7:q2 cancel:7:q2 open:3 consume:3:q2 ");
        fake_now = answers_retry_at(answers, "mute");
        consumed(s, 3, "q2");
        retry(s);
        answer_looks(s, NULL, "mute ");
        consumed(s, 7, "q1"); /* it has a leader again */
        assert_sent("consume:7:q1 cancel:7:q1 consume:3:q1 ");
        consumed(s, 3, "q1");
        assert_int_equal(answers_retry_at(answers, "mute"), 0);
        end(s, mute, good);
}

/* Each try ends the connection. */
static void one_that_never_answers_is_tried_every_hour(void **state)
{
        struct subscriber *s = create(false);
        struct subscription *mute = subscription(1, "mute");
        msec wait = 5000;

        (void)state;
        subscribe(s, mute);
        answer_looks(s, NULL, "mute ");
        for (int i = 0; i < 15; i++) {
                assert_int_equal(check_answers(10000), -1);
                assert_int_equal(answers_retry_at(answers, "mute"), fake_now + wait);
                wait = wait < MSEC_HOUR / 2 ? 2 * wait : MSEC_HOUR;
                connect_again(s, "");
                fake_now = answers_retry_at(answers, "mute");
                retry(s);
                answer_looks(s, NULL, "mute ");
                fake_forget();
        }
        assert_int_equal(wait, MSEC_HOUR);
        end(s, mute, NULL);
}

/* A subscription that is replaced does not free its queue from suspicion; a queue that is deleted
 * is no suspect. */
static void a_suspect_is_a_queue(void **state)
{
        struct subscriber *s = create(false);
        struct subscription *one = subscription(1, "mute"), *two = subscription(2, "mute");
        struct err missing = {0}, e = {0};

        (void)state;
        err_set(&missing, ERR_NOT_FOUND, "no queue");
        subscribe(s, one);
        answer_looks(s, NULL, "mute ");
        assert_int_equal(subscriber_unsubscribe(s, one, fake_channel, &e), 0);
        assert_int_equal(check_answers(10000), -1);
        subscriber_disconnected(s);
        fake_forget();
        subscribe(s, two);
        assert_int_equal(subscriber_retry_at(s), fake_now + 5000);
        fake_now += 5000;
        retry(s);
        answer_looks(s, &missing, "mute ");
        fake_now += 5000;
        retry(s);
        answer_looks(s, NULL, "mute ");
        assert_sent("open:3 consume:3:q2 ");
        end(s, one, two);
}

/* The limit does not run while nothing is read; each answer begins it again. */
static void the_wait_for_an_answer_begins_again(void **state)
{
        struct subscriber *s = create(false);
        struct subscription *one = subscription(1, "a"), *two = subscription(2, "b");

        (void)state;
        subscribe(s, one);
        subscribe(s, two);
        answer_looks(s, NULL, "a b ");
        fake_now += 9000;
        answers_restart_wait(answers, fake_now);
        assert_int_equal(check_answers(9000), 0);
        consumed(s, 3, "q1");
        assert_int_equal(check_answers(9000), 0);
        consumed(s, 3, "q2");
        assert_int_equal(check_answers(60000), 0);
        assert_int_equal(answers_deadline(answers), 0);
        end(s, one, two);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_queue_without_an_answer_holds_up_no_other),
                cmocka_unit_test(one_that_never_answers_is_tried_every_hour),
                cmocka_unit_test(a_suspect_is_a_queue),
                cmocka_unit_test(the_wait_for_an_answer_begins_again),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
