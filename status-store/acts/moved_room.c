/* SPDX-License-Identifier: Apache-2.0
 *
 * moved_room.c: the number of rows, and the one tenant that has half of them.
 */
#include "status-store/acts/moved_room.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/own.h"

struct moved_room {
        struct registry *registry;
        int64_t most;
        msec keep;
        atomic_llong rows;
        pthread_mutex_t mutex;
        char crowding[TENANT_SIZE]; /* guarded by mutex; "": no tenant has half of the list */
};

struct moved_room *moved_room_create(struct registry *registry, int64_t most, msec keep,
                                     struct err *e)
{
        AUTO(moved_room) m = xcalloc(1, sizeof(*m));
        int64_t rows = 0;
        *m = (struct moved_room){.registry = registry, .most = most, .keep = keep};
        pthread_mutex_init(&m->mutex, NULL);
        if (registry_count_moved(registry, &rows, e) != 0)
                return NULL;
        atomic_store(&m->rows, rows);
        return moved_room_look(m, e) == 0 ? TAKE(m) : NULL;
}

void moved_room_destroy(struct moved_room **room)
{
        struct moved_room *m = TAKE(*room);
        if (m == NULL)
                return;
        pthread_mutex_destroy(&m->mutex);
        free(m);
}

/* Only while the list is at least half full can a tenant have half of it. */
int moved_room_look(struct moved_room *m, struct err *e)
{
        const int64_t half = (m->most + 1) / 2;
        char tenant[TENANT_SIZE] = "";
        int64_t rows = 0;
        if (moved_room_rows(m) >= half && registry_most_moved(m->registry, tenant, &rows, e) != 0)
                return -1;
        if (rows < half)
                tenant[0] = '\0';
        pthread_mutex_lock(&m->mutex);
        memcpy(m->crowding, tenant, sizeof(m->crowding));
        pthread_mutex_unlock(&m->mutex);
        return 0;
}

void moved_room_terms(struct moved_room *m, msec now, struct moved_terms *out)
{
        *out = (struct moved_terms){
                .now = now, .keep = m->keep, .full = moved_room_rows(m) >= m->most};
        pthread_mutex_lock(&m->mutex);
        memcpy(out->crowding, m->crowding, sizeof(out->crowding));
        pthread_mutex_unlock(&m->mutex);
}

int moved_room_refuses(struct moved_room *m, const struct intent *i, msec now, struct err *e)
{
        struct moved_terms terms;
        moved_room_terms(m, now, &terms);
        if (act_ends_the_run(i->kind) || !moved_is_short(&terms, i->tenant))
                return 0;
        int missing = registry_moved_may_be_missing(m->registry, i, &terms, e);
        if (missing != 0)
                return missing < 0 ? -1 : 0;
        int listed = registry_is_moved(m->registry, i->tenant, i->id, e);
        return listed < 0 ? -1 : !listed;
}

void moved_room_add(struct moved_room *m, int64_t rows)
{
        atomic_fetch_add(&m->rows, rows);
}

int64_t moved_room_rows(const struct moved_room *m)
{
        return atomic_load(&m->rows);
}
