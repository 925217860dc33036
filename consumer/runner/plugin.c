/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin.c: keeps each plugin's pool of host processes at its size. A host that died is replaced:
 * at once after a crash in a job, with backoff otherwise. A host that has run `recycle_after` jobs
 * ends once its replacement is ready.
 */
#include "consumer/runner/plugin.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/base/alarm.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "consumer/launch/as_started.h"
#include "consumer/runner/plugin_build.h"
#include "consumer/runner/plugin_host.h"

#define RESTART_WAIT_MIN ((msec)100)
#define RESTART_WAIT_MAX ((msec)30 * MSEC_SECOND)
#define OPEN_LIMIT ((msec)10 * MSEC_SECOND)
#define END_LIMIT ((msec)2 * MSEC_SECOND)

struct plugins {
        struct runs *runs;
        uv_loop_t *loop;
        char *host_program;
        char as_started[AS_STARTED_SIZE]; /* passed to what it starts */
        int64_t workers;
        struct plugin_pool *pools;
        struct metric *hosts_started, *hosts_running;
        char *scratch; /* TALK_READ_SIZE bytes, for one read */
};

struct plugin_pool {
        struct plugins *all;
        struct plugin_pool *prev, *next;
        struct plugin_build build;
        int64_t recycle_after, size;
        struct plugin_host *hosts;        /* all that are not reaped */
        struct plugin_host *idle;         /* last used first, as its caches are warm */
        unsigned failures;                /* consecutive deaths outside a job */
        const struct plugin *next_plugin; /* of the set that is being put in force; NULL: none */
        bool in_force;                    /* part of the set in force */
        bool retired;                     /* no longer in the set: freed after its last host */
        struct alarm *restart;            /* set while a start waits */
};

struct plugins *plugins_create(const struct runner_config *c, struct runs *runs)
{
        struct plugins *all = xcalloc(1, sizeof(*all));

        all->runs = runs;
        all->loop = c->loop;
        all->host_program = xstrdup(c->host_program);
        as_started_write(c->as_started, all->as_started);
        all->workers = c->workers > 0 ? (int64_t)c->workers : 1;
        all->scratch = xmalloc(TALK_READ_SIZE);
        all->hosts_started = metric_add(
                c->metrics,
                &(struct metric_spec){.name = "warren_plugin_hosts_started_total",
                                      .help = "Plugin host processes started, by plugin.",
                                      .kind = METRIC_COUNTER,
                                      .labels = {"plugin"}});
        all->hosts_running =
                metric_add(c->metrics, &(struct metric_spec){.name = "warren_plugin_hosts",
                                                             .help = "Plugin host processes.",
                                                             .kind = METRIC_GAUGE,
                                                             .labels = {"plugin"}});
        return all;
}

static void fill(struct plugin_pool *p);

static void show_size(const struct plugin_pool *p)
{
        const struct plugin_host *h;
        int count;

        if (p->retired || !p->in_force)
                return;
        DL_COUNT(p->hosts, h, count);
        metric_set(p->all->hosts_running, count, p->build.plugin.name);
}

static void pool_free(struct plugin_pool *p)
{
        DL_DELETE(p->all->pools, p);
        alarm_destroy(&p->restart);
        build_fini(&p->build);
        free(p);
}

/* Takes an idle host off its list, if it is on it. */
static void forget_idle(struct plugin_pool *p, struct plugin_host *h)
{
        if (p->idle != NULL)
                LL_DELETE2(p->idle, h, next_idle);
}

static void dismiss(struct plugin_pool *p, struct plugin_host *h)
{
        forget_idle(p, h);
        host_leave(h);
}

static int64_t staying_count(const struct plugin_pool *p)
{
        const struct plugin_host *h;
        int64_t count = 0;

        DL_FOREACH (p->hosts, h)
                count += !h->replaced && h->state != HOST_LEAVING;
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

/* A host has become ready: ends an idle one marked `replaced`. A busy one ends after its job. */
static void dismiss_one_replaced(struct plugin_pool *p)
{
        struct plugin_host *h;

        DL_FOREACH (p->hosts, h) {
                if (h->replaced && h->state == HOST_IDLE) {
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
        buffer_clear(&p->build.names);
        buffer_add(&p->build.names, names.data, names.length);
        LL_PREPEND2(p->idle, h, next_idle);
        dismiss_one_replaced(p);
}

static void on_idle(void *owner, struct plugin_host *h)
{
        struct plugin_pool *p = owner;

        p->failures = 0;
        if (p->retired || (h->replaced ? ready_count(p) : staying_count(p)) > p->size) {
                host_leave(h);
                return;
        }
        if (!h->replaced && p->recycle_after > 0 && h->served >= p->recycle_after) {
                h->replaced = true;
                fill(p);
        }
        LL_PREPEND2(p->idle, h, next_idle);
}

static void on_restart(void *owner)
{
        fill(owner);
}

static void fill_later(struct plugin_pool *p)
{
        unsigned doublings = p->failures < 16 ? p->failures : 16;
        msec wait = RESTART_WAIT_MIN << doublings;

        p->failures++;
        alarm_set(p->restart, wait < RESTART_WAIT_MAX ? wait : RESTART_WAIT_MAX);
}

static void on_died(void *owner, struct plugin_host *h, enum host_state was, const struct err *why)
{
        struct plugin_pool *p = owner;

        forget_idle(p, h);
        DL_DELETE(p->hosts, h);
        show_size(p);
        if (was != HOST_LEAVING)
                LOG_WARN("a plugin host died", log_text("plugin", p->build.plugin.name),
                         log_err(why));
        if (p->retired) {
                if (p->hosts == NULL)
                        pool_free(p);
        } else if (was == HOST_BUSY || was == HOST_LEAVING) {
                fill(p);
        } else if (!alarm_is_set(p->restart)) {
                fill_later(p);
        }
}

static const struct host_events events = {on_ready, on_idle, on_died};

static struct plugin_host *add_host(struct plugin_pool *p, struct err *e)
{
        const struct host_spec spec = {
                .runs = p->all->runs,
                .loop = p->all->loop,
                .program = p->all->host_program,
                .as_started = p->all->as_started,
                .scratch = p->all->scratch,
                .plugin = &p->build.plugin,
                .on = &events,
                .owner = p,
        };
        struct plugin_host *h = host_create(&spec, e);
        if (h == NULL)
                return NULL;
        DL_APPEND(p->hosts, h);
        metric_increment(p->all->hosts_started, 1, p->build.plugin.name);
        show_size(p);
        return h;
}

static void fill(struct plugin_pool *p)
{
        if (p->retired || alarm_is_set(p->restart))
                return;
        for (int64_t missing = p->size - staying_count(p); missing > 0; missing--) {
                struct err e = {0};
                if (add_host(p, &e) != NULL)
                        continue;
                if (e.code == ERR_FULL) {
                        runs_note_shortage(p->all->runs, "plugin", &e);
                        alarm_set(p->restart, SHORTAGE_WAIT);
                } else {
                        LOG_WARN("cannot start a plugin host",
                                 log_text("plugin", p->build.plugin.name), log_err(&e));
                        fill_later(p);
                }
                return;
        }
}

static void retire(struct plugin_pool *p)
{
        struct plugin_host *h;

        p->retired = true;
        if (p->in_force)
                metric_set(p->all->hosts_running, 0, p->build.plugin.name);
        p->idle = NULL;
        alarm_stop(p->restart);
        if (p->hosts == NULL) {
                pool_free(p);
                return;
        }
        DL_FOREACH (p->hosts, h)
                host_leave(h);
}

static struct plugin_pool *find_pool(const struct plugins *all, const char *name)
{
        struct plugin_pool *p;

        DL_FOREACH (all->pools, p) {
                if (p->in_force && !p->retired && strcmp(p->build.plugin.name, name) == 0)
                        return p;
        }
        return NULL;
}

/* Creates a pool, with one host that has opened the plugin. find_pool does not find it yet. */
static struct plugin_pool *open_pool(struct plugins *all, const struct plugin *plugin,
                                     struct err *e)
{
        struct plugin_build build;
        if (build_init(&build, plugin, e) != 0)
                return NULL;

        struct plugin_pool *p = xcalloc(1, sizeof(*p));
        p->all = all;
        p->build = build;
        p->size = 1;
        p->restart = alarm_create(all->loop, on_restart, p);
        DL_APPEND(all->pools, p);

        struct plugin_host *h = add_host(p, e);
        if (h == NULL || host_wait(h, OPEN_LIMIT, e) != 0) {
                retire(p);
                return NULL;
        }
        return p;
}

/* Sets next_plugin of the pools of the set: those in force that fit, and new ones. */
static int find_next_pools(struct plugins *all, const struct handlers *set, struct err *e)
{
        const struct plugin *plugin;

        LL_FOREACH (handlers_first_plugin(set), plugin) {
                struct plugin_pool *p = find_pool(all, plugin->name);

                if (p == NULL || p->build.names.length == 0 || !build_is_current(&p->build, plugin))
                        p = open_pool(all, plugin, e);
                if (p == NULL)
                        return -1;
                p->next_plugin = plugin;
                if (build_check_names(&p->build, set, plugin, e) != 0)
                        return -1;
        }
        return 0;
}

/* The old set stays: retires the new pools. */
static void keep_pools(struct plugins *all)
{
        struct plugin_pool *p, *next;

        DL_FOREACH_SAFE (all->pools, p, next) {
                p->next_plugin = NULL;
                if (!p->in_force && !p->retired)
                        retire(p);
        }
}

/* A plugin's old pool comes before its new one, so the metric shows the new one in the end. */
static void change_pools(struct plugins *all)
{
        struct plugin_pool *p, *next;

        DL_FOREACH_SAFE (all->pools, p, next) {
                if (p->retired)
                        continue;
                const struct plugin *plugin = TAKE(p->next_plugin);
                if (plugin == NULL) {
                        retire(p);
                        continue;
                }
                p->in_force = true;
                p->size = plugin->processes > 0 ? plugin->processes : all->workers;
                p->recycle_after = plugin->recycle_after;
                while (p->idle != NULL && staying_count(p) > p->size)
                        dismiss(p, p->idle);
                fill(p);
                show_size(p);
        }
}

int plugins_use(struct plugins *all, const struct handlers *h, struct err *e)
{
        if (find_next_pools(all, h, e) != 0) {
                keep_pools(all);
                return -1;
        }
        change_pools(all);
        return 0;
}

bool plugins_have_room(const struct plugins *all, const struct handler *h)
{
        const struct plugin_pool *p = find_pool(all, h->plugin->name);

        return p != NULL && p->idle != NULL;
}

unsigned plugins_idle(const struct plugins *all, const struct handler *h)
{
        const struct plugin_pool *p = find_pool(all, h->plugin->name);
        unsigned count = 0;

        for (const struct plugin_host *i = p == NULL ? NULL : p->idle; i != NULL; i = i->next_idle)
                count++;
        return count;
}

struct run *plugin_start(struct plugins *all, const struct run_request *q,
                         const struct run_events *on, void *owner, struct err *e)
{
        struct plugin_pool *p = find_pool(all, q->handler->plugin->name);

        while (p != NULL && p->idle != NULL) {
                struct plugin_host *h = p->idle;
                struct err unfit = {0};

                p->idle = h->next_idle;
                struct run *run = host_give(h, q, on, owner, &unfit);
                if (run != NULL)
                        return run;
                LOG_WARN("cannot give a job to a plugin host",
                         log_text("plugin", p->build.plugin.name), log_err(&unfit));
        }
        err_set(e, ERR_FULL, "no host of plugin %s is free", q->handler->plugin->name);
        return NULL;
}

void plugins_destroy(struct plugins **all)
{
        msec end = clock_mono() + END_LIMIT;
        struct plugin_pool *p, *next;
        struct plugin_host *h, *next_host;

        if (*all == NULL)
                return;
        DL_FOREACH ((*all)->pools, p) {
                DL_FOREACH (p->hosts, h)
                        host_leave(h);
        }
        DL_FOREACH_SAFE ((*all)->pools, p, next) {
                DL_FOREACH_SAFE (p->hosts, h, next_host) {
                        msec left = end - clock_mono();
                        DL_DELETE(p->hosts, h);
                        host_end(h, left > 0 ? left : 0);
                }
                pool_free(p);
        }
        free((*all)->scratch);
        free((*all)->host_program);
        free(*all);
        *all = NULL;
}
