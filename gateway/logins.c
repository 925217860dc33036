/* SPDX-License-Identifier: Apache-2.0
 *
 * logins.c: the table of addresses with failed logins.
 */
#include "gateway/logins.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "gateway/origin.h"

#define WAIT_LEAST ((msec)MSEC_SECOND)
#define WAIT_MOST ((msec)60 * MSEC_SECOND)
#define FORGOTTEN_AFTER ((msec)15 * MSEC_MINUTE)

struct entry {
        char address[ORIGIN_SIZE];
        unsigned failures;
        msec failed_at;
        UT_hash_handle hh;
};

struct logins {
        pthread_mutex_t mutex;
        struct entry *entries; /* guarded by mutex; in the order of failed_at */
};

struct logins *logins_create(void)
{
        struct logins *l = xcalloc(1, sizeof(*l));

        pthread_mutex_init(&l->mutex, NULL);
        return l;
}

static void drop_locked(struct logins *l, struct entry *entry)
{
        HASH_DEL(l->entries, entry);
        free(entry);
}

void logins_destroy(struct logins **logins)
{
        struct logins *l = TAKE(*logins);

        if (l == NULL)
                return;
        while (l->entries != NULL)
                drop_locked(l, l->entries);
        pthread_mutex_destroy(&l->mutex);
        free(l);
}

static void forget_old_locked(struct logins *l, msec now)
{
        while (l->entries != NULL && l->entries->failed_at <= now - FORGOTTEN_AFTER)
                drop_locked(l, l->entries);
}

static struct entry *find_locked(const struct logins *l, const char *address)
{
        struct entry *entry = NULL;

        HASH_FIND_STR(l->entries, address, entry);
        return entry;
}

static msec wait_after(unsigned failures)
{
        msec wait = WAIT_LEAST;

        if (failures <= LOGINS_FREE)
                return 0;
        for (unsigned n = LOGINS_FREE + 1; n < failures && wait < WAIT_MOST; n++)
                wait *= 2;
        return wait < WAIT_MOST ? wait : WAIT_MOST;
}

/* Moves the entry to the end of the order. */
static void count_failure_locked(struct logins *l, struct entry *entry, msec now)
{
        HASH_DEL(l->entries, entry);
        entry->failures++;
        entry->failed_at = now;
        HASH_ADD_STR(l->entries, address, entry);
}

static struct entry *add_locked(struct logins *l, const char *address)
{
        struct entry *entry = xcalloc(1, sizeof(*entry));

        if (HASH_COUNT(l->entries) >= LOGINS_ADDRESSES)
                drop_locked(l, l->entries);
        snprintf(entry->address, sizeof(entry->address), "%s", address);
        HASH_ADD_STR(l->entries, address, entry);
        return entry;
}

msec logins_try(struct logins *l, const char *address, msec now)
{
        pthread_mutex_lock(&l->mutex);
        forget_old_locked(l, now);
        struct entry *entry = find_locked(l, address);
        msec left = entry != NULL ? entry->failed_at + wait_after(entry->failures) - now : 0;
        if (left <= 0)
                count_failure_locked(l, entry != NULL ? entry : add_locked(l, address), now);
        pthread_mutex_unlock(&l->mutex);
        return left > 0 ? left : 0;
}

void logins_succeeded(struct logins *l, const char *address)
{
        pthread_mutex_lock(&l->mutex);
        struct entry *entry = find_locked(l, address);
        if (entry != NULL)
                drop_locked(l, entry);
        pthread_mutex_unlock(&l->mutex);
}
