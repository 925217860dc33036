/* SPDX-License-Identifier: Apache-2.0
 *
 * router_events.c: passes what the broker sends to the right part.
 */
#include "common/amqp/router.h"
#include "common/amqp/router_parts.h"

/* The channel's unconfirmed publishes are lost; deliveries are not affected. */
static int on_publish_closed(struct router *r, const amqp_channel_close_t *why, struct err *e)
{
        bool by_publish = why->class_id == AMQP_BASIC_CLASS && why->method_id == 40;
        /* RESOURCE_ERROR: the broker's stream coordinator is not available. */
        bool stream_away = r->settings->stream != NULL && why->reply_code == AMQP_RESOURCE_ERROR;

        if (stream_away || (by_publish && !gate_is_open(r->gate)))
                return err_set(e, wire_reply_code(why->reply_code), "%.*s",
                               (int)why->reply_text.len, (const char *)why->reply_text.bytes);
        publisher_disconnected(r->publisher, by_publish);
        parts_report_ended(r);
        if (channel_closed(r->channel, PUBLISH_CHANNEL, e) < 0)
                return -1;
        return channel_open_confirmed(r->channel, PUBLISH_CHANNEL, e);
}

/* The channel's deliveries can no longer be settled. */
static int on_delivery_closed(struct router *r, uint16_t channel, const amqp_channel_close_t *why,
                              struct err *e)
{
        bool consuming = why->class_id == AMQP_BASIC_CLASS && why->method_id == 20;
        struct err reason = {0};

        err_set(&reason, wire_reply_code(why->reply_code), "%.*s", (int)why->reply_text.len,
                (const char *)why->reply_text.bytes);
        subscriber_channel_closed(r->subscriber, channel, consuming, &reason);
        parts_tell_down(r, &reason);
        r->told_up = false;
        if (channel_closed(r->channel, channel, e) < 0)
                return -1;
        return subscriber_renew(r->subscriber, r->channel, false, e);
}

static int on_declare(struct router *r, const amqp_method_t *m, struct err *e)
{
        int result = m->id == AMQP_CHANNEL_CLOSE_METHOD
                             ? declarer_refused(r->declarer, m->decoded, r->channel, e)
                             : declarer_answered(r->declarer, m, e);

        return result < 0 ? -1 : parts_answer_ended(r, e);
}

static int on_publishing(struct router *r, const amqp_method_t *m, struct err *e)
{
        const amqp_basic_ack_t *ack = m->decoded;
        const amqp_basic_nack_t *nack = m->decoded;

        if (m->id == AMQP_CHANNEL_CLOSE_METHOD)
                return on_publish_closed(r, m->decoded, e);
        if (m->id == AMQP_BASIC_ACK_METHOD)
                publisher_confirm(r->publisher, ack->delivery_tag, ack->multiple, LINK_CONFIRMED);
        else if (m->id == AMQP_BASIC_NACK_METHOD)
                publisher_confirm(r->publisher, nack->delivery_tag, nack->multiple, LINK_NACKED);
        parts_report_ended(r);
        return 0;
}

static int on_delivering(struct router *r, uint16_t channel, const amqp_method_t *m, struct err *e)
{
        switch (m->id) {
        case AMQP_CHANNEL_CLOSE_METHOD:
                return on_delivery_closed(r, channel, m->decoded, e);
        case AMQP_BASIC_CONSUME_OK_METHOD:
                subscriber_consumed(r->subscriber, channel,
                                    ((amqp_basic_consume_ok_t *)m->decoded)->consumer_tag);
                return 0;
        case AMQP_BASIC_CANCEL_METHOD:
                subscriber_cancelled(r->subscriber,
                                     ((amqp_basic_cancel_t *)m->decoded)->consumer_tag);
                return 0;
        default:
                return 0; /* answers that carry nothing */
        }
}

static int on_connection(struct router *r, const amqp_method_t *m, struct err *e)
{
        const amqp_connection_close_t *close = m->decoded;
        amqp_connection_close_ok_t ok = {0};

        switch (m->id) {
        case AMQP_CONNECTION_CLOSE_METHOD:
                if (channel_send(r->channel, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok, e) < 0)
                        return -1;
                return err_set(e, wire_reply_code(close->reply_code), "%.*s",
                               (int)close->reply_text.len, (const char *)close->reply_text.bytes);
        case AMQP_CONNECTION_BLOCKED_METHOD:
                parts_set_blocked(r, true);
                return 0;
        case AMQP_CONNECTION_UNBLOCKED_METHOD:
                parts_set_blocked(r, false);
                return 0;
        default:
                return 0;
        }
}

static int on_method(struct router *r, uint16_t channel, const amqp_method_t *m, struct err *e)
{
        if (channel == PUBLISH_CHANNEL)
                return on_publishing(r, m, e);
        if (channel == DECLARE_CHANNEL)
                return on_declare(r, m, e);
        return channel == 0 ? on_connection(r, m, e) : on_delivering(r, channel, m, e);
}

int router_read(struct router *r, struct err *e)
{
        struct channel_event event;
        int result = channel_read(r->channel, &event, e);

        if (result < 0 && event.unreadable != NULL)
                subscriber_pass_over(r->subscriber, event.unreadable, r->channel);
        if (result <= 0)
                return result;
        if (event.returned != NULL)
                publisher_return(r->publisher, event.returned);
        if (event.delivery != NULL)
                result = subscriber_deliver(r->subscriber, event.delivery, r->channel, e);
        if (event.method != NULL)
                result = on_method(r, event.channel, event.method, e);
        return result < 0 ? -1 : 1;
}
