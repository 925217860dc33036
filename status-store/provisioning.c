/* SPDX-License-Identifier: Apache-2.0
 *
 * provisioning.c: brings the broker and stream `control` in line with the registry.
 */
#include "status-store/provisioning.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "common/amqp/wait.h"
#include "common/base/condition.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/event.h"
#include "common/topology/topology.h"
#include "status-store/published.h"
#include "status-store/token_queues.h"

enum { POLL_S = 1 };

struct provisioning {
        struct registry *registry;
        struct http_client *management;
        char *vhost;
        msec delete_after;
        struct loop_thread *loop;
        struct link *link;           /* declares, and publishes to `control` */
        struct link *events_link;    /* publishes to `events`: no channel feeds two streams */
        struct token_queues *tokens; /* the calls with `applying` held */
        struct published *published; /* what `control` holds */
        pthread_t thread;
        bool has_thread;
        struct err refused; /* the thread's: why a tenant was skipped */
        int64_t missing;    /* the thread's: how many records `control` lacks */

        pthread_mutex_t applying; /* held while a change is sent to the broker */
        pthread_mutex_t mutex;
        pthread_cond_t news;
        bool ending; /* guarded by mutex, like work */
        struct work {
                bool awake;   /* it is looked for at once */
                bool declare; /* all tenants' queues: the broker was away */
                bool tokens;  /* likewise, the queues of limits' tokens */
                bool compare; /* `control`, which has been read, with the registry */
        } work;
};

static void add_work(struct provisioning *p, struct work more)
{
        pthread_mutex_lock(&p->mutex);
        p->work.awake |= more.awake;
        p->work.declare |= more.declare;
        p->work.tokens |= more.tokens;
        p->work.compare |= more.compare;
        pthread_cond_signal(&p->news);
        pthread_mutex_unlock(&p->mutex);
}

static void on_up(void *owner)
{
        add_work(owner, (struct work){.awake = true, .declare = true});
}

static void on_tokens_up(void *owner)
{
        add_work(owner, (struct work){.awake = true, .tokens = true});
}

static void on_read(void *owner)
{
        add_work(owner, (struct work){.awake = true, .compare = true});
}

/* Publishes m under a new id, which it fills, and waits for the confirm. */
static int publish(struct link *l, const char *stream, struct message *m, char id[UUID_SIZE],
                   struct err *e)
{
        uuid7(id);
        m->exchange = bytes_of_text(stream);
        m->routing_key = bytes_of_text("");
        m->message_id = bytes_of_text(id);
        m->timestamp = clock_wall() / MSEC_SECOND;
        m->delivery_mode = 2;
        m->mandatory = true;
        enum link_result result = LINK_CLOSED;
        if (publish_and_wait(l, m, &result, e) != 0)
                return -1;
        if (result == LINK_RETURNED)
                return err_set(e, ERR_UNAVAILABLE,
                               "exchange %s routes to no stream: run `warren topology apply`",
                               stream);
        if (result != LINK_CONFIRMED)
                return err_set(e, ERR_UNAVAILABLE,
                               "the broker did not confirm a message to exchange %s", stream);
        return 0;
}

static int publish_record(struct provisioning *p, const struct record *r, struct err *e)
{
        AUTO_BUFFER body = {0};
        char id[UUID_SIZE];
        record_write(r, &body);
        struct message m = {.content_type = bytes_of_text("application/json"),
                            .body = buffer_bytes(&body)};
        return publish(p->link, "control", &m, id, e);
}

int provisioning_publish_events(struct provisioning *p, struct bytes lines, struct err *e)
{
        char id[UUID_SIZE];
        struct message m = {.content_type = bytes_of_text(EVENTS_CONTENT_TYPE), .body = lines};
        return publish(p->events_link, "events", &m, id, e);
}

int provisioning_publish_marker(struct provisioning *p, char id[UUID_SIZE], struct err *e)
{
        struct message m = {.type = bytes_of_text("probe"),
                            .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                            .body = bytes_of_text("")};
        return publish(p->events_link, "events", &m, id, e);
}

static int apply_tenant(void *owner, const struct tenant *t, struct err *e)
{
        struct provisioning *p = owner;
        struct tenant filled = *t;
        if ((!t->record.deleted && topology_apply_tenant(p->link, t->record.name, e) != 0) ||
            token_queues_fill_tenant(p->tokens, &filled, e) != 0)
                return -1;
        struct record r = {.kind = RECORD_TENANT, .tenant = filled.record};
        if (publish_record(p, &r, e) != 0)
                return -1;
        return registry_published(p->registry, RECORD_TENANT, t->record.name, t->record.v, e);
}

static int apply_type(void *owner, const struct type *t, struct err *e)
{
        struct provisioning *p = owner;
        struct type filled = *t;
        if (token_queues_fill_type(p->tokens, &filled, e) != 0)
                return -1;
        struct record r = {.kind = RECORD_TYPE, .type = filled.record};
        if (publish_record(p, &r, e) != 0)
                return -1;
        return registry_published(p->registry, RECORD_TYPE, t->record.name, t->record.v, e);
}

static int publish_key(void *owner, const struct key *k, struct err *e)
{
        struct provisioning *p = owner;
        struct record r = {.kind = RECORD_KEY, .key = k->record};
        if (publish_record(p, &r, e) != 0)
                return -1;
        return registry_published(p->registry, RECORD_KEY, k->record.id, k->record.v, e);
}

static int apply_one(struct provisioning *p, const char *tenant, struct err *e)
{
        struct tenant t = {0};
        int found = registry_tenant(p->registry, tenant, &t, e);
        if (found < 0 || (found == 1 && apply_tenant(p, &t, e) != 0))
                return -1;
        return registry_each_key(p->registry, WHICH_UNPUBLISHED, tenant, publish_key, p, e);
}

int provisioning_apply(struct provisioning *p, const char *tenant, struct err *e)
{
        pthread_mutex_lock(&p->applying);
        int done = apply_one(p, tenant, e);
        pthread_mutex_unlock(&p->applying);
        if (done != 0)
                provisioning_wake(p);
        return done;
}

int provisioning_apply_type(struct provisioning *p, const char *type, struct err *e)
{
        struct type t;
        pthread_mutex_lock(&p->applying);
        int found = registry_type(p->registry, type, &t, e);
        int done = found == 1 ? apply_type(p, &t, e) : found;
        pthread_mutex_unlock(&p->applying);
        if (done != 0)
                provisioning_wake(p);
        return done;
}

/* False when the login may still exist; p->refused then says why. */
static bool remove_login(struct provisioning *p, const struct tenant *t)
{
        struct err why = {0};
        if (provisioning_delete_login(p, t->record.name, &why) == 0 &&
            registry_note_login(p->registry, t->record.name, LOGIN_NONE, &why) == 0)
                return true;
        (void)err_set(&p->refused, why.code, "login of %s: %s", t->record.name, why.text);
        return false;
}

/* Deletes the queues and the login of a tenant that was deleted long enough ago; waits while its
 * queues have consumers. Before the name is free, the login is deleted once more, known or not:
 * else it could act as the next tenant of that name. */
static int remove_deleted(void *owner, const struct tenant *t, struct err *e)
{
        struct provisioning *p = owner;
        struct err why = {0};
        if (!t->record.deleted || clock_wall() < t->deleted_at + p->delete_after)
                return 0;
        if ((t->amqp_login || t->login_unsure) && !remove_login(p, t))
                return 0;
        if (topology_delete_tenant(p->link, t->record.name, &why) != 0) {
                if (why.code != ERR_CONFLICT)
                        return err_set(e, why.code, "%s", why.text);
                return 0;
        }
        if (p->management != NULL && !remove_login(p, t))
                return 0;
        LOG_INFO("queues of a deleted tenant removed", log_text("tenant", t->record.name));
        return registry_drop_tenant(p->registry, t->record.name, e);
}

static int note_refused(struct provisioning *p, const char *what, const struct err *why)
{
        (void)err_set(&p->refused, why->code, "%s: %s", what, why->text);
        return 0;
}

/* Skips a tenant whose queues the broker refuses (they exist with other arguments): the records
 * after it, revoked keys among them, must be published. */
static int skip_conflict(struct provisioning *p, const struct tenant *t, const struct err *why,
                         struct err *e)
{
        if (why->code != ERR_CONFLICT)
                return err_set(e, why->code, "%s", why->text);
        return note_refused(p, t->record.name, why);
}

/* Skips a tenant whose tokens cannot be filled, for the same reason. */
static int apply_or_skip(void *owner, const struct tenant *t, struct err *e)
{
        struct provisioning *p = owner;
        struct tenant filled = *t;
        struct err why = {0};
        if (token_queues_retry_tenant(p->tokens, &filled, &why) != 0)
                return note_refused(p, t->record.name, &why);
        return apply_tenant(p, &filled, &why) == 0 ? 0 : skip_conflict(p, t, &why, e);
}

static int apply_type_or_skip(void *owner, const struct type *t, struct err *e)
{
        struct provisioning *p = owner;
        struct type filled = *t;
        struct err why = {0};
        if (token_queues_retry_type(p->tokens, &filled, &why) != 0)
                return note_refused(p, t->record.name, &why);
        return apply_type(p, &filled, e);
}

/* A refused tenant is marked as unpublished, so that it is tried again. */
static int declare_tenant(void *owner, const struct tenant *t, struct err *e)
{
        struct provisioning *p = owner;
        struct err why = {0};
        if (t->record.deleted || topology_apply_tenant(p->link, t->record.name, &why) == 0)
                return 0;
        if (skip_conflict(p, t, &why, e) != 0)
                return -1;
        return registry_republish(p->registry, RECORD_TENANT, t->record.name, t->record.v, e);
}

/* Republishes a record that `control` lacks. */
static int compare(struct provisioning *p, enum record_kind kind, const char *name, int64_t v,
                   struct err *e)
{
        if (published_has(p->published, kind, name, v))
                return 0;
        p->missing++;
        return registry_republish(p->registry, kind, name, v, e);
}

static int compare_tenant(void *owner, const struct tenant *t, struct err *e)
{
        return compare(owner, RECORD_TENANT, t->record.name, t->record.v, e);
}

static int compare_type(void *owner, const struct type *t, struct err *e)
{
        return compare(owner, RECORD_TYPE, t->record.name, t->record.v, e);
}

static int compare_key(void *owner, const struct key *k, struct err *e)
{
        return compare(owner, RECORD_KEY, k->record.id, k->record.v, e);
}

static int compare_all(struct provisioning *p, struct err *e)
{
        p->missing = 0;
        if (registry_each_tenant(p->registry, WHICH_ALL, compare_tenant, p, e) != 0 ||
            registry_each_key(p->registry, WHICH_ALL, NULL, compare_key, p, e) != 0 ||
            registry_each_type(p->registry, WHICH_ALL, compare_type, p, e) != 0)
                return -1;
        LOG_INFO("control is compared with the registry; records that it lacks are published",
                 log_int("records", p->missing));
        return 0;
}

/* Clears the parts of w that are done. */
static int apply_all(struct provisioning *p, struct work *w, struct err *e)
{
        struct registry *r = p->registry;
        struct err why = {0};
        err_clear(&p->refused);
        if (w->declare && registry_each_tenant(r, WHICH_ALL, declare_tenant, p, e) != 0)
                return -1;
        w->declare = false;
        /* Once a connection: its end is followed by the next `up`. */
        if (w->tokens && token_queues_declare(p->tokens, &why) != 0)
                (void)note_refused(p, "tokens", &why);
        w->tokens = false;
        err_clear(&why);
        if (w->compare && compare_all(p, e) != 0)
                return -1;
        w->compare = false;
        if (registry_each_tenant(r, WHICH_UNPUBLISHED, apply_or_skip, p, e) != 0 ||
            registry_each_key(r, WHICH_UNPUBLISHED, NULL, publish_key, p, e) != 0 ||
            registry_each_type(r, WHICH_UNPUBLISHED, apply_type_or_skip, p, e) != 0 ||
            registry_each_tenant(r, WHICH_ALL, remove_deleted, p, e) != 0)
                return -1;
        if (token_queues_sweep(p->tokens, &why) != 0)
                (void)note_refused(p, "tokens", &why);
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
                if (link_is_up(p->link)) {
                        pthread_mutex_lock(&p->applying);
                        int done = apply_all(p, &w, &why);
                        pthread_mutex_unlock(&p->applying);
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
                                                   .delete_after = o->p->delete_after,
                                                   .up = on_tokens_up,
                                                   .owner = o->p};
        o->p->tokens = token_queues_create(&tokens, loop, o->e);
        if (o->p->tokens != NULL)
                o->p->published = published_create(o->config, on_read, o->p, loop, o->e);
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
        p->management = c->management;
        p->vhost = xstrdup(c->vhost);
        p->delete_after = c->delete_after;
        pthread_mutex_init(&p->applying, NULL);
        pthread_mutex_init(&p->mutex, NULL);
        condition_init(&p->news);
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
        if (p->has_thread)
                pthread_join(p->thread, NULL);
        if (p->loop != NULL) {
                loop_thread_run(p->loop, close_link, p);
                loop_thread_destroy(&p->loop);
        }
        pthread_cond_destroy(&p->news);
        pthread_mutex_destroy(&p->mutex);
        pthread_mutex_destroy(&p->applying);
        free(p->vhost);
        free(p);
}

int provisioning_check(const struct provisioning *p, struct err *e)
{
        if (link_is_up(p->link) && token_queues_are_up(p->tokens))
                return 0;
        return err_set(e, ERR_UNAVAILABLE, "the broker cannot be reached for provisioning");
}

int provisioning_can_make_login(const struct provisioning *p, struct err *e)
{
        if (p->management != NULL)
                return 0;
        return err_set(e, ERR_INVALID,
                       "a broker login needs the management API: set management_url, "
                       "management_login and management_password_file of the status-store");
}

int provisioning_make_login(struct provisioning *p, const char *tenant, const char *password,
                            struct err *e)
{
        if (provisioning_can_make_login(p, e) != 0)
                return -1;
        return topology_put_tenant_account(p->management, p->vhost, tenant, password, e);
}

int provisioning_delete_login(struct provisioning *p, const char *tenant, struct err *e)
{
        if (provisioning_can_make_login(p, e) != 0)
                return -1;
        return topology_delete_tenant_account(p->management, tenant, e);
}

void provisioning_wake(struct provisioning *p)
{
        add_work(p, (struct work){.awake = true});
}
