/* SPDX-License-Identifier: Apache-2.0
 *
 * tenant_places.c: the tenants of the places that are taken, once for each place.
 */
#include "common/http/tenant_places.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/job.h"

struct tenant_places {
        /* before start */
        unsigned most, each;
        const char *what;
        pthread_mutex_t mutex; /* guards the following */
        unsigned taken;
        char (*tenants)[TENANT_SIZE]; /* of the taken ones */
};

struct tenant_places *tenant_places_create(unsigned most, unsigned each, const char *what)
{
        struct tenant_places *p = xcalloc(1, sizeof(*p));

        assert(most >= 1 && each >= 1);
        p->most = most;
        p->each = each;
        p->what = what;
        p->tenants = xcalloc(p->most, sizeof(*p->tenants));
        pthread_mutex_init(&p->mutex, NULL);
        return p;
}

void tenant_places_destroy(struct tenant_places **places)
{
        struct tenant_places *p = TAKE(*places);

        if (p == NULL)
                return;
        pthread_mutex_destroy(&p->mutex);
        free(p->tenants);
        free(p);
}

static unsigned count_locked(const struct tenant_places *p, const char *tenant)
{
        unsigned count = 0;

        for (unsigned i = 0; i < p->taken; i++)
                count += strcmp(p->tenants[i], tenant) == 0;
        return count;
}

int tenant_places_take(struct tenant_places *p, const char *tenant, struct err *e)
{
        int got = 0;

        pthread_mutex_lock(&p->mutex);
        if (p->taken == p->most)
                got = err_set(e, ERR_FULL, "too many %s at once", p->what);
        else if (count_locked(p, tenant) >= p->each)
                got = err_set(e, ERR_FULL, "too many %s of this tenant at once", p->what);
        else
                snprintf(p->tenants[p->taken++], TENANT_SIZE, "%s", tenant);
        pthread_mutex_unlock(&p->mutex);
        return got;
}

void tenant_places_return(struct tenant_places *p, const char *tenant)
{
        unsigned i = 0;

        pthread_mutex_lock(&p->mutex);
        while (i < p->taken && strcmp(p->tenants[i], tenant) != 0)
                i++;
        assert(i < p->taken);
        p->taken--;
        memmove(p->tenants[i], p->tenants[p->taken], TENANT_SIZE);
        pthread_mutex_unlock(&p->mutex);
}

unsigned tenant_places_taken(struct tenant_places *p)
{
        pthread_mutex_lock(&p->mutex);
        unsigned taken = p->taken;
        pthread_mutex_unlock(&p->mutex);
        return taken;
}
