/* SPDX-License-Identifier: Apache-2.0
 *
 * router_io.c: writes what the parts have for the broker, waits for it or for callers, and passes
 * what it sends to the right part.
 */
#include <poll.h>
#include <unistd.h>

#include "common/amqp/router.h"
#include "common/amqp/router_parts.h"

#define POLL_MAX ((msec)60000)

enum { READ_BATCH = 4096 /* frames read before handed-over work is taken again */ };

/* The channel's unconfirmed publishes are lost; deliveries are not affected. */
static int on_publish_closed(struct router *r, const amqp_channel_close_t *why, struct err *e)
{
        bool by_publish = why->class_id == AMQP_BASIC_CLASS && why->method_id == 40;
        /* RESOURCE_ERROR: the broker's stream coordinator is not available. */
        bool stream_away = r->settings->stream != NULL && why->reply_code == AMQP_RESOURCE_ERROR;

        if (stream_away || (by_publish && !gate_is_open(r->gate)))
                return wire_refusal(why->reply_code, why->reply_text, e);
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

        (void)wire_refusal(why->reply_code, why->reply_text, &reason);
        subscriber_channel_closed(r->subscriber, channel, consuming, &reason);
        router_tell_down(r, &reason);
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
                return wire_refusal(close->reply_code, close->reply_text, e);
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

/* Reads one frame. 1: it was read; 0: no frame has come. */
static int read_frame(struct router *r, struct err *e)
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

static size_t bytes_held(const struct router *r)
{
        /* Deliveries that come during a drain are requeued at once. */
        return r->draining ? 0 : acker_bytes(r->acker);
}

/* Pauses or resumes reading. The time of the pause does not count for time limits. */
static void update_pause(struct router *r)
{
        msec now = clock_mono();
        msec paused_at = gate_update_pause(r->gate, bytes_held(r), now);

        if (paused_at == 0)
                return;
        publisher_skip_time(r->publisher, paused_at, now);
        declarer_skip_time(r->declarer, now - paused_at);
        gate_restart_wait(r->gate, now);
}

/* rabbitmq-c 0.11 reads within a publish, and may hang, when nothing was read for two heartbeats.
 * Over TLS, where it does the publishing, nothing is published while reading is paused. */
static bool may_publish(const struct router *r)
{
        return publisher_is_ready(r->publisher) && !r->blocked && gate_is_open(r->gate) &&
               !(gate_is_paused(r->gate) && channel_is_tls(r->channel));
}

static int write_batches(struct router *r, struct err *e)
{
        bool all = r->draining || gate_is_over_limit(r->gate, bytes_held(r));
        const char *queue;
        uint64_t id = 0;

        if (acker_write(r->acker, r->channel, all, e) < 0 ||
            subscriber_leave_pinned(r->subscriber, r->channel, e) < 0)
                return -1;
        update_pause(r);
        if (may_publish(r) && publisher_write(r->publisher, r->channel, clock_mono(), e) < 0)
                return -1;
        while ((queue = subscriber_next_look(r->subscriber, &id)) != NULL)
                declarer_look_for(r->declarer, queue, id);
        return declarer_write(r->declarer, r->channel, e);
}

static bool read_is_overdue(const struct router *r)
{
        return clock_mono() - r->read_at >= r->settings->heartbeat / 2;
}

static int read_batch(struct router *r, struct err *e)
{
        int result = 1;

        for (int i = 0; i < READ_BATCH && result > 0 && !gate_is_over_limit(r->gate, bytes_held(r));
             i++)
                result = read_frame(r, e);
        r->read_more = result > 0;
        r->read_at = clock_mono();
        return result < 0 ? -1 : 0;
}

int router_write(struct router *r, struct err *e)
{
        bool paused = gate_is_paused(r->gate);

        if (r->channel == NULL)
                return 0;
        /* rabbitmq-c 0.11 can hang in a publish when nothing was read for two heartbeats. */
        if (!paused && read_is_overdue(r) && read_batch(r, e) < 0)
                return -1;
        if (write_batches(r, e) < 0)
                return -1;
        if (paused && !gate_is_paused(r->gate))
                r->read_more = true;
        return 0;
}

/* More can be read without waiting. */
static bool has_input(const struct router *r)
{
        return r->channel != NULL && !gate_is_paused(r->gate) &&
               (r->read_more || channel_has_input(r->channel));
}

static bool has_output(const struct router *r)
{
        return r->channel != NULL && (declarer_has_work(r->declarer) || may_publish(r));
}

static msec next_deadline(const struct router *r, msec connect_at)
{
        msec deadline = parts_deadline(r);
        msec own = r->channel == NULL ? connect_at : r->read_at + r->settings->heartbeat / 2;

        return gate_is_paused(r->gate) || deadline < own ? deadline : own;
}

static int poll_timeout(struct router *r, msec connect_at)
{
        if (has_input(r) || has_output(r) || !handover_fall_asleep(r->handover))
                return 0;
        msec left = next_deadline(r, connect_at) - clock_mono();
        return left <= 0 ? 0 : left > POLL_MAX ? (int)POLL_MAX : (int)left;
}

int router_wait_and_read(struct router *r, msec connect_at, struct err *e)
{
        bool paused = gate_is_paused(r->gate);
        struct pollfd fds[2] = {
                {.fd = handover_wake_fd(r->handover), .events = POLLIN},
                {.fd = r->channel == NULL ? -1 : channel_fd(r->channel),
                 .events = paused ? 0 : POLLIN},
        };
        uint64_t count;

        poll(fds, 2, poll_timeout(r, connect_at));
        if ((fds[0].revents & POLLIN) != 0 && read(fds[0].fd, &count, sizeof(count)) < 0)
                count = 0;
        if (r->channel == NULL)
                return 0;
        if (paused)
                return (fds[1].revents & (POLLERR | POLLHUP)) == 0
                               ? 0
                               : err_set(e, ERR_UNAVAILABLE, "the connection broke");
        return has_input(r) || fds[1].revents != 0 || read_is_overdue(r) ? read_batch(r, e) : 0;
}
