/* SPDX-License-Identifier: Apache-2.0
 *
 * tokens.c: the subscriptions of a token queue, and the deliveries that were taken from it.
 */
#include "consumer/tokens.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <utlist.h>

#include "common/amqp/properties.h"
#include "common/base/memory.h"
#include "common/model/limit_queue.h"

/* One token that is wanted. */
struct want {
        struct tokens *home;
        int rank;
        struct subscription *subscription;
        struct want *prev, *next;
};

struct token {
        struct tokens *home;
        struct delivery *delivery;
        msec since;
};

struct tokens {
        struct link *link;
        char *queue;
        void (*came)(void *owner);
        void *owner;
        struct want *wants[TOKENS_RANKS]; /* oldest first */
        unsigned counts[TOKENS_RANKS];
        struct subscription *kept; /* NULL: none */
        unsigned kept_count;
        struct delivery *arrived; /* while `came` runs */
        unsigned taken;
};

struct tokens *tokens_create(struct link *l, const char *queue, void (*came)(void *owner),
                             void *owner)
{
        struct tokens *t = xcalloc(1, sizeof(*t));

        t->link = l;
        t->queue = xstrdup(queue);
        t->came = came;
        t->owner = owner;
        return t;
}

static void drop(struct want *w)
{
        struct tokens *t = w->home;

        DL_DELETE(t->wants[w->rank], w);
        t->counts[w->rank]--;
        link_unsubscribe(&w->subscription);
        free(w);
}

static void bring(struct tokens *t, struct delivery *d)
{
        t->arrived = d;
        t->came(t->owner);
        link_settle(&t->arrived, SETTLE_REQUEUE);
}

static void on_delivery(void *owner, struct delivery *d)
{
        struct want *w = owner;
        struct tokens *t = w->home;

        drop(w);
        bring(t, d);
}

static void on_kept_delivery(void *owner, struct delivery *d)
{
        bring(owner, d);
}

void tokens_keep(struct tokens *t, unsigned count)
{
        const struct source source = {
                .queue = t->queue, .prefetch = (uint16_t)count, .spread = true};

        assert(count <= UINT16_MAX);
        if (count == t->kept_count)
                return;
        if (t->kept != NULL)
                link_unsubscribe(&t->kept);
        t->kept_count = count;
        if (count > 0)
                t->kept = link_subscribe(t->link, &source, on_kept_delivery, t);
}

unsigned tokens_kept(const struct tokens *t)
{
        return t->kept_count;
}

static void ask(struct tokens *t, int rank)
{
        const struct source source = {
                .queue = t->queue, .prefetch = 1, .priority = rank, .spread = true};
        struct want *w = xcalloc(1, sizeof(*w));

        w->home = t;
        w->rank = rank;
        DL_APPEND(t->wants[rank], w);
        t->counts[rank]++;
        w->subscription = link_subscribe(t->link, &source, on_delivery, w);
}

/* The newest end first: the others keep their places among those who wait. */
void tokens_want_each(struct tokens *t, const unsigned counts[TOKENS_RANKS])
{
        for (int rank = TOKENS_RANKS - 1; rank >= 0; rank--) {
                while (t->counts[rank] > counts[rank])
                        drop(t->wants[rank]->prev); /* the list's last */
                while (t->counts[rank] < counts[rank])
                        ask(t, rank);
        }
}

void tokens_want_more(struct tokens *t, const unsigned counts[TOKENS_RANKS])
{
        unsigned wanted = 0, asked = 0; /* of this rank and those above */

        for (int rank = TOKENS_RANKS - 1; rank >= 0; rank--) {
                wanted += counts[rank];
                asked += t->counts[rank];
                for (; asked < wanted; asked++)
                        ask(t, rank);
        }
}

void tokens_want(struct tokens *t, unsigned count, int rank)
{
        unsigned counts[TOKENS_RANKS] = {0};

        counts[rank] = count;
        tokens_want_each(t, counts);
}

void tokens_destroy(struct tokens **t)
{
        if (*t == NULL)
                return;
        assert((*t)->taken == 0);
        tokens_want(*t, 0, 0);
        tokens_keep(*t, 0);
        free((*t)->queue);
        free(*t);
        *t = NULL;
}

struct token *tokens_take(struct tokens *t)
{
        if (t->arrived == NULL)
                return NULL;
        struct token *k = xcalloc(1, sizeof(*k));
        k->home = t;
        k->delivery = t->arrived;
        k->since = clock_mono();
        t->arrived = NULL;
        t->taken++;
        return k;
}

unsigned tokens_wanted(const struct tokens *t)
{
        unsigned count = 0;

        for (int rank = 0; rank < TOKENS_RANKS; rank++)
                count += t->counts[rank];
        return count;
}

unsigned tokens_taken(const struct tokens *t)
{
        return t->taken;
}

static void settle(struct token **k, enum settle how)
{
        if (*k == NULL)
                return;
        (*k)->home->taken--;
        link_settle(&(*k)->delivery, how);
        free(*k);
        *k = NULL;
}

void token_return(struct token **k)
{
        settle(k, SETTLE_REQUEUE);
}

void token_spend(struct token **k)
{
        settle(k, SETTLE_REJECT);
}

void token_remove(struct token **k)
{
        settle(k, SETTLE_ACK);
}

static int64_t number_of(struct bytes id)
{
        int64_t number = id.length > 0 ? 0 : -1;

        for (size_t i = 0; i < id.length; i++) {
                if (!isdigit((unsigned char)id.data[i]) || number > LIMIT_TOKENS_MAX)
                        return -1;
                number = 10 * number + id.data[i] - '0';
        }
        return number;
}

struct token_round token_round_of(const struct token *k)
{
        const struct message *m = &k->delivery->message;

        return (struct token_round){.number = number_of(m->message_id),
                                    .round = properties_deaths(m->properties, "rejected")};
}

bool token_is_held(const struct token *k)
{
        return delivery_is_live(k->delivery);
}

msec token_since(const struct token *k)
{
        return k->since;
}
