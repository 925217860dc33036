/* SPDX-License-Identifier: Apache-2.0
 *
 * told.c: a set of names with their versions. While the stream is read anew the set of the time
 * before stands.
 */
#include "status-store/told.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/clients/catch_up.h"
#include "common/model/record.h"

enum { PREFETCH = 512, NAME_SIZE = 1 + TENANT_SIZE + KEY_ID_SIZE };

struct version {
        char name[NAME_SIZE]; /* "t" and a tenant's, "k" and a key's */
        int64_t v;
        UT_hash_handle hh;
};

struct told {
        struct catch_up *reader;
        char *login;
        void (*read)(void *owner);
        void *owner;
        /* Loop thread only. */
        struct version *reading; /* until the stream has been read */
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

static void make_name(char out[NAME_SIZE], char kind, const char *name)
{
        size_t length = strnlen(name, NAME_SIZE - 2);

        memset(out, 0, NAME_SIZE);
        out[0] = kind;
        memcpy(out + 1, name, length);
}

static void keep(struct version **set, char kind, const char *name, int64_t v)
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
        struct told *t = owner;
        struct version **set = t->has_read ? &t->known : &t->reading;
        struct record r;
        struct err e = {0};

        if (!bytes_equal_text(m->user_id, t->login) || record_parse(m->body, &r, &e) != 0)
                return;
        pthread_mutex_lock(&t->mutex);
        if (r.kind == RECORD_TENANT)
                keep(set, 't', r.tenant.name, r.tenant.v);
        else if (r.kind == RECORD_KEY)
                keep(set, 'k', r.key.id, r.key.v);
        pthread_mutex_unlock(&t->mutex);
}

static void on_caught_up(void *owner)
{
        struct told *t = owner;

        pthread_mutex_lock(&t->mutex);
        clear(&t->known);
        t->known = TAKE(t->reading);
        pthread_mutex_unlock(&t->mutex);
        t->has_read = true;
        t->read(t->owner);
}

static void on_lost(void *owner)
{
        struct told *t = owner;

        t->has_read = false;
}

struct told *told_create(const struct link_config *config, void (*read)(void *owner), void *owner,
                         uv_loop_t *loop, struct err *e)
{
        static const struct catch_up_events on = {
                .message = on_message, .caught_up = on_caught_up, .lost = on_lost};
        const struct catch_up_config c = {.link = config,
                                          .stream = "control",
                                          .prefetch = PREFETCH,
                                          .every_connection = true};
        AUTO(told) t = xcalloc(1, sizeof(*t));

        t->login = xstrdup(config->login);
        t->read = read;
        t->owner = owner;
        pthread_mutex_init(&t->mutex, NULL);
        t->reader = catch_up_create(&c, &on, t, loop, e);
        return t->reader != NULL ? TAKE(t) : NULL;
}

void told_destroy(struct told **told)
{
        struct told *t = TAKE(*told);

        if (t == NULL)
                return;
        catch_up_destroy(&t->reader);
        clear(&t->reading);
        clear(&t->known);
        pthread_mutex_destroy(&t->mutex);
        free(t->login);
        free(t);
}

static bool has(struct told *t, char kind, const char *name, int64_t v)
{
        char full[NAME_SIZE];
        const struct version *one;

        make_name(full, kind, name);
        pthread_mutex_lock(&t->mutex);
        HASH_FIND_STR(t->known, full, one);
        bool found = one != NULL && one->v >= v;
        pthread_mutex_unlock(&t->mutex);
        return found;
}

bool told_has_tenant(struct told *t, const char *name, int64_t v)
{
        return has(t, 't', name, v);
}

bool told_has_key(struct told *t, const char *id, int64_t v)
{
        return has(t, 'k', id, v);
}
