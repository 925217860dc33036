/* SPDX-License-Identifier: Apache-2.0
 *
 * under_way.c: a set of ids that threads enter in turn.
 */
#include "status-store/acts/under_way.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/base/condition.h"
#include "common/base/memory.h"
#include "common/base/own.h"

struct entry {
        char id[UUID_SIZE];
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

static struct entry *find_locked(struct under_way *u, const char *id)
{
        struct entry *found = NULL;
        HASH_FIND_STR(u->entries, id, found);
        return found;
}

int under_way_enter(struct under_way *u, const char *id, msec deadline, struct err *e)
{
        bool entered = false;
        pthread_mutex_lock(&u->mutex);
        while (!u->closed && find_locked(u, id) != NULL &&
               condition_wait(&u->left, &u->mutex, deadline))
                continue;
        if (!u->closed && find_locked(u, id) == NULL) {
                struct entry *mine = xcalloc(1, sizeof(*mine));
                memcpy(mine->id, id, sizeof(mine->id));
                HASH_ADD_STR(u->entries, id, mine);
                entered = true;
        }
        pthread_mutex_unlock(&u->mutex);
        return entered ? 0 : err_set(e, ERR_UNAVAILABLE, "another act on the job is under way");
}

void under_way_leave(struct under_way *u, const char *id)
{
        pthread_mutex_lock(&u->mutex);
        struct entry *mine = find_locked(u, id);
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
