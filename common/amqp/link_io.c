/* SPDX-License-Identifier: Apache-2.0
 *
 * link_io.c: writes what the parts have for the broker, waits for it or for callers, and passes
 * what it sends to the right part.
 */
#include <poll.h>
#include <unistd.h>

#include "common/amqp/link_parts.h"

#define POLL_MAX ((msec)60000)

enum { READ_BATCH = 4096 /* frames read before handed-over work is taken again */ };

/* The channel's unconfirmed publishes are lost; deliveries are not affected. */
static int on_publish_closed(struct link_thread *t, const amqp_channel_close_t *why, struct err *e)
{
        bool by_publish = why->class_id == AMQP_BASIC_CLASS && why->method_id == 40;
        /* RESOURCE_ERROR: the broker's stream coordinator is not available. */
        bool stream_away = t->settings->stream != NULL && why->reply_code == AMQP_RESOURCE_ERROR;

        if (stream_away || (by_publish && !gate_is_open(t->gate)))
                return wire_refusal(why->reply_code, why->reply_text, e);
        publisher_disconnected(t->publisher, by_publish);
        parts_report_ended(t);
        if (channel_closed(t->channel, PUBLISH_CHANNEL, e) < 0)
                return -1;
        return channel_open(t->channel, PUBLISH_CHANNEL, e);
}

/* The channel's deliveries can no longer be settled. */
static int on_delivery_closed(struct link_thread *t, uint16_t channel,
                              const amqp_channel_close_t *why, struct err *e)
{
        bool consuming = why->class_id == AMQP_BASIC_CLASS && why->method_id == 20;
        struct err reason = {0};

        (void)wire_refusal(why->reply_code, why->reply_text, &reason);
        subscriber_channel_closed(t->subscriber, channel, consuming, &reason);
        parts_tell_down(t, &reason);
        t->told_up = false;
        if (channel_closed(t->channel, channel, e) < 0)
                return -1;
        return subscriber_renew(t->subscriber, t->channel, false, e);
}

static int on_declare(struct link_thread *t, const amqp_method_t *m, struct err *e)
{
        int result = m->id == AMQP_CHANNEL_CLOSE_METHOD
                             ? declarer_refused(t->declarer, m->decoded, t->channel, e)
                             : declarer_answered(t->declarer, m, e);

        return result < 0 ? -1 : parts_answer_ended(t, e);
}

static int on_publishing(struct link_thread *t, const amqp_method_t *m, struct err *e)
{
        const amqp_basic_ack_t *ack = m->decoded;
        const amqp_basic_nack_t *nack = m->decoded;

        if (m->id == AMQP_CHANNEL_CLOSE_METHOD)
                return on_publish_closed(t, m->decoded, e);
        if (m->id == AMQP_BASIC_ACK_METHOD)
                publisher_confirm(t->publisher, ack->delivery_tag, ack->multiple, LINK_CONFIRMED);
        else if (m->id == AMQP_BASIC_NACK_METHOD)
                publisher_confirm(t->publisher, nack->delivery_tag, nack->multiple, LINK_NACKED);
        parts_report_ended(t);
        return 0;
}

static int on_delivering(struct link_thread *t, uint16_t channel, const amqp_method_t *m,
                         struct err *e)
{
        switch (m->id) {
        case AMQP_CHANNEL_CLOSE_METHOD:
                return on_delivery_closed(t, channel, m->decoded, e);
        case AMQP_BASIC_CONSUME_OK_METHOD:
                return subscriber_consumed(t->subscriber, channel,
                                           ((amqp_basic_consume_ok_t *)m->decoded)->consumer_tag,
                                           t->channel, e);
        case AMQP_BASIC_CANCEL_METHOD:
                subscriber_cancelled(t->subscriber,
                                     ((amqp_basic_cancel_t *)m->decoded)->consumer_tag);
                return 0;
        default:
                return 0; /* answers that carry nothing */
        }
}

static int on_connection(struct link_thread *t, const amqp_method_t *m, struct err *e)
{
        const amqp_connection_close_t *close = m->decoded;
        amqp_connection_close_ok_t ok = {0};

        switch (m->id) {
        case AMQP_CONNECTION_CLOSE_METHOD:
                if (channel_send(t->channel, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok, e) < 0)
                        return -1;
                return wire_refusal(close->reply_code, close->reply_text, e);
        case AMQP_CONNECTION_BLOCKED_METHOD:
                parts_set_blocked(t, true);
                return 0;
        case AMQP_CONNECTION_UNBLOCKED_METHOD:
                parts_set_blocked(t, false);
                return 0;
        default:
                return 0;
        }
}

static int on_method(struct link_thread *t, uint16_t channel, const amqp_method_t *m, struct err *e)
{
        if (channel == PUBLISH_CHANNEL)
                return on_publishing(t, m, e);
        if (channel == DECLARE_CHANNEL)
                return on_declare(t, m, e);
        return channel == 0 ? on_connection(t, m, e) : on_delivering(t, channel, m, e);
}

/* Reads one frame. 1: it was read; 0: no frame has come. */
static int read_frame(struct link_thread *t, struct err *e)
{
        struct channel_event event;
        int result = channel_read(t->channel, &event, e);

        if (result < 0 && event.unreadable != NULL)
                subscriber_pass_over(t->subscriber, event.unreadable, t->channel);
        if (result <= 0)
                return result;
        if (event.returned != NULL)
                publisher_return(t->publisher, event.returned);
        if (event.delivery != NULL)
                result = subscriber_deliver(t->subscriber, event.delivery, t->channel, e);
        if (event.method != NULL)
                result = on_method(t, event.channel, event.method, e);
        return result < 0 ? -1 : 1;
}

static size_t bytes_held(const struct link_thread *t)
{
        /* Deliveries that come during a drain are requeued at once. */
        return t->draining ? 0 : acker_bytes(t->acker);
}

/* Pauses or resumes reading. The time of the pause does not count for time limits. */
static void update_pause(struct link_thread *t)
{
        msec now = clock_mono();
        msec paused_at = gate_update_pause(t->gate, bytes_held(t), now);

        if (paused_at == 0)
                return;
        publisher_skip_time(t->publisher, paused_at, now);
        declarer_skip_time(t->declarer, now - paused_at);
        gate_restart_wait(t->gate, now);
        answers_restart_wait(t->answers, now);
}

/* rabbitmq-c 0.11 reads within a publish, and may hang, when nothing was read for two heartbeats.
 * Over TLS, where it does the publishing, nothing is published while reading is paused. */
static bool may_publish(const struct link_thread *t)
{
        return publisher_is_ready(t->publisher) && !t->blocked && gate_is_open(t->gate) &&
               !(gate_is_paused(t->gate) && channel_is_tls(t->channel));
}

static int write_batches(struct link_thread *t, struct err *e)
{
        bool all = t->draining || gate_is_over_limit(t->gate, bytes_held(t));
        const char *queue;
        uint64_t id = 0;

        if (acker_write(t->acker, t->channel, all, e) < 0 ||
            subscriber_leave_pinned(t->subscriber, t->channel, e) < 0)
                return -1;
        update_pause(t);
        if (may_publish(t) && publisher_write(t->publisher, t->channel, clock_mono(), e) < 0)
                return -1;
        while ((queue = subscriber_next_look(t->subscriber, &id)) != NULL)
                declarer_look_for(t->declarer, queue, id);
        return declarer_write(t->declarer, t->channel, e);
}

static bool read_is_overdue(const struct link_thread *t)
{
        return clock_mono() - t->read_at >= t->settings->heartbeat / 2;
}

/* A plain socket is read until rabbitmq-c has no more bytes of it: to read once more, only to learn
 * that nothing came, would cost two system calls. Over TLS, bytes may wait in OpenSSL. */
static bool has_more(const struct link_thread *t)
{
        return channel_is_tls(t->channel) || channel_has_input(t->channel);
}

static int read_batch(struct link_thread *t, struct err *e)
{
        int result = 0;
        bool more = true;

        for (int i = 0; i < READ_BATCH && more && !gate_is_over_limit(t->gate, bytes_held(t));
             i++) {
                result = read_frame(t, e);
                more = result > 0 && has_more(t);
        }
        t->read_more = more;
        t->read_at = clock_mono();
        return result < 0 ? -1 : 0;
}

int link_io_write(struct link_thread *t, struct err *e)
{
        bool paused = gate_is_paused(t->gate);

        if (t->channel == NULL)
                return 0;
        /* rabbitmq-c 0.11 can hang in a publish when nothing was read for two heartbeats. */
        if (!paused && read_is_overdue(t) && read_batch(t, e) < 0)
                return -1;
        if (write_batches(t, e) < 0)
                return -1;
        if (paused && !gate_is_paused(t->gate))
                t->read_more = true;
        return 0;
}

/* More can be read without waiting. */
static bool has_input(const struct link_thread *t)
{
        return t->channel != NULL && !gate_is_paused(t->gate) &&
               (t->read_more || channel_has_input(t->channel));
}

static bool has_output(const struct link_thread *t)
{
        return t->channel != NULL && (declarer_has_work(t->declarer) || may_publish(t));
}

static int poll_timeout(struct link_thread *t, msec deadline)
{
        if (has_input(t) || has_output(t) || !handover_fall_asleep(t->handover))
                return 0;
        msec left = deadline - clock_mono();
        return left <= 0 ? 0 : left > POLL_MAX ? (int)POLL_MAX : (int)left;
}

int link_io_wait(struct link_thread *t, msec deadline, struct err *e)
{
        bool paused = gate_is_paused(t->gate);
        struct pollfd fds[2] = {
                {.fd = handover_wake_fd(t->handover), .events = POLLIN},
                {.fd = t->channel == NULL ? -1 : channel_fd(t->channel),
                 .events = paused ? 0 : POLLIN},
        };
        uint64_t count;

        poll(fds, 2, poll_timeout(t, deadline));
        if ((fds[0].revents & POLLIN) != 0 && read(fds[0].fd, &count, sizeof(count)) < 0)
                count = 0;
        if (t->channel == NULL)
                return 0;
        if (paused)
                return (fds[1].revents & (POLLERR | POLLHUP)) == 0
                               ? 0
                               : err_set(e, ERR_UNAVAILABLE, "the connection broke");
        return has_input(t) || fds[1].revents != 0 || read_is_overdue(t) ? read_batch(t, e) : 0;
}
