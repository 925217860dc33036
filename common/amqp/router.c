/* SPDX-License-Identifier: Apache-2.0
 *
 * router.c: calls the parts of a link.
 */
#include "common/amqp/router.h"

#include <stdlib.h>

#include "common/amqp/router_parts.h"
#include "common/base/memory.h"
#include "common/base/own.h"

void router_tell_down(struct router *r, const struct err *why)
{
        parts_tell_down(r, why);
}

struct router *router_create(const struct link_settings *s, struct handover *h)
{
        struct router *r = xcalloc(1, sizeof(*r));

        r->settings = s;
        r->handover = h;
        r->publisher = publisher_create(s->resend, s->confirm_timeout);
        r->subscriber = subscriber_create(handover_live(h), s->renew_when_told);
        r->declarer = declarer_create();
        r->gate = gate_create(s->unprobed ? NULL : s->stream, s->read_bytes, s->heartbeat);
        return r;
}

void router_destroy(struct router **router)
{
        struct router *r = TAKE(*router);

        if (r == NULL)
                return;
        publisher_destroy(&r->publisher);
        subscriber_destroy(&r->subscriber);
        declarer_destroy(&r->declarer);
        gate_destroy(&r->gate);
        free(r);
}

bool router_is_connected(const struct router *r)
{
        return r->channel != NULL;
}

bool router_is_open(const struct router *r)
{
        return gate_is_open(r->gate);
}

/* Notices of refused subscriptions come before `up`. */
static void tell_up(struct router *r)
{
        subscriber_take_notices(r->subscriber, &r->notices);
        if (r->told_up || r->channel == NULL || !gate_is_open(r->gate) ||
            !subscriber_is_renewed(r->subscriber))
                return;
        r->told_up = true;
        notice_add(&r->notices, NOTICE_UP)->epoch = r->connection;
}

void router_hand_over(struct router *r)
{
        tell_up(r);
        handover_give(r->handover, &r->notices);
}

static bool opened(void *owner, int fd)
{
        struct router *r = owner;

        return handover_set_socket(r->handover, fd);
}

int router_connect(struct router *r, const struct address *a, struct err *e)
{
        const struct link_settings *s = r->settings;
        const struct login login = {
                .login = s->login,
                .password = s->password,
                .name = s->name,
                .ca_file = s->ca_file,
                .heartbeat = s->heartbeat,
                .opened = opened,
                .owner = r,
        };

        r->channel = channel_create(a, &login, e);
        if (r->channel == NULL)
                return -1;
        r->connection++;
        r->told_up = false;
        gate_connected(r->gate, clock_mono());
        parts_tell_state(r);
        if (channel_open_confirmed(r->channel, PUBLISH_CHANNEL, e) < 0)
                return -1;
        return subscriber_renew(r->subscriber, r->channel, false, e);
}

static int follow(struct router *r, const struct order *o, struct err *e)
{
        switch (o->kind) {
        case ORDER_SUBSCRIBE:
                return subscriber_subscribe(r->subscriber, o->subscription, r->channel, e);
        case ORDER_UNSUBSCRIBE:
                return subscriber_unsubscribe(r->subscriber, o->subscription, r->channel, e);
        case ORDER_CONSUME:
                return subscriber_consume(r->subscriber, o, r->channel, e);
        case ORDER_RENEW:
                if (r->channel == NULL || o->epoch != r->connection)
                        return 0;
                return subscriber_renew(r->subscriber, r->channel, true, e);
        case ORDER_DRAIN:
                r->draining = true;
                r->drain_deadline = clock_mono() + o->limit;
                return subscriber_drain(r->subscriber, r->channel, e);
        }
        return 0;
}

int router_take(struct router *r, struct handed_over *work, struct err *e)
{
        struct err more = {0};
        int result = 0;

        if (work->publishes.first != NULL)
                publisher_take(r->publisher, &work->publishes, clock_mono());
        declarer_take(r->declarer, &work->requests);
        for (struct node *n; (n = node_list_take(&work->orders)) != NULL;) {
                AUTO_FREE struct order *o = (struct order *)n;
                /* Also after a failure: the parts must know of every order. */
                if (follow(r, o, result == 0 ? e : &more) < 0)
                        result = -1;
        }
        if (subscriber_settle(r->subscriber, &work->settles, r->channel, result == 0 ? e : &more) <
            0)
                result = -1;
        return result;
}

void router_disconnect(struct router *r, const struct err *why)
{
        struct err none = {0};

        (void)handover_set_socket(r->handover, -1);
        channel_destroy(&r->channel);
        gate_disconnected(r->gate);
        parts_tell_state(r);
        subscriber_disconnected(r->subscriber);
        declarer_disconnected(r->declarer);
        struct handed_over late = handover_take(r->handover);
        int ignored = router_take(r, &late, &none); /* nothing can be written */
        (void)ignored;
        publisher_disconnected(r->publisher, false);
        parts_report_ended(r);
        parts_set_blocked(r, false);
        parts_tell_down(r, why);
}

static size_t bytes_held(const struct router *r)
{
        /* Deliveries that come during a drain are requeued at once. */
        return r->draining ? 0 : subscriber_bytes(r->subscriber);
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

int router_write(struct router *r, struct err *e)
{
        bool all = r->draining || gate_is_over_limit(r->gate, bytes_held(r));
        const char *queue;
        uint64_t id = 0;

        if (subscriber_write(r->subscriber, r->channel, all, e) < 0)
                return -1;
        update_pause(r);
        if (may_publish(r) && publisher_write(r->publisher, r->channel, clock_mono(), e) < 0)
                return -1;
        while ((queue = subscriber_next_look(r->subscriber, &id)) != NULL)
                declarer_look_for(r->declarer, queue, id);
        return declarer_write(r->declarer, r->channel, e);
}

int router_keep_time(struct router *r, struct err *e)
{
        bool paused = gate_is_paused(r->gate);
        msec now = clock_mono();
        struct err why = {0};

        if (!paused && !(r->settings->resend && r->blocked))
                publisher_expire(r->publisher, now);
        parts_report_ended(r);
        declarer_expire(r->declarer, now, paused);
        if (parts_answer_ended(r, e) < 0)
                return -1;
        if (r->channel == NULL)
                return 0;
        if (paused && gate_beat_is_due(r->gate, now) && channel_beat(r->channel, e) < 0)
                return -1;
        if (parts_take_step(r, gate_step(r->gate, now, r->blocked, &why), &why, e) < 0)
                return -1;
        return subscriber_retry(r->subscriber, now, r->channel, e);
}

bool router_may_read(const struct router *r)
{
        return !gate_is_over_limit(r->gate, bytes_held(r));
}

bool router_is_paused(const struct router *r)
{
        return gate_is_paused(r->gate);
}

void router_end_drain(struct router *r)
{
        if (!r->draining || r->drain_deadline == 0)
                return;
        bool clean = publisher_is_idle(r->publisher);
        if (!clean && clock_mono() < r->drain_deadline)
                return;
        r->drain_deadline = 0;
        subscriber_take_notices(r->subscriber, &r->notices);
        notice_add(&r->notices, NOTICE_DRAINED)->clean = clean;
}

static void sooner(msec *deadline, msec other)
{
        if (other != 0 && other < *deadline)
                *deadline = other;
}

msec router_deadline(const struct router *r)
{
        bool paused = gate_is_paused(r->gate);
        msec deadline = INT64_MAX;

        if (!paused && !(r->settings->resend && r->blocked))
                sooner(&deadline, publisher_deadline(r->publisher));
        sooner(&deadline, declarer_deadline(r->declarer, paused));
        sooner(&deadline, r->drain_deadline);
        if (r->channel == NULL)
                return deadline;
        sooner(&deadline, subscriber_retry_at(r->subscriber));
        sooner(&deadline, subscriber_ack_deadline(r->subscriber));
        sooner(&deadline, gate_deadline(r->gate, r->blocked));
        if (paused)
                sooner(&deadline, gate_beat_at(r->gate));
        return deadline;
}

bool router_has_input(const struct router *r)
{
        return r->channel != NULL && !gate_is_paused(r->gate) && channel_has_input(r->channel);
}

bool router_has_output(const struct router *r)
{
        return r->channel != NULL && (declarer_has_work(r->declarer) || may_publish(r));
}

int router_fd(const struct router *r)
{
        return r->channel == NULL ? -1 : channel_fd(r->channel);
}

void router_end(struct router *r, bool orderly)
{
        struct err none = {0};

        if (orderly && r->channel != NULL && !r->blocked &&
            subscriber_write(r->subscriber, r->channel, true, &none) == 0)
                channel_close(&r->channel);
        (void)handover_set_socket(r->handover, -1);
        channel_destroy(&r->channel);
        gate_disconnected(r->gate);
        parts_tell_state(r);
        subscriber_disconnected(r->subscriber);
        publisher_end(r->publisher);
        parts_report_ended(r);
        declarer_end(r->declarer);
        while (parts_answer_ended(r, &none) < 0)
                ;
        router_hand_over(r);
}
