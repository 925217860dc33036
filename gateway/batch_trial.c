/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_trial.c: two tables by name.
 */
#include "gateway/batch_trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#include "common/base/memory.h"
#include "common/base/own.h"

struct counted {
        char tenant[TENANT_SIZE];
        struct trial_count count;
        UT_hash_handle hh;
};

struct used_key {
        char name[TENANT_SIZE + JOB_KEY_SIZE]; /* tenant/key: no tenant's name has a slash */
        char hash[JOB_KEY_SIZE];
        UT_hash_handle hh;
};

struct batch_trial {
        struct counted *tenants;
        struct used_key *keys;
};

struct batch_trial *batch_trial_create(void)
{
        return xcalloc(1, sizeof(struct batch_trial));
}

void batch_trial_destroy(struct batch_trial **trial)
{
        struct batch_trial *t = TAKE(*trial);
        struct counted *c, *next_count;
        struct used_key *k, *next_key;

        if (t == NULL)
                return;
        HASH_ITER (hh, t->tenants, c, next_count) {
                HASH_DEL(t->tenants, c);
                free(c);
        }
        HASH_ITER (hh, t->keys, k, next_key) {
                HASH_DEL(t->keys, k);
                free(k);
        }
        free(t);
}

struct trial_count *batch_trial_count(struct batch_trial *t, const char *tenant)
{
        struct counted *c = NULL;

        HASH_FIND_STR(t->tenants, tenant, c);
        if (c == NULL) {
                c = xcalloc(1, sizeof(*c));
                snprintf(c->tenant, sizeof(c->tenant), "%s", tenant);
                HASH_ADD_STR(t->tenants, tenant, c);
        }
        return &c->count;
}

const char *batch_trial_key(struct batch_trial *t, const struct job *job)
{
        char name[TENANT_SIZE + JOB_KEY_SIZE];
        struct used_key *k = NULL;

        snprintf(name, sizeof(name), "%s/%s", job->tenant, job->key);
        HASH_FIND_STR(t->keys, name, k);
        if (k != NULL)
                return k->hash;
        k = xcalloc(1, sizeof(*k));
        memcpy(k->name, name, sizeof(k->name));
        memcpy(k->hash, job->key_hash, sizeof(k->hash));
        HASH_ADD_STR(t->keys, name, k);
        return NULL;
}
