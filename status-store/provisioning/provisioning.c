/* SPDX-License-Identifier: Apache-2.0
 *
 * provisioning.c: brings the broker and stream `control` in line with the registry.
 */
#include "status-store/provisioning/provisioning.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "common/amqp/wait.h"
#include "common/base/condition.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/event.h"
#include "common/topology/topology.h"
#include "status-store/provisioning/in_force.h"
#include "status-store/provisioning/published.h"
#include "status-store/provisioning/stream_publish.h"
#include "status-store/provisioning/tenant_removal.h"
#include "status-store/provisioning/token_queues.h"
#include "status-store/registry/registry_keys.h"
#include "status-store/registry/registry_pauses.h"

enum { POLL_S = 1, TOLD_WAIT = 5 * MSEC_SECOND };

struct provisioning {
        struct registry *registry;
        pthread_mutex_t *changing;          /* borrowed */
        const struct tenant_logins *logins; /* borrowed */
        msec delete_after;
        void (*paused)(void *owner, const char *key, bool paused);
        void *owner;
        struct loop_thread *loop;
        struct link *link;        /* declares, and publishes to `control` */
        struct link *events_link; /* publishes to `events`: no channel feeds two streams */
        struct token_queues *tokens;
        struct published *published; /* what `control` holds */
        pthread_t thread;
        bool has_thread;
        struct err refused; /* the thread's: why a tenant was skipped */

        atomic_bool begun;
        pthread_mutex_t applying; /* held while a change is sent to the broker */
        pthread_mutex_t mutex;
        pthread_cond_t news;
        pthread_cond_t told; /* a record was published */
        bool ending;         /* guarded by mutex, like work */
        struct work {
                bool awake;   /* it is looked for at once */
                bool declare; /* queues of all tenants and pauses: the broker was away */
                bool compare; /* `control`, which has been read, with the registry */
        } work;
};

static void add_work(struct provisioning *p, struct work more)
{
        pthread_mutex_lock(&p->mutex);
        p->work.awake |= more.awake;
        p->work.declare |= more.declare;
        p->work.compare |= more.compare;
        pthread_cond_signal(&p->news);
        pthread_mutex_unlock(&p->mutex);
}

static void on_up(void *owner)
{
        add_work(owner, (struct work){.awake = true, .declare = true});
}

static void on_read(void *owner)
{
        add_work(owner, (struct work){.awake = true, .compare = true});
}

static int publish_record(struct provisioning *p, const struct record *r, struct err *e)
{
        AUTO_BUFFER body = {0};
        char id[UUID_SIZE];
        record_write(r, &body);
        struct message m = {.content_type = bytes_of_text("application/json"),
                            .body = buffer_bytes(&body)};
        return stream_publish(p->link, "control", &m, id, e);
}

int provisioning_publish_events(struct provisioning *p, struct bytes lines, struct err *e)
{
        char id[UUID_SIZE];
        struct message m = {.content_type = bytes_of_text(EVENTS_CONTENT_TYPE), .body = lines};
        return stream_publish(p->events_link, "events", &m, id, e);
}

int provisioning_publish_marker(struct provisioning *p, char id[UUID_SIZE], struct err *e)
{
        struct message m = {.type = bytes_of_text("probe"),
                            .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                            .body = bytes_of_text("")};
        return stream_publish(p->events_link, "events", &m, id, e);
}

/* Does nothing when another thread has published it. */
static int publish_row(struct provisioning *p, const struct record *r, const char *name, int64_t v,
                       struct err *e)
{
        int told = registry_is_published(p->registry, r->kind, name, e);
        if (told != 0)
                return told < 0 ? -1 : 0;
        if (publish_record(p, r, e) != 0 ||
            registry_published(p->registry, r->kind, name, v, e) != 0)
                return -1;
        pthread_mutex_lock(&p->mutex);
        pthread_cond_broadcast(&p->told);
        pthread_mutex_unlock(&p->mutex);
        return 0;
}

static int apply_tenant(void *owner, const struct tenant *t, struct err *e)
{
        struct provisioning *p = owner;
        struct record r = {.kind = RECORD_TENANT};
        if (!t->record.deleted && topology_apply_tenant(p->link, t->record.name, e) != 0)
                return -1;
        if (tenant_needs_tokens(t))
                token_queues_wake(p->tokens);
        if (!tenant_in_force(t, &r.tenant))
                return 0;
        return publish_row(p, &r, t->record.name, t->record.v, e);
}

static int apply_type(void *owner, const struct type *t, struct err *e)
{
        struct provisioning *p = owner;
        struct record r = {.kind = RECORD_TYPE};
        if (type_needs_tokens(t))
                token_queues_wake(p->tokens);
        if (!type_in_force(t, &r.type))
                return 0;
        return publish_row(p, &r, t->record.name, t->record.v, e);
}

static int apply_pause(void *owner, const struct pause_record *pause, struct err *e)
{
        struct provisioning *p = owner;
        const struct record r = {.kind = RECORD_PAUSE, .pause = *pause};
        if (topology_apply_pause(p->link, pause->key, e) != 0 ||
            publish_row(p, &r, pause->key, pause->v, e) != 0)
                return -1;
        p->paused(p->owner, pause->key, pause->paused);
        return 0;
}

static int publish_key(void *owner, const struct key *k, struct err *e)
{
        struct provisioning *p = owner;
        struct record r = {.kind = RECORD_KEY, .key = k->record};
        if (publish_record(p, &r, e) != 0)
                return -1;
        return registry_published(p->registry, RECORD_KEY, k->record.id, k->record.v, e);
}

/* Runs `run` on the tenant's row of now. Other tenants' changes come between two calls. */
static int with_tenant(struct provisioning *p, const char *name, tenant_fn *run, struct err *e)
{
        struct tenant t = {0};
        pthread_mutex_lock(&p->applying);
        int found = registry_tenant(p->registry, name, &t, e);
        int done = found == 1 ? run(p, &t, e) : found;
        pthread_mutex_unlock(&p->applying);
        return done;
}

static int woken_if_failed(struct provisioning *p, int done)
{
        if (done != 0)
                provisioning_wake(p);
        return done;
}

int provisioning_apply_keys(struct provisioning *p, const char *tenant, struct err *e)
{
        return woken_if_failed(
                p, registry_each_key(p->registry, WHICH_UNPUBLISHED, tenant, publish_key, p, e));
}

int provisioning_apply(struct provisioning *p, const char *tenant, struct err *e)
{
        return woken_if_failed(p, with_tenant(p, tenant, apply_tenant, e));
}

int provisioning_apply_type(struct provisioning *p, const char *type, struct err *e)
{
        struct type t;
        pthread_mutex_lock(&p->applying);
        int found = registry_type(p->registry, type, &t, e);
        int done = found == 1 ? apply_type(p, &t, e) : found;
        pthread_mutex_unlock(&p->applying);
        return woken_if_failed(p, done);
}

static int with_pause(struct provisioning *p, const char *key, pause_fn *run, struct err *e)
{
        struct pause_record pause;
        pthread_mutex_lock(&p->applying);
        int found = registry_pause(p->registry, key, &pause, e);
        int done = found == 1 ? run(p, &pause, e) : found;
        pthread_mutex_unlock(&p->applying);
        return done;
}

int provisioning_apply_pause(struct provisioning *p, const char *key, struct err *e)
{
        return woken_if_failed(p, with_pause(p, key, apply_pause, e));
}

static void on_filled(void *owner, enum record_kind kind, const char *name)
{
        struct provisioning *p = owner;
        struct err ignored = {0}; /* the thread repeats it, and tells why it fails */
        if (kind == RECORD_TYPE)
                (void)!provisioning_apply_type(p, name, &ignored);
        else
                (void)!provisioning_apply(p, name, &ignored);
}

bool provisioning_await(struct provisioning *p, enum record_kind kind, const char *name)
{
        struct err ignored = {0};
        const msec until = clock_mono() + TOLD_WAIT;
        bool told, goes_on = true;
        pthread_mutex_lock(&p->mutex);
        while (!(told = registry_is_in_force(p->registry, kind, name, &ignored) == 1) && goes_on)
                goes_on = !p->ending && condition_wait(&p->told, &p->mutex, until);
        pthread_mutex_unlock(&p->mutex);
        return told;
}

void provisioning_begin(struct provisioning *p)
{
        p->begun = true;
        provisioning_wake(p);
        token_queues_begin(p->tokens);
}

static int remove_deleted(void *owner, const struct tenant *t, struct err *e)
{
        struct provisioning *p = owner;
        const struct tenant_removal removal = {.registry = p->registry,
                                               .link = p->link,
                                               .logins = p->logins,
                                               .after = p->delete_after,
                                               .refused = &p->refused};
        return tenant_remove(&removal, t, e);
}

/* Skips a tenant or pause whose queues the broker refuses (they exist with other arguments): the
 * records after it, revoked keys among them, must be published. */
static int skip_conflict(struct provisioning *p, const char *name, const struct err *why,
                         struct err *e)
{
        if (why->code != ERR_CONFLICT)
                return err_set(e, why->code, "%s", why->text);
        (void)err_set(&p->refused, why->code, "%s: %s", name, why->text);
        return 0;
}

/* A new one comes when its tokens are there: its queues need not be declared till then. */
static int apply_or_skip(void *owner, const struct tenant *t, struct err *e)
{
        struct provisioning *p = owner;
        struct tenant_record ignored;
        struct err why = {0};
        if (!tenant_in_force(t, &ignored) || apply_tenant(p, t, &why) == 0)
                return 0;
        return skip_conflict(p, t->record.name, &why, e);
}

/* A refused tenant is marked as unpublished, so that it is tried again. */
static int declare_tenant(void *owner, const struct tenant *t, struct err *e)
{
        struct provisioning *p = owner;
        struct err why = {0};
        if (t->record.deleted || topology_apply_tenant(p->link, t->record.name, &why) == 0)
                return 0;
        if (skip_conflict(p, t->record.name, &why, e) != 0)
                return -1;
        return registry_republish(p->registry, RECORD_TENANT, t->record.name, t->record.v, e);
}

static int declare_locked(void *owner, const struct tenant *t, struct err *e)
{
        return with_tenant(owner, t->record.name, declare_tenant, e);
}

/* A refused pause is tried again, like a tenant. */
static int apply_pause_or_skip(void *owner, const struct pause_record *pause, struct err *e)
{
        struct provisioning *p = owner;
        struct err why = {0};
        if (apply_pause(p, pause, &why) == 0)
                return 0;
        if (skip_conflict(p, pause->key, &why, e) != 0)
                return -1;
        return registry_republish(p->registry, RECORD_PAUSE, pause->key, pause->v, e);
}

static int declare_pause(void *owner, const struct pause_record *pause, struct err *e)
{
        return with_pause(owner, pause->key, apply_pause_or_skip, e);
}

static int remove_locked(void *owner, const struct tenant *t, struct err *e)
{
        return t->record.deleted ? with_tenant(owner, t->record.name, remove_deleted, e) : 0;
}

static int publish_rows(struct provisioning *p, struct err *e)
{
        struct registry *r = p->registry;
        pthread_mutex_lock(&p->applying);
        int done = registry_each_tenant(r, WHICH_UNPUBLISHED, apply_or_skip, p, e);
        if (done == 0)
                done = registry_each_type(r, WHICH_UNPUBLISHED, apply_type, p, e);
        if (done == 0)
                done = registry_each_pause(r, WHICH_UNPUBLISHED, apply_pause_or_skip, p, e);
        pthread_mutex_unlock(&p->applying);
        return done;
}

/* Clears the parts of w that are done. */
static int apply_all(struct provisioning *p, struct work *w, struct err *e)
{
        struct registry *r = p->registry;
        err_clear(&p->refused);
        if (w->declare && (registry_each_tenant(r, WHICH_ALL, declare_locked, p, e) != 0 ||
                           registry_each_pause(r, WHICH_ALL, declare_pause, p, e) != 0))
                return -1;
        w->declare = false;
        if (w->compare && published_compare(p->published, r, e) != 0)
                return -1;
        w->compare = false;
        if (registry_each_key(r, WHICH_UNPUBLISHED, NULL, publish_key, p, e) != 0 ||
            publish_rows(p, e) != 0 || registry_each_tenant(r, WHICH_ALL, remove_locked, p, e) != 0)
                return -1;
        if (err_is_set(&p->refused))
                return err_set(e, p->refused.code, "%s", p->refused.text);
        return 0;
}

/* False when the thread is to end. */
static bool wait_for_work(struct provisioning *p, struct work *w)
{
        msec until = clock_mono() + POLL_S * MSEC_SECOND;
        pthread_mutex_lock(&p->mutex);
        while (!p->ending && !p->work.awake && condition_wait(&p->news, &p->mutex, until))
                continue;
        *w = p->work;
        p->work = (struct work){0};
        w->awake = false;
        bool goes_on = !p->ending;
        pthread_mutex_unlock(&p->mutex);
        return goes_on;
}

static void *run(void *owner)
{
        struct provisioning *p = owner;
        struct work w;
        bool warned = false;
        while (wait_for_work(p, &w)) {
                struct err why = {0};
                if (p->begun && link_is_up(p->link)) {
                        int done = apply_all(p, &w, &why);
                        if (done != 0 && !warned)
                                LOG_WARN("tenants not provisioned; trying again", log_err(&why));
                        warned = done != 0;
                }
                add_work(p, w); /* what was not done, for the next round */
        }
        return NULL;
}

struct opening {
        struct provisioning *p;
        const struct link_config *config;
        struct err *e;
};

static void open_link(void *owner)
{
        static const struct link_events events = {.up = on_up};
        struct opening *o = owner;
        uv_loop_t *loop = loop_thread_loop(o->p->loop);
        AUTO_FREE char *name = xasprintf("%s events", o->config->name);
        struct link_config config = *o->config;
        config.stream = "control";
        o->p->link = link_create(&config, &events, o->p, loop, o->e);
        if (o->p->link == NULL)
                return;
        config.name = name;
        config.stream = "events";
        o->p->events_link = link_create(&config, NULL, o->p, loop, o->e);
        if (o->p->events_link == NULL)
                return;
        const struct token_queues_config tokens = {.link = o->config,
                                                   .registry = o->p->registry,
                                                   .changing = o->p->changing,
                                                   .delete_after = o->p->delete_after,
                                                   .filled = on_filled,
                                                   .owner = o->p};
        o->p->tokens = token_queues_create(&tokens, loop, o->e);
        if (o->p->tokens != NULL)
                o->p->published = published_create(o->config, on_read, o->p, loop, o->e);
}

/* What the threads wait for ends. */
static void stop_links(void *owner)
{
        struct provisioning *p = owner;
        token_queues_stop(p->tokens);
        link_stop(p->link);
}

static void close_link(void *owner)
{
        struct provisioning *p = owner;
        link_destroy(&p->link);
        link_destroy(&p->events_link);
        token_queues_destroy(&p->tokens);
        published_destroy(&p->published);
}

struct provisioning *provisioning_create(const struct provisioning_config *c, struct err *e)
{
        AUTO(provisioning) p = xcalloc(1, sizeof(*p));
        p->registry = c->registry;
        p->changing = c->changing;
        p->logins = c->logins;
        p->delete_after = c->delete_after;
        p->paused = c->paused;
        p->owner = c->owner;
        pthread_mutex_init(&p->applying, NULL);
        pthread_mutex_init(&p->mutex, NULL);
        condition_init(&p->news);
        condition_init(&p->told);
        p->loop = loop_thread_create(e);
        if (p->loop == NULL)
                return NULL;
        struct opening o = {p, &c->link, e};
        loop_thread_run(p->loop, open_link, &o);
        if (p->published == NULL)
                return NULL;
        if (pthread_create(&p->thread, NULL, run, p) != 0) {
                (void)err_set(e, ERR_SYSTEM, "cannot start the provisioning thread");
                return NULL;
        }
        p->has_thread = true;
        return TAKE(p);
}

void provisioning_destroy(struct provisioning **provisioning)
{
        struct provisioning *p = TAKE(*provisioning);
        if (p == NULL)
                return;
        pthread_mutex_lock(&p->mutex);
        p->ending = true;
        pthread_cond_signal(&p->news);
        pthread_mutex_unlock(&p->mutex);
        if (p->loop != NULL)
                loop_thread_run(p->loop, stop_links, p);
        if (p->has_thread)
                pthread_join(p->thread, NULL);
        token_queues_join(p->tokens);
        if (p->loop != NULL) {
                loop_thread_run(p->loop, close_link, p);
                loop_thread_destroy(&p->loop);
        }
        pthread_cond_destroy(&p->news);
        pthread_cond_destroy(&p->told);
        pthread_mutex_destroy(&p->mutex);
        pthread_mutex_destroy(&p->applying);
        free(p);
}

int provisioning_check(const struct provisioning *p, struct err *e)
{
        if (link_is_up(p->link) && token_queues_are_up(p->tokens))
                return 0;
        return err_set(e, ERR_UNAVAILABLE, "the broker cannot be reached for provisioning");
}

void provisioning_wake(struct provisioning *p)
{
        add_work(p, (struct work){.awake = true});
}
