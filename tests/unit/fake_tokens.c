/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_tokens.c: a few queues that never run out of tokens.
 */
#include "tests/unit/fake_tokens.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/model/limit_queue.h"
#include "tests/unit/unit.h"

struct fake_tokens fake;

struct tokens {
        char queue[LIMIT_QUEUE_SIZE];
        void (*came)(void *owner);
        void *owner;
        unsigned counts[TOKENS_RANKS];
        unsigned kept;
        unsigned taken;
        bool arrived;
};

struct token {
        struct tokens *home;
        unsigned channel;
        unsigned epoch;
        msec since;
        struct token_round round;
};

static struct tokens *queues[FAKE_QUEUES_MAX];
static unsigned epochs[FAKE_CHANNELS], taken_ever;

struct tokens *__wrap_tokens_create(struct link *l, const char *queue, void (*came)(void *owner),
                                    void *owner);
void __wrap_tokens_destroy(struct tokens **t);
void __wrap_tokens_want(struct tokens *t, unsigned count, int rank);
void __wrap_tokens_want_each(struct tokens *t, const unsigned counts[TOKENS_RANKS]);
void __wrap_tokens_want_more(struct tokens *t, const unsigned counts[TOKENS_RANKS]);
void __wrap_tokens_keep(struct tokens *t, unsigned count);
unsigned __wrap_tokens_kept(const struct tokens *t);
struct token *__wrap_tokens_take(struct tokens *t);
unsigned __wrap_tokens_wanted(const struct tokens *t);
unsigned __wrap_tokens_taken(const struct tokens *t);
void __wrap_token_return(struct token **k);
void __wrap_token_spend(struct token **k);
void __wrap_token_remove(struct token **k);
struct token_round __wrap_token_round_of(const struct token *k);
bool __wrap_token_is_held(const struct token *k);
msec __wrap_token_since(const struct token *k);
msec __wrap_clock_mono(void);

static struct tokens **place_of(const struct tokens *t)
{
        for (size_t i = 0; i < COUNT(queues); i++) {
                if (queues[i] == t)
                        return &queues[i];
        }
        fail();
        return NULL;
}

static struct tokens *find(const char *queue)
{
        for (size_t i = 0; i < COUNT(queues); i++) {
                if (queues[i] != NULL && strcmp(queues[i]->queue, queue) == 0)
                        return queues[i];
        }
        return NULL;
}

struct tokens *__wrap_tokens_create(struct link *l, const char *queue, void (*came)(void *owner),
                                    void *owner)
{
        struct tokens *t = xcalloc(1, sizeof(*t));

        (void)l;
        assert_null(find(queue));
        memcpy(t->queue, queue, strlen(queue) + 1);
        t->came = came;
        t->owner = owner;
        *place_of(NULL) = t;
        return t;
}

void __wrap_tokens_destroy(struct tokens **t)
{
        if (*t == NULL)
                return;
        assert_int_equal((*t)->taken, 0);
        *place_of(*t) = NULL;
        free(*t);
        *t = NULL;
}

void __wrap_tokens_want_each(struct tokens *t, const unsigned counts[TOKENS_RANKS])
{
        for (int rank = 0; rank < TOKENS_RANKS; rank++)
                fake.ended += t->counts[rank] > counts[rank] ? t->counts[rank] - counts[rank] : 0;
        memcpy(t->counts, counts, sizeof(t->counts));
}

void __wrap_tokens_want(struct tokens *t, unsigned count, int rank)
{
        unsigned counts[TOKENS_RANKS] = {0};

        counts[rank] = count;
        __wrap_tokens_want_each(t, counts);
}

void __wrap_tokens_want_more(struct tokens *t, const unsigned counts[TOKENS_RANKS])
{
        unsigned wanted = 0, asked = 0;

        for (int rank = TOKENS_RANKS - 1; rank >= 0; rank--) {
                wanted += counts[rank];
                asked += t->counts[rank];
                if (asked >= wanted)
                        continue;
                t->counts[rank] += wanted - asked;
                asked = wanted;
        }
}

void __wrap_tokens_keep(struct tokens *t, unsigned count)
{
        fake.ended += t->kept > 0 && count != t->kept;
        t->kept = count;
}

unsigned __wrap_tokens_kept(const struct tokens *t)
{
        return t->kept;
}

struct token *__wrap_tokens_take(struct tokens *t)
{
        if (!t->arrived)
                return NULL;
        struct token *k = xcalloc(1, sizeof(*k));
        t->arrived = false;
        t->taken++;
        k->home = t;
        k->channel = taken_ever++ % FAKE_CHANNELS;
        k->epoch = epochs[k->channel];
        k->since = fake.now;
        k->round = fake.round;
        return k;
}

unsigned __wrap_tokens_wanted(const struct tokens *t)
{
        unsigned count = 0;

        for (int rank = 0; rank < TOKENS_RANKS; rank++)
                count += t->counts[rank];
        return count;
}

unsigned __wrap_tokens_taken(const struct tokens *t)
{
        return t->taken;
}

static void settle(struct token **k, unsigned *counter)
{
        if (*k == NULL)
                return;
        (*k)->home->taken--;
        *counter += __wrap_token_is_held(*k);
        free(*k);
        *k = NULL;
}

void __wrap_token_return(struct token **k)
{
        settle(k, &fake.returned);
}

void __wrap_token_spend(struct token **k)
{
        settle(k, &fake.spent);
}

void __wrap_token_remove(struct token **k)
{
        settle(k, &fake.removed);
}

struct token_round __wrap_token_round_of(const struct token *k)
{
        return k->round;
}

bool __wrap_token_is_held(const struct token *k)
{
        return k->epoch == epochs[k->channel];
}

msec __wrap_token_since(const struct token *k)
{
        return k->since;
}

msec __wrap_clock_mono(void)
{
        return fake.now;
}

void fake_tokens_reset(void)
{
        for (size_t i = 0; i < COUNT(queues); i++)
                assert_null(queues[i]);
        fake = (struct fake_tokens){.now = 10000, .round.number = -1};
        taken_ever = 0;
}

unsigned fake_tokens_wanted(const char *queue)
{
        const struct tokens *t = find(queue);

        return t == NULL ? 0 : __wrap_tokens_wanted(t) + t->kept;
}

unsigned fake_tokens_wanted_of(const char *queue, int rank)
{
        const struct tokens *t = find(queue);

        return t == NULL ? 0 : t->counts[rank];
}

static bool deliver(struct tokens *t)
{
        t->arrived = true;
        t->came(t->owner);
        bool took = !t->arrived;
        t->arrived = false;
        return took;
}

/* False: none is wanted. */
static bool take_wanted(struct tokens *t)
{
        if (t->kept > t->taken)
                return true;
        for (int rank = TOKENS_RANKS - 1; rank >= 0; rank--) {
                if (t->counts[rank] == 0)
                        continue;
                t->counts[rank]--;
                return true;
        }
        return false;
}

bool fake_tokens_deliver(const char *queue)
{
        struct tokens *t = find(queue);

        return t != NULL && take_wanted(t) && deliver(t);
}

void fake_tokens_lose(void)
{
        for (unsigned i = 0; i < FAKE_CHANNELS; i++)
                epochs[i]++;
}

void fake_tokens_lose_channel(unsigned i)
{
        epochs[i]++;
}

unsigned fake_tokens_taken(void)
{
        unsigned count = 0;

        for (size_t i = 0; i < COUNT(queues); i++)
                count += queues[i] == NULL ? 0 : queues[i]->taken;
        return count;
}

void fake_tokens_bring(const char *queue)
{
        struct tokens *t = find(queue);

        assert_non_null(t);
        (void)take_wanted(t);
        assert_true(deliver(t));
}

unsigned fake_tokens_queues(void)
{
        unsigned count = 0;

        for (size_t i = 0; i < COUNT(queues); i++)
                count += queues[i] != NULL;
        return count;
}
