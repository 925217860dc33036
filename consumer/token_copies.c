/* SPDX-License-Identifier: Apache-2.0
 *
 * token_copies.c: the rounds in which tokens were spent here.
 */
#include "consumer/token_copies.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

void token_copies_use(struct token_copies *c, int64_t count)
{
        free(c->next);
        c->count = count;
        c->next = count > 0 ? xcalloc((size_t)count, sizeof(*c->next)) : NULL;
}

void token_copies_forget(struct token_copies *c)
{
        if (c->next != NULL)
                memset(c->next, 0, (size_t)c->count * sizeof(*c->next));
}

static bool is_known(const struct token_copies *c, const struct token_round *r)
{
        return r->number >= 0 && r->number < c->count;
}

void token_copies_spent(struct token_copies *c, const struct token_round *r)
{
        if (is_known(c, r) && c->next[r->number] <= r->round)
                c->next[r->number] = r->round + 1;
}

bool token_copies_is_copy(const struct token_copies *c, const struct token_round *r)
{
        return is_known(c, r) && r->round < c->next[r->number];
}
