/* SPDX-License-Identifier: Apache-2.0
 *
 * facts.c: the contents that were published under one id.
 */
#include "common/model/facts.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/base/memory.h"

static void facts_free(struct job_facts *f)
{
        buffer_fini(&f->payload);
        free(f);
}

void facts_clear(struct job_facts **all)
{
        struct job_facts *f, *next;

        LL_FOREACH_SAFE (*all, f, next)
                facts_free(f);
        *all = NULL;
}

struct job_facts *facts_find(struct job_facts *all, uint64_t content)
{
        struct job_facts *f;

        LL_SEARCH_SCALAR(all, f, content, content);
        return f;
}

static void set_values(struct job_facts *f, const struct job *j)
{
        memcpy(f->type, j->type, sizeof(f->type));
        f->priority = j->priority;
        f->lane = j->lane;
        f->max_retries = j->max_retries;
        f->timeout = j->timeout;
        f->expires_at = j->expires_at;
        memcpy(f->traceparent, j->traceparent, sizeof(f->traceparent));
        memcpy(f->idempotency_key, j->key, sizeof(f->idempotency_key));
        memcpy(f->key_hash, j->key_hash, sizeof(f->key_hash));
}

/* Adds an entry for a content with that offset; NULL when FACTS_MAX others have lower offsets. */
static struct job_facts *make_room(struct job_facts **all, uint64_t content, int64_t offset)
{
        struct job_facts *f, *last = *all;
        int count = 0;

        LL_FOREACH (*all, f) {
                count++;
                if (f->first > last->first)
                        last = f;
        }
        if (count >= FACTS_MAX && last->first <= offset)
                return NULL;
        if (count >= FACTS_MAX) {
                LL_DELETE(*all, last);
                facts_free(last);
        }
        f = xcalloc(1, sizeof(*f));
        f->content = content;
        f->first = offset;
        LL_APPEND(*all, f);
        return f;
}

/* Of several messages at one stage the one with the lowest offset is the greatest: a later one with
 * the same content may have other retries or another trace, and does not run. */
static struct fold_key stage_key(const struct fold_key *key, int64_t offset)
{
        struct fold_key stage = *key;

        stage.at = 0;
        stage.digest = UINT64_MAX - (uint64_t)offset;
        return stage;
}

/* A hop replaces run_at by the end of the hop. A copy may be for at once: run_at 0. */
static bool says_when_due(const struct event *e)
{
        bool due = e->kind == EVENT_DUE && !e->job.hop && e->job.run_at > 0;
        bool moved = e->kind == EVENT_SUBMITTED && e->copy > 0;

        return e->scheduled || e->soon || due || moved;
}

bool facts_fold(struct job_facts **all, const struct event *e, const struct fold_key *key,
                int64_t offset)
{
        const struct fold_key stage = stage_key(key, offset);
        struct job_facts *f = facts_find(*all, e->content);
        bool changed = false;

        if (f == NULL)
                f = make_room(all, e->content, offset);
        if (f == NULL)
                return false;
        if (offset < f->first) {
                f->first = offset;
                /* Equal in each message, but a row read from the database has none. */
                buffer_set(&f->payload, e->job.payload);
                changed = true;
        }
        if (fold_key_raise(&f->key, &stage)) {
                set_values(f, &e->job);
                buffer_set(&f->payload, e->job.payload);
                changed = true;
        }
        if (says_when_due(e) && fold_key_raise(&f->wait, key)) {
                f->run_at = e->job.run_at;
                changed = true;
        }
        return changed;
}

bool facts_choose(struct job_facts **all, uint64_t ran)
{
        struct job_facts *f, *chosen = facts_find(*all, ran);

        if (chosen == NULL) {
                chosen = *all;
                LL_FOREACH (*all, f)
                        chosen = f->first < chosen->first ? f : chosen;
        }
        if (chosen == *all)
                return false;
        LL_DELETE(*all, chosen);
        LL_PREPEND(*all, chosen);
        return true;
}
