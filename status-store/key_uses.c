/* SPDX-License-Identifier: Apache-2.0
 *
 * key_uses.c: the table of last uses, and the thread that writes it.
 */
#include "status-store/key_uses.h"

#include <pthread.h>
#include <string.h>
#include <uthash.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/base/rounds.h"

#define RECENT ((msec)MSEC_MINUTE)
#define WRITE_EVERY ((msec)MSEC_MINUTE)

struct entry {
        struct key_use use;
        bool changed; /* since it was written last */
        UT_hash_handle hh;
};

struct change {
        char id[KEY_ID_SIZE];
        msec at; /* clock_mono */
};

struct key_uses {
        struct registry *registry;
        struct rounds *rounds;
        pthread_mutex_t mutex;
        /* guarded by mutex */
        struct entry *entries;
        struct change changes[KEYS_CHANGED_MAX]; /* a ring */
        size_t change_count;                     /* in all; the next is at its remainder */
};

static struct entry *find_locked(struct key_uses *u, const char *id)
{
        struct entry *entry = NULL;
        HASH_FIND_STR(u->entries, id, entry);
        return entry;
}

void key_uses_note(struct key_uses *u, const struct key_use *use)
{
        pthread_mutex_lock(&u->mutex);
        struct entry *entry = find_locked(u, use->id);
        if (entry == NULL) {
                entry = xcalloc(1, sizeof(*entry));
                memcpy(entry->use.id, use->id, sizeof(entry->use.id));
                HASH_ADD_STR(u->entries, use.id, entry);
        }
        if (use->at > entry->use.at) {
                entry->use = *use;
                entry->changed = true;
        }
        pthread_mutex_unlock(&u->mutex);
}

void key_uses_changed(struct key_uses *u, const char *id)
{
        pthread_mutex_lock(&u->mutex);
        struct change *c = &u->changes[u->change_count++ % KEYS_CHANGED_MAX];
        (void)!bytes_to_text(bytes_of_text(id), c->id, sizeof(c->id));
        c->at = clock_mono();
        pthread_mutex_unlock(&u->mutex);
}

size_t key_uses_recent(struct key_uses *u, struct key_use uses[])
{
        const msec since = clock_mono() - RECENT;
        size_t count = 0;
        pthread_mutex_lock(&u->mutex);
        for (size_t at = u->change_count; at > 0 && count < KEYS_CHANGED_MAX; at--) {
                const struct change *c = &u->changes[(at - 1) % KEYS_CHANGED_MAX];
                if (c->at < since)
                        break;
                memcpy(uses[count++].id, c->id, sizeof(c->id));
        }
        pthread_mutex_unlock(&u->mutex);
        return count;
}

void key_uses_fill(struct key_uses *u, struct key *k)
{
        pthread_mutex_lock(&u->mutex);
        const struct entry *entry = find_locked(u, k->record.id);
        if (entry != NULL && entry->use.at > k->used.at)
                k->used = entry->use;
        pthread_mutex_unlock(&u->mutex);
}

/* Copies the changed uses and marks them as written. The list is the caller's to free. */
static struct key_use *take_changed(struct key_uses *u, size_t *count)
{
        struct entry *entry;
        *count = 0;
        pthread_mutex_lock(&u->mutex);
        struct key_use *list = xcalloc(HASH_COUNT(u->entries) + 1, sizeof(*list));
        for (entry = u->entries; entry != NULL; entry = entry->hh.next) {
                if (entry->changed)
                        list[(*count)++] = entry->use;
                entry->changed = false;
        }
        pthread_mutex_unlock(&u->mutex);
        return list;
}

static void mark_changed(struct key_uses *u, const struct key_use *list, size_t count)
{
        pthread_mutex_lock(&u->mutex);
        for (size_t i = 0; i < count; i++)
                find_locked(u, list[i].id)->changed = true;
        pthread_mutex_unlock(&u->mutex);
}

static void write_changed(struct key_uses *u)
{
        struct err e = {0};
        size_t count = 0;
        AUTO_FREE struct key_use *list = take_changed(u, &count);
        if (count == 0 || registry_use_keys(u->registry, list, count, &e) == 0)
                return;
        LOG_WARN("the last uses of keys are not written; trying again", log_err(&e));
        mark_changed(u, list, count);
}

static msec round_of(void *owner)
{
        write_changed(owner);
        return WRITE_EVERY;
}

struct key_uses *key_uses_create(struct registry *r, struct err *e)
{
        AUTO(key_uses) u = xcalloc(1, sizeof(*u));
        u->registry = r;
        pthread_mutex_init(&u->mutex, NULL);
        u->rounds = rounds_start("the uses of keys", WRITE_EVERY, round_of, u, e);
        return u->rounds == NULL ? NULL : TAKE(u);
}

void key_uses_destroy(struct key_uses **uses)
{
        struct key_uses *u = TAKE(*uses);
        struct entry *entry;
        struct entry *next;
        if (u == NULL)
                return;
        rounds_end(&u->rounds);
        write_changed(u);
        HASH_ITER (hh, u->entries, entry, next) {
                HASH_DEL(u->entries, entry);
                free(entry);
        }
        pthread_mutex_destroy(&u->mutex);
        free(u);
}
