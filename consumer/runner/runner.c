/* SPDX-License-Identifier: Apache-2.0
 *
 * runner.c: passes each call to the handler's kind.
 */
#include "consumer/runner/runner.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "consumer/runner/exec.h"
#include "consumer/runner/plugin.h"
#include "consumer/runner/plugin_host.h"
#include "consumer/runner/run.h"

struct runner {
        struct runs *runs;
        struct plugins *plugins;
        struct execs *execs;
        struct handlers *handlers; /* NULL until the first runner_use */
};

static int check_program(const char *program, struct err *e)
{
        return access(program, X_OK) == 0 ? 0 : err_set_errno(e, "cannot run %s", program);
}

struct runner *runner_create(const struct runner_config *c, struct err *e)
{
        if (check_program(c->host_program, e) != 0 || check_program(c->launch_program, e) != 0)
                return NULL;

        struct runner *r = xcalloc(1, sizeof(*r));
        r->runs = runs_create(c->loop, c->metrics);
        r->plugins = plugins_create(c, r->runs);
        r->execs = execs_create(c, r->runs);
        return r;
}

void runner_destroy(struct runner **r)
{
        if (*r == NULL)
                return;
        execs_destroy(&(*r)->execs);
        plugins_destroy(&(*r)->plugins);
        runs_destroy(&(*r)->runs);
        handlers_destroy(&(*r)->handlers);
        free(*r);
        *r = NULL;
}

int runner_use(struct runner *r, struct handlers *h, struct err *e)
{
        if (plugins_use(r->plugins, h, e) != 0)
                return -1;
        handlers_destroy(&r->handlers);
        r->handlers = handlers_ref(h);
        runs_forget_idle_types(r->runs);
        return 0;
}

bool runner_has_room(const struct runner *r, const struct handler *h)
{
        if (!runs_allow(r->runs, h))
                return false;
        switch (h->kind) {
        case HANDLER_PLUGIN:
                return plugins_have_room(r->plugins, h);
        case HANDLER_EXEC:
                return !runs_have_shortage(r->runs);
        }
        return false;
}

unsigned runner_room(const struct runner *r, const struct handler *h)
{
        unsigned left = runs_left(r->runs, h);
        unsigned idle = h->kind == HANDLER_PLUGIN ? plugins_idle(r->plugins, h) : left;

        return left < idle ? left : idle;
}

struct run *runner_start(struct runner *r, const struct run_request *q, const struct run_events *on,
                         void *owner, struct err *e)
{
        if (!runner_has_room(r, q->handler)) {
                err_set(e, ERR_FULL, "no room for another %s", q->handler->type);
                return NULL;
        }
        switch (q->handler->kind) {
        case HANDLER_PLUGIN:
                return plugin_start(r->plugins, q, on, owner, e);
        case HANDLER_EXEC:
                return exec_start(r->execs, q, on, owner, e);
        }
        return NULL;
}

void run_stop(struct run *run, msec grace)
{
        switch (run->handler->kind) {
        case HANDLER_PLUGIN:
                host_stop(run, grace);
                break;
        case HANDLER_EXEC:
                exec_stop(run, grace);
                break;
        }
}

void run_poll(struct run *run)
{
        /* A program's progress is read as it comes. */
        if (run->handler->kind == HANDLER_PLUGIN)
                host_poll(run);
}

unsigned runner_running(const struct runner *r)
{
        return runs_count(r->runs);
}
