/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin.c: handler kind `plugin`: a pool of warm host processes for each plugin, kept at
 * its size: the dead are replaced (at once after a crash in a job, with backoff otherwise), the
 * worn by younger ones that are ready before the old leave.
 */
#include <string.h>
#include <sys/stat.h>
#include <utlist.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "consumer/runner/parts.h"
#include "consumer/runner/plugin_host.h"
#include "consumer/runner/plugin_talk.h"

#define RESTART_WAIT_MIN ((msec)100)
#define RESTART_WAIT_MAX ((msec)30 * MSEC_SECOND)
#define OPEN_LIMIT ((msec)10 * MSEC_SECOND)
#define END_PATIENCE ((msec)2 * MSEC_SECOND)

struct plugin_pool {
        struct runner *runner;
        struct plugin_pool *prev, *next;
        char *name, *file, *settings;
        int64_t memory, recycle_after, size;
        struct stat identity;      /* of the file: a new build is another plugin */
        struct buffer names;       /* of its handlers, each with its NUL */
        struct plugin_host *hosts; /* all that live */
        struct plugin_host *idle;  /* the one used last first: its caches are warm */
        unsigned failures;         /* deaths in a row outside a job */
        bool waits;                /* for the restart timer */
        bool in_force;             /* open, and part of the set in force */
        bool retired;              /* replaced or gone: ends with its last host */
        uv_timer_t restart;
};

static void fill(struct plugin_pool *p);

static void show_size(const struct plugin_pool *p)
{
        const struct plugin_host *h;
        int count;

        if (p->runner->hosts_running == NULL || p->retired || !p->in_force)
                return;
        DL_COUNT(p->hosts, h, count);
        metric_set(p->runner->hosts_running, count, p->name);
}

static void on_pool_closed(uv_handle_t *handle)
{
        struct plugin_pool *p = handle->data;

        buffer_fini(&p->names);
        free(p->name);
        free(p->file);
        free(p->settings);
        free(p);
}

static void pool_close(struct plugin_pool *p)
{
        DL_DELETE(p->runner->pools, p);
        uv_close((uv_handle_t *)&p->restart, on_pool_closed);
}

static void forget_idle(struct plugin_pool *p, struct plugin_host *h)
{
        for (struct plugin_host **at = &p->idle; *at != NULL; at = &(*at)->next_idle) {
                if (*at == h) {
                        *at = h->next_idle;
                        return;
                }
        }
}

static void dismiss(struct plugin_pool *p, struct plugin_host *h)
{
        forget_idle(p, h);
        host_leave(h);
}

static bool is_young(const struct plugin_host *h)
{
        return !h->worn &&
               (h->state == HOST_STARTING || h->state == HOST_IDLE || h->state == HOST_BUSY);
}

static int64_t young_count(const struct plugin_pool *p)
{
        const struct plugin_host *h;
        int64_t count = 0;

        DL_FOREACH (p->hosts, h)
                count += is_young(h);
        return count;
}

static int64_t ready_count(const struct plugin_pool *p)
{
        const struct plugin_host *h;
        int64_t count = 0;

        DL_FOREACH (p->hosts, h)
                count += h->state == HOST_IDLE || h->state == HOST_BUSY;
        return count;
}

/* A host that is ready for a worn one that waits; a busy one goes when its job ends. */
static void dismiss_one_worn(struct plugin_pool *p)
{
        struct plugin_host *h;

        DL_FOREACH (p->hosts, h) {
                if (h->worn && h->state == HOST_IDLE) {
                        dismiss(p, h);
                        return;
                }
        }
}

static void on_ready(void *owner, struct plugin_host *h, struct bytes names)
{
        struct plugin_pool *p = owner;

        if (p->retired) {
                host_leave(h);
                return;
        }
        buffer_clear(&p->names);
        buffer_add(&p->names, names.data, names.length);
        LL_PREPEND2(p->idle, h, next_idle);
        dismiss_one_worn(p);
        if (p->in_force)
                runner_room(p->runner);
}

static void on_idle(void *owner, struct plugin_host *h)
{
        struct plugin_pool *p = owner;

        p->failures = 0;
        if (p->retired || (h->worn ? ready_count(p) : young_count(p)) > p->size) {
                host_leave(h);
                return;
        }
        if (!h->worn && p->recycle_after > 0 && h->served >= p->recycle_after) {
                h->worn = true;
                fill(p);
        }
        LL_PREPEND2(p->idle, h, next_idle);
}

static void on_restart(uv_timer_t *timer)
{
        struct plugin_pool *p = timer->data;

        p->waits = false;
        fill(p);
}

static void wait_to_fill(struct plugin_pool *p, msec wait)
{
        p->waits = true;
        uv_timer_start(&p->restart, on_restart, (uint64_t)wait, 0);
}

static void fill_later(struct plugin_pool *p)
{
        unsigned doublings = p->failures < 16 ? p->failures : 16;
        msec wait = RESTART_WAIT_MIN << doublings;

        p->failures++;
        wait_to_fill(p, wait < RESTART_WAIT_MAX ? wait : RESTART_WAIT_MAX);
}

static void on_died(void *owner, struct plugin_host *h, enum host_state was, const struct err *why)
{
        struct plugin_pool *p = owner;

        forget_idle(p, h);
        DL_DELETE(p->hosts, h);
        show_size(p);
        if (was != HOST_LEAVING)
                LOG_WARN("a plugin host died", log_text("plugin", p->name), log_err(why));
        if (p->retired) {
                if (p->hosts == NULL)
                        pool_close(p);
        } else if (was == HOST_BUSY || was == HOST_LEAVING) {
                fill(p);
        } else if (!p->waits) {
                fill_later(p);
        }
}

static const struct host_events events = {on_ready, on_idle, on_died};

static struct plugin_host *add_host(struct plugin_pool *p, struct err *e)
{
        const struct host_spec spec = {
                .runner = p->runner,
                .plugin = p->name,
                .file = p->file,
                .settings = p->settings,
                .memory = p->memory,
                .on = &events,
                .owner = p,
        };
        struct plugin_host *h = host_create(&spec, e);
        if (h == NULL)
                return NULL;
        DL_APPEND(p->hosts, h);
        if (p->runner->hosts_started != NULL)
                metric_increment(p->runner->hosts_started, 1, p->name);
        show_size(p);
        return h;
}

static void fill(struct plugin_pool *p)
{
        if (p->retired || p->waits)
                return;
        for (int64_t missing = p->size - young_count(p); missing > 0; missing--) {
                struct err e = {0};
                if (add_host(p, &e) != NULL)
                        continue;
                if (e.code == ERR_FULL) {
                        runner_lacks_room(p->runner, "plugin", &e);
                        wait_to_fill(p, LACK_WAIT);
                } else {
                        LOG_WARN("cannot start a plugin host", log_text("plugin", p->name),
                                 log_err(&e));
                        fill_later(p);
                }
                return;
        }
}

static void retire(struct plugin_pool *p)
{
        struct plugin_host *h;

        p->retired = true;
        if (p->in_force && p->runner->hosts_running != NULL)
                metric_set(p->runner->hosts_running, 0, p->name);
        p->idle = NULL;
        uv_timer_stop(&p->restart);
        if (p->hosts == NULL) {
                pool_close(p);
                return;
        }
        DL_FOREACH (p->hosts, h)
                host_leave(h);
}

static struct plugin_pool *find_pool(const struct runner *r, const char *name)
{
        struct plugin_pool *p;

        DL_FOREACH (r->pools, p) {
                if (p->in_force && !p->retired && strcmp(p->name, name) == 0)
                        return p;
        }
        return NULL;
}

static bool is_same(const struct plugin_pool *p, const struct plugin *plugin)
{
        struct stat now;

        return stat(plugin->file, &now) == 0 && now.st_dev == p->identity.st_dev &&
               now.st_ino == p->identity.st_ino && now.st_size == p->identity.st_size &&
               now.st_mtim.tv_sec == p->identity.st_mtim.tv_sec &&
               now.st_mtim.tv_nsec == p->identity.st_mtim.tv_nsec &&
               strcmp(p->file, plugin->file) == 0 && strcmp(p->settings, plugin->settings) == 0 &&
               p->memory == plugin->memory;
}

static bool has_name(const struct plugin_pool *p, const char *name)
{
        for (const char *at = p->names.data; at < p->names.data + p->names.length;
             at += strlen(at) + 1) {
                if (strcmp(at, name) == 0)
                        return true;
        }
        return false;
}

static int check_names(const struct plugin_pool *p, const struct handlers *set,
                       const struct plugin *plugin, struct err *e)
{
        for (size_t i = 0; i < handlers_count(set); i++) {
                const struct handler *h = handlers_at(set, i);
                if (h->kind == HANDLER_PLUGIN && h->plugin == plugin &&
                    !has_name(p, h->plugin_handler))
                        return err_set(e, ERR_NOT_FOUND,
                                       "type %s: plugin %s has no handler named %s", h->type,
                                       plugin->name, h->plugin_handler);
        }
        return 0;
}

static void set_limits(struct plugin_pool *p, const struct plugin *plugin)
{
        p->size = plugin->processes > 0 ? plugin->processes : p->runner->workers;
        p->recycle_after = plugin->recycle_after;
}

/* A pool with one host that has opened the plugin; not yet found by name. */
static struct plugin_pool *open_pool(struct runner *r, const struct plugin *plugin, struct err *e)
{
        struct stat identity;
        if (stat(plugin->file, &identity) != 0) {
                err_set_errno(e, "plugin %s: %s", plugin->name, plugin->file);
                return NULL;
        }

        struct plugin_pool *p = xcalloc(1, sizeof(*p));
        p->runner = r;
        p->name = xstrdup(plugin->name);
        p->file = xstrdup(plugin->file);
        p->settings = xstrdup(plugin->settings);
        p->memory = plugin->memory;
        p->identity = identity;
        p->size = 1;
        uv_timer_init(r->loop, &p->restart);
        p->restart.data = p;
        DL_APPEND(r->pools, p);

        struct plugin_host *h = add_host(p, e);
        if (h == NULL || host_wait(h, OPEN_LIMIT, e) != 0) {
                retire(p);
                return NULL;
        }
        return p;
}

/* What a new set makes of the pools there are. */
struct plan {
        struct plugin_pool **pools; /* by the set's plugin index */
        bool *fresh;
};

static int make_plan(struct runner *r, const struct handlers *set, const struct plan *plan,
                     struct err *e)
{
        for (size_t i = 0; i < handlers_plugin_count(set); i++) {
                const struct plugin *plugin = handlers_plugin_at(set, i);
                struct plugin_pool *p = find_pool(r, plugin->name);

                plan->fresh[i] = p == NULL || p->names.length == 0 || !is_same(p, plugin);
                plan->pools[i] = plan->fresh[i] ? open_pool(r, plugin, e) : p;
                if (plan->pools[i] == NULL || check_names(plan->pools[i], set, plugin, e) != 0)
                        return -1;
        }
        return 0;
}

static bool is_in_plan(const struct plan *plan, size_t count, const struct plugin_pool *p)
{
        for (size_t i = 0; i < count; i++) {
                if (plan->pools[i] == p)
                        return true;
        }
        return false;
}

/* Fresh pools that a failed plan leaves behind. */
static void drop_plan(const struct plan *plan, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                if (plan->fresh[i] && plan->pools[i] != NULL)
                        retire(plan->pools[i]);
        }
}

static void follow_plan(struct runner *r, const struct handlers *set, const struct plan *plan)
{
        size_t count = handlers_plugin_count(set);
        struct plugin_pool *p, *next;

        DL_FOREACH_SAFE (r->pools, p, next) {
                if (p->in_force && !p->retired && !is_in_plan(plan, count, p))
                        retire(p);
        }
        for (size_t i = 0; i < count; i++) {
                plan->pools[i]->in_force = true;
                set_limits(plan->pools[i], handlers_plugin_at(set, i));
                while (plan->pools[i]->idle != NULL &&
                       young_count(plan->pools[i]) > plan->pools[i]->size)
                        dismiss(plan->pools[i], plan->pools[i]->idle);
                fill(plan->pools[i]);
        }
}

int plugins_use(struct runner *r, const struct handlers *h, struct err *e)
{
        size_t count = handlers_plugin_count(h);
        AUTO_FREE struct plugin_pool **pools = xcalloc(count, sizeof(struct plugin_pool *));
        AUTO_FREE bool *fresh = xcalloc(count, sizeof(bool));
        const struct plan plan = {.pools = pools, .fresh = fresh};

        if (make_plan(r, h, &plan, e) != 0) {
                drop_plan(&plan, count);
                return -1;
        }
        follow_plan(r, h, &plan);
        return 0;
}

bool plugin_has_room(const struct runner *r, const struct handler *h)
{
        const struct plugin_pool *p = find_pool(r, h->plugin->name);

        return p != NULL && p->idle != NULL;
}

struct run *plugin_start(struct runner *r, const struct run_request *q, const struct run_events *on,
                         void *owner, struct err *e)
{
        struct plugin_pool *p = find_pool(r, q->handler->plugin->name);

        while (p != NULL && p->idle != NULL) {
                struct plugin_host *h = p->idle;
                struct err unfit = {0};

                p->idle = h->next_idle;
                if (host_give(h, q, on, owner, &unfit) == 0)
                        return &h->run;
                LOG_WARN("a plugin host took no job", log_text("plugin", p->name), log_err(&unfit));
        }
        err_set(e, ERR_FULL, "no host of plugin %s is free", q->handler->plugin->name);
        return NULL;
}

void plugin_stop(struct run *run, msec grace)
{
        host_cancel((struct plugin_host *)run, RUN_STOPPED, grace);
}

void plugin_look(struct run *run)
{
        talk_look((struct plugin_host *)run);
}

void plugins_destroy(struct runner *r)
{
        msec end = clock_mono() + END_PATIENCE;
        struct plugin_pool *p, *next;
        struct plugin_host *h, *next_host;

        DL_FOREACH (r->pools, p) {
                DL_FOREACH (p->hosts, h)
                        host_leave(h);
        }
        DL_FOREACH_SAFE (r->pools, p, next) {
                DL_FOREACH_SAFE (p->hosts, h, next_host) {
                        msec left = end - clock_mono();
                        DL_DELETE(p->hosts, h);
                        host_end(h, left > 0 ? left : 0);
                }
                pool_close(p);
        }
}
