/* SPDX-License-Identifier: Apache-2.0
 *
 * link_thread.c: in each round the thread takes what was handed over, writes, waits for the socket
 * or for its callers, reads, and hands notices back.
 */
#include "common/amqp/link_thread.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/amqp/jitter.h"
#include "common/amqp/link_parts.h"
#include "common/base/memory.h"
#include "common/base/own.h"

#define STOP_LIMIT ((msec)2000)
#define BACKOFF_MIN ((msec)100)
#define BACKOFF_MAX ((msec)5000)
#define STREAM_BACKOFF ((msec)2000) /* after a connection whose stream was not there */

enum {
        /* rabbitmq-c decodes nested tables by recursion; a hostile publisher can nest 26 000 arrays
         * in one frame. */
        STACK_SIZE = 64 * 1024 * 1024,
};

/* Notices of refused subscriptions come before `up`. */
static void tell_up(struct link_thread *t)
{
        subscriber_take_notices(t->subscriber, &t->notices);
        if (t->told_up || t->channel == NULL || !gate_is_open(t->gate) ||
            !subscriber_is_renewed(t->subscriber))
                return;
        t->told_up = true;
        notice_add(&t->notices, NOTICE_UP)->epoch = t->connection;
}

static void hand_over(struct link_thread *t)
{
        tell_up(t);
        handover_give(t->handover, &t->notices);
}

static bool opened(void *owner, int fd)
{
        struct link_thread *t = owner;

        return handover_set_socket(t->handover, fd);
}

static int connect_to(struct link_thread *t, const struct address *a, struct err *e)
{
        const struct login login = {.settings = t->settings, .opened = opened, .owner = t};

        t->channel = channel_create(a, &login, e);
        if (t->channel == NULL)
                return -1;
        t->connection++;
        t->told_up = false;
        t->read_at = clock_mono();
        t->read_more = true;
        gate_connected(t->gate, t->read_at);
        parts_tell_state(t);
        if (channel_open(t->channel, PUBLISH_CHANNEL, e) < 0)
                return -1;
        return subscriber_renew(t->subscriber, t->channel, false, e);
}

static int follow(struct link_thread *t, const struct order *o, struct err *e)
{
        switch (o->kind) {
        case ORDER_SUBSCRIBE:
                return subscriber_subscribe(t->subscriber, o->subscription, t->channel, e);
        case ORDER_UNSUBSCRIBE:
                return subscriber_unsubscribe(t->subscriber, o->subscription, t->channel, e);
        case ORDER_CONSUME:
                return subscriber_consume(t->subscriber, o, t->channel, e);
        case ORDER_RENEW:
                if (t->channel == NULL || o->epoch != t->connection)
                        return 0;
                return subscriber_renew(t->subscriber, t->channel, true, e);
        case ORDER_DRAIN:
                t->draining = true;
                t->drain_deadline = clock_mono() + o->limit;
                return subscriber_drain(t->subscriber, t->channel, e);
        }
        return 0;
}

/* Takes what was handed over, also while not connected. */
static int take(struct link_thread *t, struct handed_over *work, struct err *e)
{
        struct err more = {0};
        int result = 0;

        if (work->publishes.first != NULL)
                publisher_take(t->publisher, &work->publishes, clock_mono());
        declarer_take(t->declarer, &work->requests);
        for (struct node *n; (n = node_list_take(&work->orders)) != NULL;) {
                AUTO_FREE struct order *o = (struct order *)n;
                /* Also after a failure: the parts must know of every order. */
                if (follow(t, o, result == 0 ? e : &more) < 0)
                        result = -1;
        }
        if (acker_take(t->acker, &work->settles, t->channel, result == 0 ? e : &more) < 0)
                result = -1;
        return result;
}

/* Also takes the work handed over so far: it counts as of the ended connection. */
static void disconnect(struct link_thread *t, const struct err *why)
{
        struct err none = {0};

        (void)handover_set_socket(t->handover, -1);
        channel_destroy(&t->channel);
        gate_disconnected(t->gate);
        parts_tell_state(t);
        subscriber_disconnected(t->subscriber);
        declarer_disconnected(t->declarer);
        struct handed_over late = handover_take(t->handover);
        int ignored = take(t, &late, &none); /* nothing can be written */
        (void)ignored;
        publisher_disconnected(t->publisher, false);
        parts_report_ended(t);
        parts_set_blocked(t, false);
        parts_tell_down(t, why);
}

static void retry_later(struct link_thread *t)
{
        t->connect_at = clock_mono() + jittered(t->backoff);
        t->address = (t->address + 1) % t->settings->addresses.count;
        if (t->address != 0)
                return;
        t->backoff *= 2;
        if (t->backoff > BACKOFF_MAX)
                t->backoff = BACKOFF_MAX;
}

static void go_down(struct link_thread *t, const struct err *why)
{
        msec wait = gate_is_open(t->gate) ? BACKOFF_MIN : STREAM_BACKOFF;

        disconnect(t, why);
        t->told_down = true;
        t->connect_at = clock_mono() + jittered(wait);
        t->backoff = BACKOFF_MIN;
}

static void connect_when_due(struct link_thread *t)
{
        struct err why = {0};

        if (t->channel != NULL || clock_mono() < t->connect_at)
                return;
        if (connect_to(t, &t->settings->addresses.addresses[t->address], &why) == 0) {
                t->told_down = false;
        } else if (t->channel != NULL) {
                go_down(t, &why);
        } else {
                if (!t->told_down)
                        parts_tell_down(t, &why);
                t->told_down = true;
                retry_later(t);
        }
}

/* Does what is due: timeouts, retries, and heartbeats while reading is paused. */
static int keep_time(struct link_thread *t, struct err *e)
{
        bool paused = gate_is_paused(t->gate);
        msec now = clock_mono();

        if (!paused && !(t->settings->resend && t->blocked))
                publisher_expire(t->publisher, now);
        parts_report_ended(t);
        declarer_expire(t->declarer, now, paused);
        if (parts_answer_ended(t, e) < 0)
                return -1;
        if (t->channel == NULL)
                return 0;
        if (paused && gate_beat_is_due(t->gate, now) && channel_beat(t->channel, e) < 0)
                return -1;
        if (parts_step(t, now, e) < 0)
                return -1;
        if (!paused && !t->blocked && answers_check(t->answers, now, e) < 0)
                return -1;
        return subscriber_retry(t->subscriber, now, t->channel, e);
}

/* Ends a drain that is complete or over its limit. */
static void end_drain(struct link_thread *t)
{
        if (!t->draining || t->drain_deadline == 0)
                return;
        bool clean = publisher_is_idle(t->publisher);
        if (!clean && clock_mono() < t->drain_deadline)
                return;
        t->drain_deadline = 0;
        subscriber_take_notices(t->subscriber, &t->notices);
        notice_add(&t->notices, NOTICE_DRAINED)->clean = clean;
}

static void sooner(msec *deadline, msec other)
{
        if (other != 0 && other < *deadline)
                *deadline = other;
}

static msec next_deadline(const struct link_thread *t)
{
        bool paused = gate_is_paused(t->gate);
        msec deadline = t->channel == NULL ? t->connect_at
                        : paused           ? INT64_MAX
                                           : t->read_at + t->settings->heartbeat / 2;

        if (!paused && !(t->settings->resend && t->blocked))
                sooner(&deadline, publisher_deadline(t->publisher));
        sooner(&deadline, declarer_deadline(t->declarer, paused));
        sooner(&deadline, t->drain_deadline);
        if (t->channel == NULL)
                return deadline;
        sooner(&deadline, subscriber_retry_at(t->subscriber));
        if (!paused && !t->blocked)
                sooner(&deadline, answers_deadline(t->answers));
        sooner(&deadline, acker_deadline(t->acker));
        sooner(&deadline, gate_deadline(t->gate, t->blocked));
        if (paused)
                sooner(&deadline, gate_beat_at(t->gate));
        return deadline;
}

/* Writes the acks, closes the connection, ends all work, and hands over the last notices. */
static void end(struct link_thread *t)
{
        struct err none = {0};

        if (t->channel != NULL && !t->blocked &&
            acker_write(t->acker, t->channel, true, &none) == 0)
                channel_close(&t->channel);
        (void)handover_set_socket(t->handover, -1);
        channel_destroy(&t->channel);
        gate_disconnected(t->gate);
        parts_tell_state(t);
        subscriber_disconnected(t->subscriber);
        publisher_end(t->publisher);
        parts_report_ended(t);
        declarer_end(t->declarer);
        while (parts_answer_ended(t, &none) < 0)
                ;
        hand_over(t);
}

/* False when the thread is to end. */
static bool run_round(struct link_thread *t)
{
        struct handed_over work = handover_take(t->handover);
        struct err why = {0};
        int result = take(t, &work, &why);

        if (work.stop)
                return false;
        connect_when_due(t);
        if (result == 0)
                result = link_io_write(t, &why);
        if (result == 0)
                result = keep_time(t, &why);
        end_drain(t);
        hand_over(t);
        if (result == 0)
                result = link_io_wait(t, next_deadline(t), &why);
        handover_wake_up(t->handover);
        if (result < 0 && t->channel != NULL)
                go_down(t, &why);
        hand_over(t);
        return true;
}

static void *run(void *thread)
{
        struct link_thread *t = thread;

        while (run_round(t))
                ;
        end(t);
        return NULL;
}

static void free_thread(struct link_thread *t)
{
        publisher_destroy(&t->publisher);
        subscriber_destroy(&t->subscriber);
        acker_destroy(&t->acker);
        answers_destroy(&t->answers);
        declarer_destroy(&t->declarer);
        gate_destroy(&t->gate);
        free(t);
}

struct link_thread *link_thread_start(const struct link_settings *s, struct handover *h,
                                      struct err *e)
{
        struct link_thread *t = xcalloc(1, sizeof(*t));
        pthread_attr_t attributes;

        t->settings = s;
        t->handover = h;
        t->publisher = publisher_create(s->resend, s->confirm_timeout);
        t->acker = acker_create();
        t->answers = answers_create();
        t->subscriber =
                subscriber_create(t->acker, t->answers, handover_live(h), s->renew_when_told);
        t->declarer = declarer_create();
        t->gate = gate_create(s->unprobed ? NULL : s->stream, s->read_bytes, s->heartbeat);
        t->backoff = BACKOFF_MIN;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, STACK_SIZE);
        int number = pthread_create(&t->thread, &attributes, run, t);
        pthread_attr_destroy(&attributes);
        if (number == 0)
                return t;
        err_set(e, ERR_SYSTEM, "link thread: %s", strerror(number));
        free_thread(t);
        return NULL;
}

void link_thread_end(struct link_thread **thread)
{
        struct link_thread *t = TAKE(*thread);
        struct timespec until;

        if (t == NULL)
                return;
        handover_stop(t->handover);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += STOP_LIMIT / MSEC_SECOND;
        if (pthread_timedjoin_np(t->thread, NULL, &until) != 0) {
                handover_stop(t->handover);
                pthread_join(t->thread, NULL);
        }
        free_thread(t);
}
