/* SPDX-License-Identifier: Apache-2.0
 *
 * declarer_test.c: declarations that are answered in order, refused, late or cut off.
 */
#include "common/amqp/declarer.h"

#include <stdlib.h>

#include "common/base/own.h"
#include "tests/harness/err_word.h"
#include "tests/unit/fake_channel.h"
#include "tests/unit/unit.h"

#define LIMIT ((msec)5000)

static void give(struct declarer *d, enum declare_what what, const char *name)
{
        struct node_list list = {0};
        struct request *r = request_create(&(struct declaration){.what = what, .name = name});

        r->deadline = fake_now + LIMIT;
        node_list_add(&list, &r->notice.node);
        declarer_take(d, &list);
}

static void write_all(struct declarer *d)
{
        struct err e = {0};

        assert_int_equal(declarer_write(d, fake_channel, &e), 0);
}

static void answer(struct declarer *d, uint32_t messages, uint32_t consumers)
{
        amqp_queue_declare_ok_t ok = {.message_count = messages, .consumer_count = consumers};
        const amqp_method_t m = {.id = AMQP_QUEUE_DECLARE_OK_METHOD, .decoded = &ok};
        struct err e = {0};

        assert_int_equal(declarer_answered(d, &m, &e), 0);
}

static void refuse(struct declarer *d, uint16_t code)
{
        const amqp_channel_close_t why = {.reply_code = code, .reply_text = wire_text("no")};
        struct err e = {0};

        assert_int_equal(declarer_refused(d, &why, fake_channel, &e), 0);
}

/* "a:5/1 b:not_found " */
static void assert_ended(struct declarer *d, const char *want)
{
        AUTO_BUFFER got = {0};
        struct request *r;

        while ((r = declarer_take_ended(d)) != NULL) {
                buffer_printf(&got, "%.*s:", (int)r->name.len, (const char *)r->name.bytes);
                if (err_is_set(&r->why))
                        buffer_printf(&got, "%s ", err_code_word(r->why.code));
                else
                        buffer_printf(&got, "%u/%u ", r->messages, r->consumers);
                free(r);
        }
        assert_string_equal(got.length == 0 ? "" : got.data, want);
}

static void end(struct declarer *d)
{
        struct request *r;

        declarer_end(d);
        while ((r = declarer_take_ended(d)) != NULL)
                free(r);
        declarer_destroy(&d);
        fake_forget();
}

static void a_refusal_is_the_oldest_ones(void **state)
{
        struct declarer *d = declarer_create();

        (void)state;
        give(d, COUNT_QUEUE, "a");
        give(d, COUNT_QUEUE, "b");
        give(d, DECLARE_QUEUE, "c");
        write_all(d);
        assert_sent("open:2 look:a look:b declare:c ");
        answer(d, 5, 1);
        refuse(d, AMQP_NOT_FOUND);
        assert_ended(d, "a:5/1 b:not_found ");
        assert_sent("close-ok:2 ");
        write_all(d);
        assert_sent("open:2 declare:c ");
        answer(d, 9, 9);
        assert_ended(d, "c:0/0 ");
        end(d);
}

/* Quorum queues do not support if-unused, so each queue is counted first. */
static void deletes_what_nobody_uses(void **state)
{
        struct declarer *d = declarer_create();

        (void)state;
        give(d, DELETE_QUEUE, "used");
        give(d, DELETE_QUEUE, "free");
        give(d, DELETE_QUEUE, "gone");
        write_all(d);
        assert_sent("open:2 look:used look:free look:gone ");
        answer(d, 0, 2);
        answer(d, 0, 0);
        refuse(d, AMQP_NOT_FOUND);
        assert_ended(d, "used:conflict gone:0/0 ");
        fake_forget();
        write_all(d);
        assert_sent("open:2 delete:free ");
        end(d);
}

static void late_and_cut_off(void **state)
{
        struct declarer *d = declarer_create();

        (void)state;
        give(d, COUNT_QUEUE, "sent");
        declarer_look_for(d, "looked", 7);
        write_all(d);
        /* the next connection repeats the requests, except the look of this connection */
        declarer_disconnected(d);
        fake_forget();
        write_all(d);
        assert_sent("open:2 look:sent ");
        give(d, COUNT_QUEUE, "waits");
        fake_now += LIMIT;
        declarer_expire(d, fake_now, false);
        assert_ended(d, "waits:unavailable ");
        fake_now += 30000;
        declarer_expire(d, fake_now, true); /* no answer can arrive now */
        assert_ended(d, "");
        declarer_expire(d, fake_now, false);
        /* its owner gets the result; the broker's answer may still come */
        assert_ended(d, ":unavailable ");
        answer(d, 1, 1);
        assert_ended(d, "");
        end(d);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_refusal_is_the_oldest_ones),
                cmocka_unit_test(deletes_what_nobody_uses),
                cmocka_unit_test(late_and_cut_off),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
