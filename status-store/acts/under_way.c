/* SPDX-License-Identifier: Apache-2.0
 *
 * under_way.c: a set of jobs that threads enter in turn.
 */
#include "status-store/acts/under_way.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/base/condition.h"
#include "common/base/memory.h"
#include "common/base/own.h"

struct key {
        char tenant[TENANT_SIZE], id[UUID_SIZE]; /* filled up with 0 */
};

struct entry {
        struct key key;
        UT_hash_handle hh;
};

struct under_way {
        pthread_mutex_t mutex;
        pthread_cond_t left;
        bool closed; /* guarded by mutex, like entries */
        struct entry *entries;
};

struct under_way *under_way_create(void)
{
        struct under_way *u = xcalloc(1, sizeof(*u));
        pthread_mutex_init(&u->mutex, NULL);
        condition_init(&u->left);
        return u;
}

void under_way_destroy(struct under_way **under_way)
{
        struct under_way *u = TAKE(*under_way);
        if (u == NULL)
                return;
        assert(u->entries == NULL);
        pthread_cond_destroy(&u->left);
        pthread_mutex_destroy(&u->mutex);
        free(u);
}

static struct key key_of(const char *tenant, const char *id)
{
        struct key key;
        memset(&key, 0, sizeof(key));
        snprintf(key.tenant, sizeof(key.tenant), "%s", tenant);
        snprintf(key.id, sizeof(key.id), "%s", id);
        return key;
}

static struct entry *find_locked(struct under_way *u, const struct key *key)
{
        struct entry *found = NULL;
        HASH_FIND(hh, u->entries, key, sizeof(*key), found);
        return found;
}

int under_way_enter(struct under_way *u, const char *tenant, const char *id, msec deadline,
                    struct err *e)
{
        const struct key key = key_of(tenant, id);
        bool entered = false;
        pthread_mutex_lock(&u->mutex);
        while (!u->closed && find_locked(u, &key) != NULL &&
               condition_wait(&u->left, &u->mutex, deadline))
                continue;
        if (!u->closed && find_locked(u, &key) == NULL) {
                struct entry *mine = xcalloc(1, sizeof(*mine));
                mine->key = key;
                HASH_ADD(hh, u->entries, key, sizeof(key), mine);
                entered = true;
        }
        pthread_mutex_unlock(&u->mutex);
        return entered ? 0 : err_set(e, ERR_UNAVAILABLE, "another act on the job is under way");
}

void under_way_leave(struct under_way *u, const char *tenant, const char *id)
{
        const struct key key = key_of(tenant, id);
        pthread_mutex_lock(&u->mutex);
        struct entry *mine = find_locked(u, &key);
        assert(mine != NULL);
        HASH_DEL(u->entries, mine);
        pthread_cond_broadcast(&u->left);
        pthread_mutex_unlock(&u->mutex);
        free(mine);
}

void under_way_close(struct under_way *u)
{
        pthread_mutex_lock(&u->mutex);
        u->closed = true;
        pthread_cond_broadcast(&u->left);
        pthread_mutex_unlock(&u->mutex);
}
