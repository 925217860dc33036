/* SPDX-License-Identifier: Apache-2.0
 *
 * wait.c: blocking publish and declare, and a loop with a thread of its own.
 */
#include "common/amqp/wait.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/base/memory.h"
#include "common/base/own.h"

static void wait_for(sem_t *s)
{
        while (sem_wait(s) != 0)
                assert(errno == EINTR);
        sem_destroy(s);
}

struct publish_waiter {
        sem_t done;
        enum link_result result;
};

static void on_published(void *owner, enum link_result result)
{
        struct publish_waiter *w = owner;

        w->result = result;
        sem_post(&w->done);
}

int publish_and_wait(struct link *l, const struct message *m, enum link_result *result,
                     struct err *e)
{
        struct publish_waiter w;
        struct publish_wait wait = {.done = on_published, .owner = &w, .direct = true};

        sem_init(&w.done, 0, 0);
        if (link_publish(l, m, &wait, e) < 0) {
                sem_destroy(&w.done);
                return -1;
        }
        wait_for(&w.done);
        *result = w.result;
        return 0;
}

struct declare_waiter {
        sem_t done;
        struct err why;
};

static void on_declared(void *owner, const struct err *why, uint32_t messages, uint32_t consumers)
{
        struct declare_waiter *w = owner;

        (void)messages;
        (void)consumers;
        if (why != NULL)
                w->why = *why;
        sem_post(&w->done);
}

int declare_and_wait(struct link *l, const struct declaration *d, struct err *e)
{
        struct declare_waiter w = {.why = {0}};

        sem_init(&w.done, 0, 0);
        link_declare(l, d, on_declared, &w);
        wait_for(&w.done);
        return err_is_set(&w.why) ? err_set(e, w.why.code, "%s", w.why.text) : 0;
}

struct loop_call {
        struct loop_call *next;
        void (*fn)(void *owner);
        void *owner;
        sem_t done;
};

struct loop_thread {
        uv_loop_t loop;
        uv_async_t async;
        pthread_t thread;
        pthread_mutex_t mutex;
        struct loop_call *calls; /* guarded by mutex */
        bool ending;             /* guarded by mutex */
};

static void on_calls(uv_async_t *async)
{
        struct loop_thread *t = async->data;

        pthread_mutex_lock(&t->mutex);
        struct loop_call *calls = TAKE(t->calls);
        bool ending = t->ending;
        pthread_mutex_unlock(&t->mutex);
        for (struct loop_call *c = calls, *next; c != NULL; c = next) {
                next = c->next; /* c lies on its caller's stack: invalid after sem_post */
                c->fn(c->owner);
                sem_post(&c->done);
        }
        if (ending)
                uv_close((uv_handle_t *)&t->async, NULL);
}

static void *run_loop(void *owner)
{
        struct loop_thread *t = owner;

        uv_run(&t->loop, UV_RUN_DEFAULT);
        return NULL;
}

struct loop_thread *loop_thread_create(struct err *e)
{
        AUTO_FREE struct loop_thread *t = xcalloc(1, sizeof(*t));
        int status = uv_loop_init(&t->loop);

        if (status != 0) {
                err_set(e, ERR_SYSTEM, "loop: %s", uv_strerror(status));
                return NULL;
        }
        pthread_mutex_init(&t->mutex, NULL);
        status = uv_async_init(&t->loop, &t->async, on_calls);
        assert(status == 0);
        t->async.data = t;
        int number = pthread_create(&t->thread, NULL, run_loop, t);
        if (number == 0)
                return TAKE(t);
        err_set(e, ERR_SYSTEM, "loop thread: %s", strerror(number));
        uv_close((uv_handle_t *)&t->async, NULL);
        uv_run(&t->loop, UV_RUN_DEFAULT);
        uv_loop_close(&t->loop);
        pthread_mutex_destroy(&t->mutex);
        return NULL;
}

void loop_thread_run(struct loop_thread *t, void (*fn)(void *owner), void *owner)
{
        struct loop_call c = {.fn = fn, .owner = owner};

        sem_init(&c.done, 0, 0);
        pthread_mutex_lock(&t->mutex);
        LL_APPEND(t->calls, &c);
        pthread_mutex_unlock(&t->mutex);
        uv_async_send(&t->async);
        wait_for(&c.done);
}

uv_loop_t *loop_thread_loop(struct loop_thread *t)
{
        return &t->loop;
}

void loop_thread_destroy(struct loop_thread **thread)
{
        struct loop_thread *t = TAKE(*thread);

        if (t == NULL)
                return;
        pthread_mutex_lock(&t->mutex);
        t->ending = true;
        pthread_mutex_unlock(&t->mutex);
        uv_async_send(&t->async);
        pthread_join(t->thread, NULL);
        int status = uv_loop_close(&t->loop);
        assert(status == 0);
        pthread_mutex_destroy(&t->mutex);
        free(t);
}
