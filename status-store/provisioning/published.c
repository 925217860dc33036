/* SPDX-License-Identifier: Apache-2.0
 *
 * published.c: a set of names with their versions. While the stream is read anew, the set of the
 * last reading stays in use.
 */
#include "status-store/provisioning/published.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/clients/catch_up.h"
#include "status-store/registry/registry_keys.h"
#include "status-store/registry/registry_pauses.h"

enum { PREFETCH = 512, NAME_SIZE = 1 + PAUSE_KEY_SIZE }; /* a pause's key is the longest */

static const char name_kinds[] = {
        [RECORD_TENANT] = 't', [RECORD_KEY] = 'k', [RECORD_TYPE] = 'y', [RECORD_PAUSE] = 'p'};

struct version {
        char name[NAME_SIZE]; /* of name_kinds, then the tenant's or type's name or the id */
        int64_t v;
        UT_hash_handle hh;
};

struct published {
        struct catch_up *reader;
        char *login;
        void (*read)(void *owner);
        void *owner;
        /* Loop thread only. */
        struct version *reading; /* the new set, until the stream has been read */
        bool has_read;

        pthread_mutex_t mutex;
        struct version *known; /* guarded by mutex */
};

static void clear(struct version **set)
{
        struct version *one, *after;

        HASH_ITER (hh, *set, one, after) {
                HASH_DEL(*set, one);
                free(one);
        }
}

static void make_name(char out[NAME_SIZE], enum record_kind kind, const char *name)
{
        size_t length = strnlen(name, NAME_SIZE - 2);

        memset(out, 0, NAME_SIZE);
        out[0] = name_kinds[kind];
        memcpy(out + 1, name, length);
}

static void keep(struct version **set, enum record_kind kind, const char *name, int64_t v)
{
        char full[NAME_SIZE];
        struct version *one;

        make_name(full, kind, name);
        HASH_FIND_STR(*set, full, one);
        if (one == NULL) {
                one = xcalloc(1, sizeof(*one));
                memcpy(one->name, full, sizeof(full));
                HASH_ADD_STR(*set, name, one);
        }
        if (v > one->v)
                one->v = v;
}

static void on_message(void *owner, const struct message *m)
{
        struct published *p = owner;
        struct version **set = p->has_read ? &p->known : &p->reading;
        struct record r;
        struct err e = {0};

        if (!bytes_equal_text(m->user_id, p->login) || record_parse(m->body, &r, &e) != 0)
                return;
        pthread_mutex_lock(&p->mutex);
        if (r.kind == RECORD_TENANT)
                keep(set, r.kind, r.tenant.name, r.tenant.v);
        else if (r.kind == RECORD_KEY)
                keep(set, r.kind, r.key.id, r.key.v);
        else if (r.kind == RECORD_TYPE)
                keep(set, r.kind, r.type.name, r.type.v);
        else if (r.kind == RECORD_PAUSE)
                keep(set, r.kind, r.pause.key, r.pause.v);
        pthread_mutex_unlock(&p->mutex);
}

static void on_caught_up(void *owner)
{
        struct published *p = owner;

        pthread_mutex_lock(&p->mutex);
        clear(&p->known);
        p->known = TAKE(p->reading);
        pthread_mutex_unlock(&p->mutex);
        p->has_read = true;
        p->read(p->owner);
}

static void on_lost(void *owner)
{
        struct published *p = owner;

        p->has_read = false;
}

struct published *published_create(const struct link_config *config, void (*read)(void *owner),
                                   void *owner, uv_loop_t *loop, struct err *e)
{
        static const struct catch_up_events on = {
                .message = on_message, .caught_up = on_caught_up, .lost = on_lost};
        const struct catch_up_config c = {.link = config,
                                          .stream = "control",
                                          .prefetch = PREFETCH,
                                          .every_connection = true};
        AUTO(published) p = xcalloc(1, sizeof(*p));

        p->login = xstrdup(config->login);
        p->read = read;
        p->owner = owner;
        pthread_mutex_init(&p->mutex, NULL);
        p->reader = catch_up_create(&c, &on, p, loop, e);
        return p->reader != NULL ? TAKE(p) : NULL;
}

void published_destroy(struct published **published)
{
        struct published *p = TAKE(*published);

        if (p == NULL)
                return;
        catch_up_destroy(&p->reader);
        clear(&p->reading);
        clear(&p->known);
        pthread_mutex_destroy(&p->mutex);
        free(p->login);
        free(p);
}

static bool has(struct published *p, enum record_kind kind, const char *name, int64_t v)
{
        char full[NAME_SIZE];
        const struct version *one;

        make_name(full, kind, name);
        pthread_mutex_lock(&p->mutex);
        HASH_FIND_STR(p->known, full, one);
        bool found = one != NULL && one->v >= v;
        pthread_mutex_unlock(&p->mutex);
        return found;
}

struct comparison {
        struct published *published;
        struct registry *registry;
        int64_t missing;
};

static int compare(struct comparison *c, enum record_kind kind, const char *name, int64_t v,
                   struct err *e)
{
        if (has(c->published, kind, name, v))
                return 0;
        c->missing++;
        return registry_republish(c->registry, kind, name, v, e);
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

static int compare_pause(void *owner, const struct pause_record *p, struct err *e)
{
        return compare(owner, RECORD_PAUSE, p->key, p->v, e);
}

int published_compare(struct published *p, struct registry *r, struct err *e)
{
        struct comparison c = {.published = p, .registry = r};
        if (registry_each_tenant(r, WHICH_ALL, compare_tenant, &c, e) != 0 ||
            registry_each_key(r, WHICH_ALL, NULL, compare_key, &c, e) != 0 ||
            registry_each_type(r, WHICH_ALL, compare_type, &c, e) != 0 ||
            registry_each_pause(r, WHICH_ALL, compare_pause, &c, e) != 0)
                return -1;
        LOG_INFO("control is compared with the registry; records that it lacks are published",
                 log_int("records", c.missing));
        return 0;
}
