/* SPDX-License-Identifier: Apache-2.0
 *
 * link_thread.c: in each round the thread takes what was handed over, writes, waits for the socket
 * or for its callers, reads, and hands notices back.
 */
#include "common/amqp/link_thread.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/amqp/jitter.h"
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

struct link_thread {
        pthread_t thread;
        const struct link_settings *settings;
        struct handover *handover;
        struct router *router;
        size_t address; /* index of the one to try next */
        msec connect_at, backoff;
        bool told_down;
};

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
        msec wait = router_is_open(t->router) ? BACKOFF_MIN : STREAM_BACKOFF;

        router_disconnect(t->router, why);
        t->told_down = true;
        t->connect_at = clock_mono() + jittered(wait);
        t->backoff = BACKOFF_MIN;
}

static void connect_when_due(struct link_thread *t)
{
        struct err why = {0};

        if (router_is_connected(t->router) || clock_mono() < t->connect_at)
                return;
        if (router_connect(t->router, &t->settings->addresses.addresses[t->address], &why) == 0) {
                t->told_down = false;
        } else if (router_is_connected(t->router)) {
                go_down(t, &why);
        } else {
                if (!t->told_down)
                        router_tell_down(t->router, &why);
                t->told_down = true;
                retry_later(t);
        }
}

/* False when the thread is to end. */
static bool run_round(struct link_thread *t)
{
        struct handed_over work = handover_take(t->handover);
        struct err why = {0};
        int result = router_take(t->router, &work, &why);

        if (work.stop)
                return false;
        connect_when_due(t);
        if (result == 0)
                result = router_write(t->router, &why);
        if (result == 0)
                result = router_keep_time(t->router, &why);
        router_end_drain(t->router);
        router_hand_over(t->router);
        if (result == 0)
                result = router_wait_and_read(t->router, t->connect_at, &why);
        handover_wake_up(t->handover);
        if (result < 0 && router_is_connected(t->router))
                go_down(t, &why);
        router_hand_over(t->router);
        return true;
}

static void *run(void *thread)
{
        struct link_thread *t = thread;

        while (run_round(t))
                ;
        router_end(t->router);
        return NULL;
}

struct link_thread *link_thread_start(const struct link_settings *s, struct handover *h,
                                      struct err *e)
{
        struct link_thread *t = xcalloc(1, sizeof(*t));
        pthread_attr_t attributes;

        t->settings = s;
        t->handover = h;
        t->router = router_create(s, h);
        t->backoff = BACKOFF_MIN;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, STACK_SIZE);
        int number = pthread_create(&t->thread, &attributes, run, t);
        pthread_attr_destroy(&attributes);
        if (number == 0)
                return t;
        err_set(e, ERR_SYSTEM, "link thread: %s", strerror(number));
        router_destroy(&t->router);
        free(t);
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
        router_destroy(&t->router);
        free(t);
}
