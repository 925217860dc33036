/* SPDX-License-Identifier: Apache-2.0
 *
 * runner.c: what is common to all kinds of handlers: room, counts, the beginning and the end.
 */
#include "consumer/runner/runner.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "consumer/runner/parts.h"
#include "consumer/runner/text.h"

struct run_kind {
        bool (*has_room)(const struct runner *r, const struct handler *h);
        struct run *(*start)(struct runner *r, const struct run_request *q,
                             const struct run_events *on, void *owner, struct err *e);
        void (*stop)(struct run *run, msec grace);
        void (*look)(struct run *run);
};

static const struct run_kind kinds[] = {
        [HANDLER_PLUGIN] = {plugin_has_room, plugin_start, plugin_stop, plugin_look},
        [HANDLER_EXEC] = {exec_has_room, exec_start, exec_stop, exec_look},
};

static void add_metrics(struct runner *r, struct metrics *m)
{
        if (m == NULL)
                return;
        r->hosts_started = metric_add(
                m, &(struct metric_spec){.name = "warren_plugin_hosts_started_total",
                                         .help = "Plugin host processes started, by plugin.",
                                         .kind = METRIC_COUNTER,
                                         .labels = {"plugin"}});
        r->put_off = metric_add(
                m, &(struct metric_spec){.name = "warren_starts_put_off_total",
                                         .help = "Starts of programs and plugin hosts put off for "
                                                 "want of descriptors, processes or memory.",
                                         .kind = METRIC_COUNTER,
                                         .labels = {"kind"}});
        metric_increment(r->put_off, 0, "exec");
        metric_increment(r->put_off, 0, "plugin");
        r->hosts_running = metric_add(m, &(struct metric_spec){.name = "warren_plugin_hosts",
                                                               .help = "Plugin host processes.",
                                                               .kind = METRIC_GAUGE,
                                                               .labels = {"plugin"}});
}

static void on_lack_alarm(void *owner)
{
        struct runner *r = owner;

        r->lacks_room = false;
        runner_room(r);
}

struct runner *runner_create(const struct runner_config *c, struct err *e)
{
        if (access(c->host_program, X_OK) != 0) {
                err_set_errno(e, "cannot run %s", c->host_program);
                return NULL;
        }
        if (access(c->launch_program, X_OK) != 0) {
                err_set_errno(e, "cannot run %s", c->launch_program);
                return NULL;
        }

        struct runner *r = xcalloc(1, sizeof(*r));
        r->host_program = xstrdup(c->host_program);
        r->launch_program = xstrdup(c->launch_program);
        r->workers = c->workers > 0 ? (int64_t)c->workers : 1;
        r->loop = c->loop;
        as_started_write(c->as_started, r->as_started);
        r->lack_alarm = alarm_create(r->loop, on_lack_alarm, r);
        add_metrics(r, c->metrics);
        return r;
}

static void drop_loads(struct runner *r, unsigned running_at_most)
{
        struct type_load *load, *next;

        HASH_ITER (hh, r->loads, load, next) {
                if (load->running > running_at_most)
                        continue;
                HASH_DEL(r->loads, load);
                free(load);
        }
}

void runner_destroy(struct runner **r)
{
        if (*r == NULL)
                return;
        execs_destroy(*r);
        plugins_destroy(*r);
        assert((*r)->running == 0);
        drop_loads(*r, 0);
        handlers_destroy(&(*r)->handlers);
        buffer_fini(&(*r)->text);
        alarm_destroy(&(*r)->lack_alarm);
        free((*r)->host_program);
        free((*r)->launch_program);
        free(*r);
        *r = NULL;
}

int runner_use(struct runner *r, struct handlers *h, struct err *e)
{
        if (plugins_use(r, h, e) != 0)
                return -1;
        handlers_destroy(&r->handlers);
        r->handlers = handlers_ref(h);
        drop_loads(r, 0);
        return 0;
}

static struct type_load *find_load(const struct runner *r, const char *type)
{
        struct type_load *load;

        HASH_FIND_STR(r->loads, type, load);
        return load;
}

bool runner_has_room(const struct runner *r, const struct handler *h)
{
        if (h->concurrency > 0) {
                const struct type_load *load = find_load(r, h->type);
                if (load != NULL && (int64_t)load->running >= h->concurrency)
                        return false;
        }
        return kinds[h->kind].has_room(r, h);
}

void runner_on_room(struct runner *r, void (*room)(void *owner), void *owner)
{
        r->room = room;
        r->room_owner = owner;
}

void runner_room(struct runner *r)
{
        if (r->room != NULL)
                r->room(r->room_owner);
}

struct run *runner_start(struct runner *r, const struct run_request *q, const struct run_events *on,
                         void *owner, struct err *e)
{
        if (!runner_has_room(r, q->handler)) {
                err_set(e, ERR_FULL, "no room for another %s", q->handler->type);
                return NULL;
        }
        return kinds[q->handler->kind].start(r, q, on, owner, e);
}

void run_stop(struct run *run, msec grace)
{
        kinds[run->handler->kind].stop(run, grace);
}

void run_look(struct run *run)
{
        kinds[run->handler->kind].look(run);
}

unsigned runner_running(const struct runner *r)
{
        return r->running;
}

void run_begin(struct run *run, struct runner *r, const struct run_request *q,
               const struct run_events *on, void *owner)
{
        struct type_load *load = find_load(r, q->handler->type);
        if (load == NULL) {
                load = xcalloc(1, sizeof(*load));
                memcpy(load->type, q->handler->type, sizeof(load->type));
                HASH_ADD_STR(r->loads, type, load);
        }
        load->running++;
        r->running++;
        handlers_ref(q->handler->set);
        *run = (struct run){
                .runner = r,
                .handler = q->handler,
                .on = on,
                .owner = owner,
                .load = load,
                .timeout = q->timeout,
        };
}

void run_began(struct run *run)
{
        if (run->on->began != NULL)
                run->on->began(run->owner);
}

void run_drop(struct run *run)
{
        struct handlers *set = run->handler->set;

        run->load->running--;
        run->runner->running--;
        run->handler = NULL;
        handlers_destroy(&set);
}

void run_finish(struct run *run, struct run_end *end)
{
        struct runner *r = run->runner;
        const struct run_events *on = run->on;
        void *owner = run->owner;

        run_drop(run);
        r->lacks_room = false;
        on->ended(owner, end);
        runner_room(r);
}

enum { LACK_TELL = 10000 /* ms between two lines in the log */ };

void runner_lacks_room(struct runner *r, const char *kind, const struct err *why)
{
        msec now = clock_mono();

        r->lacks_room = true;
        alarm_set(r->lack_alarm, LACK_WAIT);
        if (r->put_off != NULL)
                metric_increment(r->put_off, 1, kind);
        if (r->lack_told_at != 0 && now - r->lack_told_at < LACK_TELL)
                return;
        r->lack_told_at = now;
        LOG_WARN("no room to start a process; what waits is started when there is",
                 log_text("kind", kind), log_int("running", r->running), log_err(why),
                 log_text("next", "raise the limit it names (files: LimitNOFILE, ulimit -Hn; "
                                  "processes: TasksMax, ulimit -u) or lower concurrency"));
}

void run_put_off(struct run *run, const char *kind, const struct err *why)
{
        struct runner *r = run->runner;
        const struct run_events *on = run->on;
        void *owner = run->owner;

        run_drop(run);
        runner_lacks_room(r, kind, why);
        on->put_off(owner);
}

void run_fails(struct run *run, struct run_end *end, enum error_kind kind, struct bytes error)
{
        struct buffer *text = &run->runner->text;

        buffer_clear(text);
        text_repair(text_trim(error), JOB_ERROR_MAX, text);
        if (text->length == 0)
                buffer_add_text(text, "failed without saying why");
        end->outcome = OUTCOME_RETRY;
        end->error_kind = kind;
        end->error = buffer_bytes(text);
}

void run_fails_saying(struct run *run, struct run_end *end, enum error_kind kind, const char *how,
                      struct bytes said)
{
        AUTO_BUFFER text = {0};

        said = text_trim(said);
        buffer_add_text(&text, how);
        if (text.length > 0 && said.length > 0)
                buffer_add_text(&text, ": ");
        text_repair_tail(said, JOB_ERROR_MAX - text.length, &text);
        run_fails(run, end, kind, buffer_bytes(&text));
}

void run_fails_by_timeout(struct run *run, struct run_end *end, struct bytes said)
{
        char how[TIME_TEXT_SIZE + 32], duration[TIME_TEXT_SIZE];

        snprintf(how, sizeof(how), "no end within %s", duration_format(run->timeout, duration));
        run_fails_saying(run, end, ERROR_KIND_TIMEOUT, how, said);
}
