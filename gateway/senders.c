/* SPDX-License-Identifier: Apache-2.0
 *
 * senders.c: a hash of gateways; the one that told nothing for longest is evicted first.
 */
#include "gateway/senders.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/base/memory.h"
#include "common/base/own.h"

/* A record that takes longer than others moves `lag` by this part of the difference. So it follows
 * a clock that is set back, and hardly notices a record that was late. */
enum { LAG_GROWTH = 64 };

struct sender {
        char gateway[ADMIT_GATEWAY_SIZE];
        int64_t n;
        msec lag; /* the least time from `at`, by its clock, to the arrival, by ours */
        bool has_lag;
        UT_hash_handle hh;
};

struct senders {
        struct sender *all; /* in the order of their last records */
};

struct senders *senders_create(void)
{
        return xcalloc(1, sizeof(struct senders));
}

void senders_destroy(struct senders **senders)
{
        struct senders *s = TAKE(*senders);
        struct sender *at = NULL;
        struct sender *next = NULL;

        if (s == NULL)
                return;
        HASH_ITER (hh, s->all, at, next) {
                HASH_DEL(s->all, at);
                free(at);
        }
        free(s);
}

static struct sender *find_or_add(struct senders *s, const char *gateway)
{
        struct sender *found = NULL;

        HASH_FIND_STR(s->all, gateway, found);
        if (found != NULL) {
                HASH_DEL(s->all, found);
                HASH_ADD_STR(s->all, gateway, found);
                return found;
        }
        if (HASH_COUNT(s->all) == SENDERS_MAX) {
                struct sender *oldest = s->all;
                HASH_DEL(s->all, oldest);
                free(oldest);
        }
        found = xcalloc(1, sizeof(*found));
        memcpy(found->gateway, gateway, strlen(gateway) + 1);
        HASH_ADD_STR(s->all, gateway, found);
        return found;
}

static void learn_lag(struct sender *from, msec lag)
{
        if (!from->has_lag || lag < from->lag)
                from->lag = lag;
        else
                from->lag += (lag - from->lag) / LAG_GROWTH;
        from->has_lag = true;
}

bool senders_accept(struct senders *s, const struct admit_record *r, msec now, bool live, msec *age)
{
        struct sender *from = find_or_add(s, r->gateway);

        if (r->n <= from->n)
                return false;
        from->n = r->n;
        if (live)
                learn_lag(from, now - r->at);
        *age = now - r->at - (from->has_lag ? from->lag : 0);
        if (*age < 0)
                *age = 0;
        return true;
}
