/* SPDX-License-Identifier: Apache-2.0
 *
 * hops.c: for each type, when the next job may come back.
 */
#include "consumer/hops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/base/memory.h"
#include "common/model/delay.h"

static const struct {
        const char *word;
        msec least, most; /* bounds of the wanted time */
        msec apart;       /* between the returns of two jobs of a type */
} rules[HOP_WHY_COUNT] = {
        [HOP_PAUSED] = {"paused", 10 * MSEC_SECOND, 10 * MSEC_SECOND, 100},
        [HOP_ELSEWHERE] = {"elsewhere", 200, 5 * MSEC_SECOND, 5},
        [HOP_UNKNOWN] = {"unknown", 200, 30 * MSEC_SECOND, 10},
        [HOP_UNHANDLED] = {"unhandled", MSEC_SECOND, MSEC_MINUTE, 10},
};

struct type_hops {
        char type[JOB_TYPE_SIZE];
        msec next; /* monotonic; a job sent away now comes back no earlier */
        UT_hash_handle hh;
};

struct hops {
        double (*chance)(void);
        struct type_hops *types;
        struct type_hops rest; /* shared by the types beyond HOPS_TYPES_MAX */
};

struct hops *hops_create(double (*chance)(void))
{
        struct hops *h = xcalloc(1, sizeof(*h));

        h->chance = chance;
        return h;
}

/* An entry whose time is past has no effect any more. */
static void forget_before(struct hops *h, msec time)
{
        struct type_hops *l, *after;

        HASH_ITER (hh, h->types, l, after) {
                if (l->next >= time)
                        continue;
                HASH_DEL(h->types, l);
                free(l);
        }
}

void hops_destroy(struct hops **h)
{
        if (*h == NULL)
                return;
        forget_before(*h, INT64_MAX);
        free(*h);
        *h = NULL;
}

const char *hop_why_word(enum hop_why why)
{
        return rules[why].word;
}

static struct type_hops *hops_of(struct hops *h, const char *type, msec now)
{
        struct type_hops *l;

        HASH_FIND_STR(h->types, type, l);
        if (l != NULL)
                return l;
        if (HASH_COUNT(h->types) >= HOPS_TYPES_MAX)
                forget_before(h, now);
        if (HASH_COUNT(h->types) >= HOPS_TYPES_MAX)
                return &h->rest;
        l = xcalloc(1, sizeof(*l));
        snprintf(l->type, sizeof(l->type), "%s", type);
        HASH_ADD_STR(h->types, type, l);
        return l;
}

msec hops_wait(struct hops *h, const char *type, enum hop_why why, msec wanted, msec mono_now)
{
        struct type_hops *l = hops_of(h, type, mono_now);
        msec wait = wanted > rules[why].most ? rules[why].most : wanted;

        wait -= (msec)((double)wait / 2 * h->chance());
        if (wait < rules[why].least)
                wait = rules[why].least;
        if (l->next < mono_now + wait)
                l->next = mono_now + wait;
        wait = l->next - mono_now;
        if (wait > HOPS_LONGEST)
                wait = HOPS_LONGEST;
        else
                l->next += rules[why].apart;
        const struct delay_bucket *bucket = delay_bucket_for(wait);
        if (bucket == NULL)
                return delay_buckets[0].ttl;
        /* The time is that of a bucket, so what was taken off may have changed nothing. */
        bool shorter = bucket > delay_buckets && bucket[-1].ttl >= rules[why].least;
        return shorter && h->chance() > 0.75 ? bucket[-1].ttl : bucket->ttl;
}

msec hops_last(const struct job *job)
{
        return job->hop && job->due_at > job->queued_at ? job->due_at - job->queued_at : 0;
}
