/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_channel.c: channel.h without a broker.
 */
#include "tests/unit/fake_channel.h"

#include <string.h>

#include "common/base/bytes.h"
#include "tests/unit/unit.h"

static int nothing;
struct channel *const fake_channel = (struct channel *)&nothing;
msec fake_now = 1000000;

static struct buffer sent;

msec __wrap_clock_mono(void);
msec __wrap_clock_mono(void)
{
        return fake_now;
}

void fake_assert_sent(const char *want, const char *file, int line)
{
        const char *got = sent.length == 0 ? "" : sent.data;

        _assert_string_equal(got, want, file, line);
        fake_forget();
}

void fake_forget(void)
{
        buffer_fini(&sent);
}

unsigned fake_count(const char *word)
{
        unsigned count = 0;

        for (const char *at = sent.length == 0 ? "" : sent.data; (at = strstr(at, word)) != NULL;
             at++)
                count++;
        return count;
}

static int method(uint16_t channel, amqp_method_number_t id, const void *m)
{
        const amqp_basic_consume_t *consume = m;
        const amqp_basic_cancel_t *cancel = m;
        const amqp_queue_declare_t *declare = m;
        const amqp_queue_delete_t *delete_queue = m;

        switch (id) {
        case AMQP_BASIC_CONSUME_METHOD:
                buffer_printf(&sent, "consume:%d:%.*s ", channel, (int)consume->consumer_tag.len,
                              (const char *)consume->consumer_tag.bytes);
                break;
        case AMQP_BASIC_CANCEL_METHOD:
                buffer_printf(&sent, "cancel:%d:%.*s ", channel, (int)cancel->consumer_tag.len,
                              (const char *)cancel->consumer_tag.bytes);
                break;
        case AMQP_QUEUE_DECLARE_METHOD:
                buffer_printf(&sent, "%s:%.*s ", declare->passive ? "look" : "declare",
                              (int)declare->queue.len, (const char *)declare->queue.bytes);
                break;
        case AMQP_QUEUE_DELETE_METHOD:
                buffer_printf(&sent, "delete:%.*s ", (int)delete_queue->queue.len,
                              (const char *)delete_queue->queue.bytes);
                break;
        case AMQP_BASIC_QOS_METHOD:
                break;
        default:
                buffer_printf(&sent, "method:%d:%08x ", channel, id);
        }
        return 0;
}

int channel_send(struct channel *ch, uint16_t channel, amqp_method_number_t id, void *m,
                 struct err *e)
{
        assert_ptr_equal(ch, fake_channel);
        (void)e;
        return method(channel, id, m);
}

int channel_open(struct channel *ch, uint16_t channel, struct err *e)
{
        assert_ptr_equal(ch, fake_channel);
        (void)e;
        buffer_printf(&sent, "open:%d ", channel);
        return 0;
}

int channel_closed(struct channel *ch, uint16_t channel, struct err *e)
{
        assert_ptr_equal(ch, fake_channel);
        (void)e;
        buffer_printf(&sent, "close-ok:%d ", channel);
        return 0;
}

int channel_ack(struct channel *ch, const struct incoming *in, bool multiple, struct err *e)
{
        assert_ptr_equal(ch, fake_channel);
        (void)e;
        buffer_printf(&sent, "ack:%d:%d%s ", in->channel, (int)in->tag, multiple ? "+" : "");
        return 0;
}

int channel_requeue(struct channel *ch, const struct incoming *in, struct err *e)
{
        assert_ptr_equal(ch, fake_channel);
        (void)e;
        buffer_printf(&sent, "requeue:%d:%d ", in->channel, (int)in->tag);
        return 0;
}

int channel_reject(struct channel *ch, const struct incoming *in, struct err *e)
{
        assert_ptr_equal(ch, fake_channel);
        (void)e;
        buffer_printf(&sent, "reject:%d:%d ", in->channel, (int)in->tag);
        return 0;
}

int channel_refuse(struct channel *ch, const struct unreadable *u, struct err *e)
{
        assert_ptr_equal(ch, fake_channel);
        (void)e;
        buffer_printf(&sent, "refuse:%d:%d ", u->channel, (int)u->tag);
        return 0;
}

void channel_begin(struct channel *ch)
{
        assert_ptr_equal(ch, fake_channel);
}

int channel_publish(struct channel *ch, const struct outgoing *o, struct err *e)
{
        assert_ptr_equal(ch, fake_channel);
        (void)e;
        buffer_printf(&sent, "publish:%.*s%s ", (int)o->properties.message_id.len,
                      (const char *)o->properties.message_id.bytes, o->again ? ":again" : "");
        return 0;
}

int channel_flush(struct channel *ch, struct err *e)
{
        assert_ptr_equal(ch, fake_channel);
        (void)e;
        return 0;
}
