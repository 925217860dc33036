/* SPDX-License-Identifier: Apache-2.0
 *
 * publisher_test.c: the results of publishes that are confirmed, returned, refused, late or cut
 * off.
 */
#include "common/amqp/publisher.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/own.h"
#include "tests/unit/fake_channel.h"
#include "tests/unit/unit.h"

#define TIMEOUT ((msec)5000)

static void give(struct publisher *p, const char *id)
{
        struct node_list list = {0};
        struct err e = {0};
        const struct message m = {.exchange = bytes_of_text("e"),
                                  .routing_key = bytes_of_text("k"),
                                  .message_id = bytes_of_text(id),
                                  .mandatory = true,
                                  .body = bytes_of_text(id)};
        struct outgoing *o = outgoing_create(&m, "login", &e);

        assert_non_null(o);
        node_list_add(&list, &o->notice.node);
        publisher_take(p, &list, fake_now);
}

static void write_all(struct publisher *p)
{
        struct err e = {0};

        assert_int_equal(publisher_write(p, fake_channel, fake_now, &e), 0);
}

/* "a:confirmed b:returned " */
static void assert_ended(struct publisher *p, const char *want)
{
        static const char *const words[] = {
                [LINK_CONFIRMED] = "confirmed", [LINK_RETURNED] = "returned",
                [LINK_NACKED] = "nacked",       [LINK_EXPIRED] = "expired",
                [LINK_CLOSED] = "closed",
        };
        AUTO_BUFFER got = {0};
        struct outgoing *o;

        buffer_add_text(&got, "");
        while ((o = publisher_take_ended(p)) != NULL) {
                buffer_printf(&got, "%.*s:%s ", (int)o->body.len, (const char *)o->body.bytes,
                              words[o->result]);
                free(o);
        }
        assert_string_equal(got.length == 0 ? "" : got.data, want);
}

static void end(struct publisher *p)
{
        struct outgoing *o;

        publisher_end(p);
        while ((o = publisher_take_ended(p)) != NULL)
                free(o);
        publisher_destroy(&p);
        fake_forget();
}

static void confirms(void **state)
{
        struct publisher *p = publisher_create(false, TIMEOUT);
        struct returned r;

        (void)state;
        for (const char *id = "a\0b\0c\0d\0e\0"; *id != '\0'; id += 2)
                give(p, id);
        write_all(p);
        assert_sent("publish:a publish:b publish:c publish:d publish:e ");
        publisher_confirm(p, 2, false, LINK_CONFIRMED);
        assert_ended(p, "b:confirmed ");
        publisher_confirm(p, 2, false, LINK_CONFIRMED);
        publisher_confirm(p, 9, false, LINK_CONFIRMED);
        assert_ended(p, "");
        r = (struct returned){.exchange = wire_text("e"),
                              .routing_key = wire_text("k"),
                              .message_id = wire_text("c"),
                              .body = wire_text("c")};
        publisher_return(p, &r);
        publisher_confirm(p, 3, true, LINK_CONFIRMED);
        assert_ended(p, "a:confirmed c:returned ");
        publisher_confirm(p, 4, false, LINK_NACKED);
        assert_ended(p, "d:nacked ");
        assert_false(publisher_is_idle(p));
        publisher_confirm(p, 0, true, LINK_CONFIRMED);
        assert_ended(p, "e:confirmed ");
        assert_true(publisher_is_idle(p));
        end(p);
}

static void cut_off(void **state)
{
        (void)state;
        struct publisher *p = publisher_create(false, TIMEOUT);
        give(p, "a");
        write_all(p);
        give(p, "b");
        publisher_disconnected(p, false);
        assert_ended(p, "a:closed b:closed ");
        end(p);

        p = publisher_create(true, TIMEOUT);
        give(p, "a");
        write_all(p);
        give(p, "b");
        publisher_disconnected(p, false);
        assert_ended(p, "");
        write_all(p);
        assert_sent("publish:a publish:a:again publish:b ");
        end(p);
}

/* The broker closes the channel without saying which publish caused it. */
static void finds_the_refused_one(void **state)
{
        struct publisher *p = publisher_create(true, TIMEOUT);

        (void)state;
        give(p, "a");
        give(p, "bad");
        give(p, "c");
        write_all(p);
        publisher_disconnected(p, true);
        fake_forget();
        write_all(p);
        assert_sent("publish:a:again ");
        assert_false(publisher_is_ready(p));
        publisher_confirm(p, 1, false, LINK_CONFIRMED);
        write_all(p);
        assert_sent("publish:bad:again ");
        publisher_disconnected(p, true);
        assert_ended(p, "a:confirmed bad:returned ");
        write_all(p);
        assert_sent("publish:c:again ");
        end(p);
}

static void expires(void **state)
{
        struct publisher *p = publisher_create(false, TIMEOUT);

        (void)state;
        assert_int_equal(publisher_deadline(p), 0);
        give(p, "a");
        write_all(p);
        fake_now += 1000;
        give(p, "waits");
        assert_int_equal(publisher_deadline(p), fake_now - 1000 + TIMEOUT);
        fake_now += TIMEOUT - 1000;
        publisher_expire(p, fake_now);
        assert_ended(p, "a:expired ");
        publisher_confirm(p, 1, false, LINK_CONFIRMED); /* too late */
        publisher_skip_time(p, fake_now - 500, fake_now);
        fake_now += 1000;
        publisher_expire(p, fake_now);
        assert_ended(p, "");
        fake_now += 500;
        publisher_expire(p, fake_now);
        assert_ended(p, "waits:expired ");
        end(p);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(confirms),
                cmocka_unit_test(cut_off),
                cmocka_unit_test(finds_the_refused_one),
                cmocka_unit_test(expires),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
