/* SPDX-License-Identifier: Apache-2.0
 *
 * health_view_test.c: how many threads may wait for the services. A fake service answers when it is
 * let go.
 */
#include "gateway/health_view.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/base/condition.h"
#include "common/base/own.h"
#include "tests/unit/unit.h"

enum { WAITING_MAX = 3, PATIENCE = 20 * MSEC_SECOND };

static struct {
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        unsigned calls;
        bool answers;
} service = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static struct health_view *view;
static atomic_int refused;

int __wrap_http_client_call(struct http_client *c, const struct http_call *call,
                            struct http_reply *reply, struct err *e);

int __wrap_http_client_call(struct http_client *c, const struct http_call *call,
                            struct http_reply *reply, struct err *e)
{
        const msec until = clock_mono() + PATIENCE;

        (void)c;
        (void)call;
        (void)reply;
        pthread_mutex_lock(&service.mutex);
        service.calls++;
        pthread_cond_broadcast(&service.changed);
        while (!service.answers && condition_wait(&service.changed, &service.mutex, until))
                continue;
        pthread_mutex_unlock(&service.mutex);
        return err_set(e, ERR_UNAVAILABLE, "no answer");
}

static void *ask(void *unused)
{
        static const struct health_services services = {NULL, NULL};
        AUTO(findings) found = findings_create();
        struct err why = {0};

        (void)unused;
        if (health_view_complete(view, &services, found, &why) != 0) {
                assert_int_equal(why.code, ERR_FULL);
                atomic_fetch_add(&refused, 1);
        } else {
                assert_int_equal(findings_in(found, FINDING_WRONG), 2);
        }
        return NULL;
}

/* One asks, so many wait, and one more is refused at once. */
static void threads_that_wait_are_bounded(void **state)
{
        const msec until = clock_mono() + PATIENCE;
        pthread_t threads[WAITING_MAX + 1];

        (void)state;
        view = health_view_create(WAITING_MAX);
        for (size_t i = 0; i < COUNT(threads); i++)
                assert_int_equal(pthread_create(&threads[i], NULL, ask, NULL), 0);
        while (atomic_load(&refused) == 0)
                assert_true(clock_mono() < until);
        pthread_mutex_lock(&service.mutex);
        service.answers = true;
        pthread_cond_broadcast(&service.changed);
        pthread_mutex_unlock(&service.mutex);
        for (size_t i = 0; i < COUNT(threads); i++)
                pthread_join(threads[i], NULL);
        assert_int_equal(atomic_load(&refused), 1);
        ask(NULL); /* their places are free again */
        assert_int_equal(atomic_load(&refused), 1);
        health_view_destroy(&view);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(threads_that_wait_are_bounded),
        };
        condition_init(&service.changed);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
