/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_places.c: the tenants whose batches are being read, once for each batch.
 */
#include "gateway/batch_places.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/job.h"

enum { THREADS_PER_PLACE = 8 };

struct batch_places {
        /* before start */
        unsigned most;
        pthread_mutex_t mutex; /* guards the following */
        unsigned taken;
        char (*tenants)[TENANT_SIZE]; /* of the taken ones */
};

struct batch_places *batch_places_create(unsigned threads)
{
        struct batch_places *p = xcalloc(1, sizeof(*p));

        p->most = threads < THREADS_PER_PLACE ? 1 : threads / THREADS_PER_PLACE;
        p->tenants = xcalloc(p->most, sizeof(*p->tenants));
        pthread_mutex_init(&p->mutex, NULL);
        return p;
}

void batch_places_destroy(struct batch_places **places)
{
        struct batch_places *p = TAKE(*places);

        if (p == NULL)
                return;
        pthread_mutex_destroy(&p->mutex);
        free(p->tenants);
        free(p);
}

static unsigned count_locked(const struct batch_places *p, const char *tenant)
{
        unsigned count = 0;

        for (unsigned i = 0; i < p->taken; i++)
                count += strcmp(p->tenants[i], tenant) == 0;
        return count;
}

int batch_places_take(struct batch_places *p, const char *tenant, struct err *e)
{
        int got = 0;

        pthread_mutex_lock(&p->mutex);
        if (p->taken == p->most)
                got = err_set(e, ERR_FULL, "too many batches are being read");
        else if (count_locked(p, tenant) == (p->most + 1) / 2)
                got = err_set(e, ERR_FULL, "too many batches of this tenant are being read");
        else
                snprintf(p->tenants[p->taken++], TENANT_SIZE, "%s", tenant);
        pthread_mutex_unlock(&p->mutex);
        return got;
}

void batch_places_return(struct batch_places *p, const char *tenant)
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
