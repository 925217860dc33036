/* SPDX-License-Identifier: Apache-2.0
 *
 * subscriber_rig.h: a subscriber on a channel that records what is sent.
 */
#pragma once

#include "common/amqp/subscriber.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "tests/unit/fake_channel.h"
#include "tests/unit/unit.h"

static atomic_ullong live[DELIVERY_CHANNELS];
static struct acker *acker;
static struct answers *answers;

static inline struct subscriber *create(bool renew_when_told)
{
        acker = acker_create();
        answers = answers_create();
        return subscriber_create(acker, answers, live, renew_when_told);
}

static inline void write_acks(struct subscriber *s, bool all)
{
        struct err e = {0};

        assert_int_equal(acker_write(acker, fake_channel, all, &e), 0);
        assert_int_equal(subscriber_leave_pinned(s, fake_channel, &e), 0);
}

static inline struct subscription *subscription(uint64_t id, const char *queue)
{
        struct subscription *sub = xcalloc(1, sizeof(*sub));

        sub->id = id;
        sub->queue = xstrdup(queue);
        sub->source = (struct source){.queue = sub->queue, .prefetch = 16};
        return sub;
}

static inline void forget(struct subscription *sub)
{
        free(sub->queue);
        free(sub);
}

static inline void subscribe(struct subscriber *s, struct subscription *sub)
{
        struct err e = {0};

        assert_int_equal(subscriber_subscribe(s, sub, fake_channel, &e), 0);
}

/* Answers every look with `why`, and asserts which queues were looked up; "": none. */
static inline void answer_looks(struct subscriber *s, const struct err *why, const char *want)
{
        AUTO_BUFFER looked = {0};
        struct err e = {0};
        const char *queue;
        uint64_t id;

        buffer_add_text(&looked, " ");
        while ((queue = subscriber_next_look(s, &id)) != NULL) {
                buffer_printf(&looked, "%s ", queue);
                assert_int_equal(subscriber_found(s, id, why, fake_channel, &e), 0);
        }
        assert_string_equal(looked.data + 1, want);
}

static inline void consumed(struct subscriber *s, uint16_t channel, const char *tag)
{
        struct err e = {0};

        assert_int_equal(subscriber_consumed(s, channel, amqp_cstring_bytes(tag), fake_channel, &e),
                         0);
}

static inline int deliver(struct subscriber *s, uint16_t channel, uint64_t number, const char *tag)
{
        struct incoming *in = xcalloc(1, sizeof(*in));
        struct err e = {0};

        in->channel = channel;
        in->tag = number;
        in->size = 1;
        snprintf(in->consumer_tag, sizeof(in->consumer_tag), "%s", tag);
        return subscriber_deliver(s, in, fake_channel, &e);
}

/* Takes all notices and returns how many are of that kind. Deliveries are settled, plain notices
 * freed. */
static inline int take_notices(struct subscriber *s, enum notice_kind kind)
{
        struct node_list notices = {0}, settled = {0};
        struct err e = {0};
        int count = 0;

        subscriber_take_notices(s, &notices);
        for (struct node *n; (n = node_list_take(&notices)) != NULL;) {
                struct notice *notice = (struct notice *)n;
                count += notice->kind == kind;
                if (notice->kind == NOTICE_DELIVERY)
                        node_list_add(&settled, n);
                else
                        free(n);
        }
        assert_int_equal(acker_take(acker, &settled, fake_channel, &e), 0);
        return count;
}

static inline void end(struct subscriber *s, struct subscription *sub, struct subscription *other)
{
        take_notices(s, NOTICE_GONE);
        subscriber_disconnected(s);
        subscriber_destroy(&s);
        acker_destroy(&acker);
        answers_destroy(&answers);
        forget(sub);
        if (other != NULL)
                forget(other);
        fake_forget();
}
