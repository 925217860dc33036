/* SPDX-License-Identifier: Apache-2.0
 *
 * service.c: a daemon's loop and its signals.
 */
#include "common/base/service.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"

enum { SIGNAL_COUNT = 3 };
static const int signals[SIGNAL_COUNT] = {SIGTERM, SIGINT, SIGHUP};

struct service {
        uv_loop_t loop;
        uv_signal_t watchers[SIGNAL_COUNT];
        int watched;
        struct service_events on;
        void *owner;
        struct process_start was;
        bool stopping;
        int status;
};

static void on_stop(struct service *s, int number)
{
        if (s->stopping) {
                LOG_WARN("second signal: ending at once", log_int("signal", number));
                service_end(s, 1);
                return;
        }
        s->stopping = true;
        LOG_INFO("stopping", log_int("signal", number));
        s->on.stop(s->owner);
}

static void on_signal(uv_signal_t *watcher, int number)
{
        struct service *s = watcher->data;

        if (number != SIGHUP)
                on_stop(s, number);
        else if (s->on.reload != NULL)
                s->on.reload(s->owner);
}

static int watch(struct service *s, int number, struct err *e)
{
        uv_signal_t *watcher = &s->watchers[s->watched];

        int failed = uv_signal_init(&s->loop, watcher);
        if (failed != 0)
                return err_set(e, ERR_SYSTEM, "signals: %s", uv_strerror(failed));
        watcher->data = s;
        s->watched++;
        failed = uv_signal_start(watcher, on_signal, number);
        if (failed != 0)
                return err_set(e, ERR_SYSTEM, "signal %d: %s", number, uv_strerror(failed));
        return 0;
}

struct service *service_create(const struct service_events *on, void *owner, struct err *e)
{
        struct service *fresh = xcalloc(1, sizeof(*fresh));

        signal(SIGPIPE, SIG_IGN);
        signal(SIGCHLD, SIG_DFL); /* an inherited SIG_IGN would make waiting for children fail */
        process_set_up(&fresh->was);
        fresh->on = *on;
        fresh->owner = owner;
        int failed = uv_loop_init(&fresh->loop);
        if (failed != 0) {
                free(fresh);
                err_set(e, ERR_SYSTEM, "event loop: %s", uv_strerror(failed));
                return NULL;
        }

        AUTO(service) s = fresh;
        for (int i = 0; i < SIGNAL_COUNT; i++) {
                if (watch(s, signals[i], e) < 0)
                        return NULL;
        }
        return TAKE(s);
}

static void must_be_closing(uv_handle_t *handle, void *unused)
{
        (void)unused;
        if (!uv_is_closing(handle))
                LOG_ERROR("a handle was left open",
                          log_text("kind", uv_handle_type_name(uv_handle_get_type(handle))));
        assert(uv_is_closing(handle));
}

void service_destroy(struct service **s)
{
        struct service *old = TAKE(*s);

        if (old == NULL)
                return;
        for (int i = 0; i < old->watched; i++)
                uv_close((uv_handle_t *)&old->watchers[i], NULL);
        uv_walk(&old->loop, must_be_closing, NULL);
        uv_run(&old->loop, UV_RUN_DEFAULT);
        int busy = uv_loop_close(&old->loop);
        assert(busy == 0);
        (void)busy;
        free(old);
}

const struct process_start *service_process_start(const struct service *s)
{
        return &s->was;
}

uv_loop_t *service_loop(struct service *s)
{
        return &s->loop;
}

int service_run(struct service *s)
{
        uv_run(&s->loop, UV_RUN_DEFAULT);
        return s->status;
}

void service_end(struct service *s, int status)
{
        s->status = status;
        uv_stop(&s->loop);
}
