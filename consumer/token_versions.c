/* SPDX-License-Identifier: Apache-2.0
 *
 * token_versions.c: the tokens in force, and a list of former ones.
 */
#include "consumer/token_versions.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#include "common/base/memory.h"

struct former_tokens {
        struct tokens *tokens;
        struct former_tokens *next;
};

static void retire(struct token_versions *v)
{
        if (v->tokens == NULL)
                return;
        struct former_tokens *f = xcalloc(1, sizeof(*f));
        f->tokens = v->tokens;
        v->tokens = NULL;
        tokens_want(f->tokens, 0, 0);
        tokens_keep(f->tokens, 0);
        LL_PREPEND(v->former, f);
        token_versions_sweep(v);
}

bool token_versions_use(struct token_versions *v, const struct token_source *s, int64_t version)
{
        char queue[LIMIT_QUEUE_SIZE];

        if (version == v->version)
                return false;
        retire(v);
        v->version = version;
        if (version == 0)
                return true;
        limit_queue_name(s->kind, s->of, version, queue);
        v->tokens = tokens_create(s->link, queue, s->came, s->owner);
        return true;
}

void token_versions_sweep(struct token_versions *v)
{
        struct former_tokens *f, *after;

        LL_FOREACH_SAFE (v->former, f, after) {
                if (tokens_taken(f->tokens) > 0)
                        continue;
                LL_DELETE(v->former, f);
                tokens_destroy(&f->tokens);
                free(f);
        }
}

void token_versions_fini(struct token_versions *v)
{
        retire(v);
        assert(v->former == NULL);
}
