/* SPDX-License-Identifier: Apache-2.0
 *
 * engine.c: the link's thread. In each round it takes what the loop handed over, writes, waits for
 * the socket or for the loop, reads, and hands notices back.
 */
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/amqp/link_parts.h"
#include "common/base/memory.h"
#include "common/base/uuid.h"

bool engine_is_connected(const struct link *l)
{
        return l->engine.connection != NULL;
}

void engine_post(struct link *l, struct notice *n, enum notice_kind kind)
{
        n->kind = kind;
        node_list_add(&l->engine.notices, &n->node);
}

struct notice_plain *engine_post_plain(struct link *l, enum notice_kind kind,
                                       struct subscription *s)
{
        struct notice_plain *n = xcalloc(1, sizeof(*n));

        n->subscription = s;
        engine_post(l, &n->notice, kind);
        return n;
}

int engine_fail(struct link *l, enum err_code code, const char *format, ...)
{
        char text[ERR_TEXT_SIZE];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        return err_set(&l->engine.why, code, "%s", text);
}

int engine_fail_status(struct link *l, int status, const char *doing)
{
        return engine_fail(l, ERR_UNAVAILABLE, "%s: %s", doing, amqp_error_string2(status));
}

void engine_set_blocked(struct link *l, bool blocked)
{
        if (l->engine.blocked == blocked)
                return;
        publisher_set_blocked(l, blocked);
        atomic_store(&l->blocked, blocked);
        pthread_mutex_lock(&l->mutex);
        l->accepting = feed_is_open(l) && !blocked;
        pthread_mutex_unlock(&l->mutex);
        if (!blocked)
                feed_wait_anew(l);
        engine_post_plain(l, blocked ? NOTICE_BLOCKED : NOTICE_UNBLOCKED, NULL);
}

static void hand_over_notices(struct link *l)
{
        if (l->engine.notices.first == NULL)
                return;
        pthread_mutex_lock(&l->mutex);
        bool ring = l->outbox.first == NULL;
        node_list_append(&l->outbox, &l->engine.notices);
        pthread_mutex_unlock(&l->mutex);
        if (ring)
                uv_async_send(&l->doorbell->async);
}

msec engine_jittered(msec wait)
{
        uint16_t chance;

        random_fill(&chance, sizeof(chance));
        return wait / 2 + wait / 2 * chance / UINT16_MAX;
}

static void retry_later(struct link *l)
{
        struct engine *en = &l->engine;

        en->connect_at = clock_mono() + engine_jittered(en->backoff);
        en->address = (en->address + 1) % l->address_count;
        if (en->address != 0)
                return;
        en->backoff *= 2;
        if (en->backoff > BACKOFF_MAX)
                en->backoff = BACKOFF_MAX;
}

void engine_report_down(struct link *l)
{
        engine_post_plain(l, NOTICE_DOWN, NULL)->why = l->engine.why;
        l->engine.down_reported = true;
}

/* What was handed over until now ends with the connection. */
static void go_down(struct link *l)
{
        struct engine *en = &l->engine;
        struct node_list late = {0};
        msec wait = feed_is_open(l) ? BACKOFF_MIN : STREAM_BACKOFF;

        atomic_store(&l->live_epoch, 0);
        feed_end(l);
        en->paused_at = 0;
        pthread_mutex_lock(&l->mutex);
        node_list_append(&late, &l->publishes);
        pthread_mutex_unlock(&l->mutex);
        connection_close(l, false);
        publisher_take(l, &late);
        publisher_disconnected(l, false);
        subscriptions_disconnected(l, true);
        settles_disconnected(l);
        declarations_disconnected(l);
        assembly_reset(&en->assembly);
        if (en->blocked)
                engine_set_blocked(l, false);
        engine_report_down(l);
        en->connect_at = clock_mono() + engine_jittered(wait);
        en->backoff = BACKOFF_MIN;
}

static void go_up(struct link *l)
{
        struct engine *en = &l->engine;

        en->down_reported = false;
        en->read_at = clock_mono();
        en->read_more = true;
        feed_begin(l);
        if (subscriptions_connected(l) < 0)
                go_down(l);
}

static void connect_when_due(struct link *l)
{
        if (engine_is_connected(l) || clock_mono() < l->engine.connect_at)
                return;
        if (connection_open(l) == 0) {
                go_up(l);
                return;
        }
        if (!l->engine.down_reported)
                engine_report_down(l);
        retry_later(l);
}

/* False when the thread is to end. */
static bool take_work(struct link *l, struct node_list *settles, struct node_list *orders)
{
        struct node_list publishes = {0}, requests = {0};

        pthread_mutex_lock(&l->mutex);
        node_list_append(settles, &l->settles);
        node_list_append(orders, &l->orders);
        node_list_append(&publishes, &l->publishes);
        node_list_append(&requests, &l->requests);
        bool stopping = l->stopping;
        pthread_mutex_unlock(&l->mutex);
        publisher_take(l, &publishes);
        declarations_take(l, &requests);
        return !stopping;
}

static int follow_orders(struct link *l, struct node_list *orders)
{
        struct node *n;
        int result = 0;

        while ((n = node_list_take(orders)) != NULL) {
                /* After a failure the rest is followed too: it cannot write, but must be known. */
                if (subscriptions_order(l, (struct order *)n) < 0)
                        result = -1;
        }
        return result;
}

static int write_all(struct link *l)
{
        if (!engine_is_connected(l))
                return 0;
        /* rabbitmq-c 0.11 can hang in a publish when it has not read for two heartbeats. */
        if (clock_mono() - l->engine.read_at >= l->heartbeat / 2 && frames_read(l) < 0)
                return -1;
        if (settles_write(l, l->engine.draining || budget_is_spent(l)) < 0)
                return -1;
        budget_look(l);
        if (publisher_write(l) < 0)
                return -1;
        return declarations_write(l);
}

static int keep_time(struct link *l)
{
        msec now = clock_mono();

        publisher_expire(l, now);
        declarations_expire(l, now);
        if (!engine_is_connected(l))
                return 0;
        return feed_keep(l, now) < 0 ? -1 : subscriptions_retry(l, now);
}

static void end_drain(struct link *l)
{
        struct engine *en = &l->engine;

        if (!en->draining || en->drain_deadline == 0)
                return;
        bool clean = publisher_is_idle(l);
        if (!clean && clock_mono() < en->drain_deadline)
                return;
        en->drain_deadline = 0;
        engine_post_plain(l, NOTICE_DRAINED, NULL)->clean = clean;
}

static void sooner(msec *deadline, msec other)
{
        if (other != 0 && other < *deadline)
                *deadline = other;
}

static msec next_deadline(const struct link *l)
{
        const struct engine *en = &l->engine;
        msec deadline = INT64_MAX;

        sooner(&deadline, publisher_deadline(l));
        sooner(&deadline, declarations_deadline(l));
        sooner(&deadline, en->drain_deadline);
        if (engine_is_connected(l)) {
                sooner(&deadline, en->retry_at);
                sooner(&deadline, settles_deadline(l));
                sooner(&deadline, feed_deadline(l));
                sooner(&deadline,
                       budget_is_pausing(l) ? budget_deadline(l) : en->read_at + l->heartbeat / 2);
        } else {
                sooner(&deadline, en->connect_at);
        }
        return deadline;
}

static bool has_work(const struct link *l)
{
        const struct engine *en = &l->engine;

        if (!engine_is_connected(l))
                return false;
        if (!budget_is_pausing(l) && (en->read_more || amqp_frames_enqueued(en->connection) ||
                                      amqp_data_in_buffer(en->connection)))
                return true;
        return en->declares.first != NULL || publisher_may_write(l);
}

/* From here on whoever hands something over must wake the thread. */
static bool fall_asleep(struct link *l)
{
        pthread_mutex_lock(&l->mutex);
        l->sleeping = l->publishes.first == NULL && l->settles.first == NULL &&
                      l->orders.first == NULL && l->requests.first == NULL && !l->stopping;
        bool sleeping = l->sleeping;
        pthread_mutex_unlock(&l->mutex);
        return sleeping;
}

static int poll_timeout(struct link *l)
{
        if (has_work(l) || !fall_asleep(l))
                return 0;
        msec left = next_deadline(l) - clock_mono();
        return left <= 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

static int wait_and_read(struct link *l)
{
        struct engine *en = &l->engine;
        bool connected = engine_is_connected(l);
        bool more = en->read_more;
        struct pollfd fds[2] = {
                {.fd = l->wake_fd, .events = POLLIN},
                {.fd = connected ? en->fd : -1, .events = budget_is_pausing(l) ? 0 : POLLIN},
        };

        poll(fds, 2, poll_timeout(l));
        if ((fds[0].revents & POLLIN) != 0) {
                uint64_t count;
                if (read(l->wake_fd, &count, sizeof(count)) < 0)
                        count = 0;
        }
        if (!connected)
                return 0;
        if (budget_is_pausing(l))
                return budget_keep_alive(l, fds[1].revents);
        bool due = clock_mono() - en->read_at >= l->heartbeat / 2;
        if (more || due || fds[1].revents != 0 || amqp_frames_enqueued(en->connection) ||
            amqp_data_in_buffer(en->connection))
                return frames_read(l);
        return 0;
}

static void awake(struct link *l)
{
        pthread_mutex_lock(&l->mutex);
        l->sleeping = false;
        pthread_mutex_unlock(&l->mutex);
}

static bool round_of(struct link *l)
{
        struct node_list settles = {0}, orders = {0};
        bool go_on = take_work(l, &settles, &orders);
        int result = follow_orders(l, &orders);

        if (settles_take(l, &settles) < 0 || (!go_on && settles_write(l, true) < 0))
                result = -1;
        if (!go_on)
                return false;
        connect_when_due(l);
        if (result == 0 && write_all(l) < 0)
                result = -1;
        if (keep_time(l) < 0)
                result = -1;
        end_drain(l);
        hand_over_notices(l);
        if (result == 0)
                result = wait_and_read(l);
        awake(l);
        if (result < 0 && engine_is_connected(l))
                go_down(l);
        hand_over_notices(l);
        return true;
}

void *engine_run(void *link)
{
        struct link *l = link;

        while (round_of(l))
                ;
        connection_close(l, engine_is_connected(l) && !l->engine.blocked);
        atomic_store(&l->live_epoch, 0);
        atomic_store(&l->up, false);
        settles_disconnected(l);
        assembly_reset(&l->engine.assembly);
        publisher_end(l);
        declarations_end(l);
        subscriptions_end(l);
        pthread_mutex_lock(&l->mutex);
        node_list_append(&l->outbox, &l->engine.notices);
        pthread_mutex_unlock(&l->mutex);
        return NULL;
}
