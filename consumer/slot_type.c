/* SPDX-License-Identifier: Apache-2.0
 *
 * slot_type.c: the slots of one limited type, and how many tokens it wants.
 */
#include "consumer/slot_type.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/base/memory.h"

bool type_slot_is_uncovered(const struct type_slot *slot)
{
        return slot->token == NULL || slot->ageing || !token_is_held(slot->token);
}

static unsigned count_uncovered(const struct slot_type *t)
{
        const struct type_slot *slot;
        unsigned count = 0;

        DL_FOREACH (t->slots, slot)
                count += type_slot_is_uncovered(slot);
        return count;
}

bool slot_type_is_full(const struct slot_type *t)
{
        return clock_mono() < t->full_until;
}

void slot_type_want(struct slot_type *t)
{
        unsigned counts[TOKENS_RANKS] = {0};

        t->lost = count_uncovered(t);
        if (t->versions.tokens == NULL)
                return;
        if (t->home->up) {
                const struct attempt *a;
                counts[TOKENS_RANK_RUNNING] = t->lost;
                DL_FOREACH (t->home->asking, a) {
                        if (strcmp(a->job.type, t->type) == 0)
                                counts[a->job.priority]++;
                }
                if (t->asking == 0 && slot_type_is_full(t))
                        counts[t->full_rank]++;
        }
        tokens_want_each(t->versions.tokens, counts);
}

struct type_slot *slot_type_add(struct slot_type *t, struct token *token)
{
        struct type_slot *slot = xcalloc(1, sizeof(*slot));

        slot->of = t;
        slot->token = token;
        slot->version = t->versions.version;
        DL_APPEND(t->slots, slot);
        t->held++;
        t->spare++;
        return slot;
}

void type_slot_use(struct type_slot *slot, struct attempt *a)
{
        slot->user = a;
        slot->unasked = false;
        a->type_slot = slot;
        slot->of->spare--;
}

void type_slot_drop(struct type_slot *slot)
{
        struct slot_type *t = slot->of;

        DL_DELETE(t->slots, slot);
        t->held--;
        if (slot->user != NULL)
                slot->user->type_slot = NULL;
        else
                t->spare--;
        if (slot->token != NULL && token_is_held(slot->token))
                t->ask_not = 0; /* one is free: there is no use in waiting */
        token_return(&slot->token);
        free(slot);
        token_versions_sweep(&t->versions);
}

static struct type_slot *first_uncovered(const struct slot_type *t)
{
        struct type_slot *slot;

        DL_FOREACH (t->slots, slot) {
                if (type_slot_is_uncovered(slot))
                        return slot;
        }
        return NULL;
}

bool slot_type_cover(struct slot_type *t)
{
        struct type_slot *slot = first_uncovered(t);

        if (slot == NULL)
                return false;
        token_return(&slot->token);
        slot->token = tokens_take(t->versions.tokens);
        slot->version = t->versions.version;
        slot->ageing = false;
        token_versions_sweep(&t->versions);
        slot_type_want(t);
        return true;
}

void slot_type_forget_lost(struct slot_type *t)
{
        struct type_slot *slot, *after;

        DL_FOREACH_SAFE (t->slots, slot, after) {
                if (type_slot_is_uncovered(slot))
                        type_slot_drop(slot);
        }
}

struct type_slot *slot_type_spare(const struct slot_type *t)
{
        struct type_slot *slot;

        DL_FOREACH (t->slots, slot) {
                if (slot->user == NULL)
                        return slot;
        }
        return NULL;
}

void slot_type_exchange(struct slot_type *t, msec now)
{
        struct type_slot *slot;

        DL_FOREACH (t->slots, slot) {
                if (slot->token == NULL || slot->version != t->versions.version)
                        continue;
                if (slot->ageing)
                        token_return(&slot->token);
                else
                        slot->ageing = now - token_since(slot->token) >= TYPE_SLOT_HELD_MAX;
        }
        slot_type_want(t);
}

void slot_type_lose(struct slot_type *t)
{
        struct type_slot *slot;

        DL_FOREACH (t->slots, slot) {
                if (slot->token == NULL || token_is_held(slot->token))
                        continue;
                token_return(&slot->token); /* frees it */
                slot->ageing = false;
        }
        token_versions_sweep(&t->versions);
        if (t->limit == 0)
                slot_type_forget_lost(t);
        slot_type_want(t);
}
