/* SPDX-License-Identifier: Apache-2.0
 *
 * token_checks.c: counts the tokens of every limit, and remembers since when some lack.
 */
#include "common/doctor/token_checks.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/base/memory.h"
#include "common/base/own.h"

static const char *const names[] = {
        [LIMIT_TENANT_SLOTS] = "max running",
        [LIMIT_TYPE_SLOTS] = "max running",
        [LIMIT_TYPE_RATE] = "max rate",
};

struct limit {
        char queue[LIMIT_QUEUE_SIZE];
        struct doctor_limit is;
        int64_t messages; /* when the queue was last seen */
        unsigned look;    /* the last that found it */
        enum token_loss loss;
        msec since; /* of this loss */
        msec seen;  /* by the last look */
        UT_hash_handle hh;
};

struct token_checks {
        struct limit *limits;
        unsigned look;
};

struct token_checks *token_checks_create(void)
{
        return xcalloc(1, sizeof(struct token_checks));
}

/* Forgets limits that this look did not find; all of them when look is 0. */
static void forget_limits(struct token_checks *t, unsigned look)
{
        struct limit *limit, *next;

        HASH_ITER (hh, t->limits, limit, next) {
                if (look != 0 && limit->look == look)
                        continue;
                HASH_DEL(t->limits, limit);
                free(limit);
        }
}

void token_checks_destroy(struct token_checks **t)
{
        struct token_checks *old = TAKE(*t);

        if (old == NULL)
                return;
        forget_limits(old, 0);
        free(old);
}

static const int64_t *messages_of(const struct queue_list *queues, enum limit_queue kind,
                                  const struct limit *limit)
{
        char name[LIMIT_QUEUE_SIZE];

        limit_queue_name(kind, limit->is.of, limit->is.version, name);
        const struct listed_queue *queue = queue_list_find(queues, name);
        return queue == NULL ? NULL : &queue->messages;
}

static void note_limit(struct token_checks *t, const struct doctor_limit *is)
{
        char queue[LIMIT_QUEUE_SIZE];
        struct limit *limit = NULL;

        limit_queue_name(is->kind, is->of, is->version, queue);
        HASH_FIND_STR(t->limits, queue, limit);
        if (limit == NULL) {
                limit = xcalloc(1, sizeof(*limit));
                memcpy(limit->queue, queue, sizeof(queue));
                HASH_ADD_STR(t->limits, queue, limit);
        }
        limit->is = *is;
        limit->look = t->look;
}

static enum token_loss loss_of(const struct queue_list *queues, struct limit *limit)
{
        int64_t sum;

        if (limit->is.version == 0)
                return TOKENS_NOT_MADE;
        const int64_t *messages = messages_of(queues, limit->is.kind, limit);
        if (limit->is.kind == LIMIT_TYPE_RATE)
                messages = token_counts_join(messages,
                                             messages_of(queues, LIMIT_TYPE_COOLING, limit), &sum);
        if (messages != NULL)
                limit->messages = *messages;
        return token_loss_of(limit->is.tokens, messages);
}

static void judge(const struct doctor_look *look, struct limit *limit)
{
        enum token_loss loss = loss_of(look->queues, limit);

        if (loss != limit->loss)
                limit->since = look->at;
        limit->loss = loss;
        limit->seen = look->at;
}

void token_checks_look(struct token_checks *t, const struct doctor_look *look)
{
        t->look++;
        for (size_t i = 0; i < look->facts->limit_count; i++)
                note_limit(t, &look->facts->limits[i]);
        forget_limits(t, t->look);
        for (struct limit *limit = t->limits; limit != NULL; limit = limit->hh.next)
                judge(look, limit);
}

/* Only looks count: fixing other limits takes time too. */
static bool is_certain(const struct limit *limit)
{
        return limit->seen - limit->since >= token_loss_patience(limit->loss);
}

bool token_checks_suspect(const struct token_checks *t)
{
        for (const struct limit *limit = t->limits; limit != NULL; limit = limit->hh.next)
                if (limit->loss != TOKENS_COMPLETE && !is_certain(limit))
                        return true;
        return false;
}

void token_checks_each(const struct token_checks *t,
                       void (*each)(void *owner, const struct token_finding *found), void *owner)
{
        for (const struct limit *limit = t->limits; limit != NULL; limit = limit->hh.next) {
                const struct token_finding found = {.limit = limit->is,
                                                    .loss = limit->loss,
                                                    .left = limit->messages,
                                                    .certain = is_certain(limit)};
                if (limit->loss != TOKENS_COMPLETE)
                        each(owner, &found);
        }
}

void token_checks_add_problem(const struct token_finding *found, struct buffer *out)
{
        const struct doctor_limit *limit = &found->limit;

        buffer_printf(out, "%s %s, %s: ", doctor_noun(limit->kind), limit->of, names[limit->kind]);
        if (!found->certain) {
                buffer_add_text(out, "it is not certain after a minute of looks whether tokens are "
                                     "lost");
                return;
        }
        switch (found->loss) {
        case TOKENS_COMPLETE:
                break;
        case TOKENS_NOT_MADE:
                buffer_add_text(out, "not in force, as its tokens could not be made yet");
                break;
        case TOKENS_NO_QUEUE:
                buffer_add_text(out, "tokens are lost: their queue is missing");
                break;
        case TOKENS_FEWER:
                buffer_printf(out, "tokens are lost: %lld of %lld are left", (long long)found->left,
                              (long long)limit->tokens);
                break;
        }
}

void token_checks_report_one(const struct token_finding *found, struct findings *f)
{
        const struct doctor_limit *limit = &found->limit;
        const char *noun = doctor_noun(limit->kind);
        AUTO_BUFFER problem = {0};
        AUTO_FREE char *remedy = xasprintf(
                "run: warren doctor --fix, or for this one: warren %s slots %s", noun, limit->of);

        token_checks_add_problem(found, &problem);
        if (!found->certain)
                findings_add(f, CHECK_LIMITS, FINDING_UNKNOWN, problem.data,
                             "look again: warren doctor");
        else
                findings_add(f, CHECK_LIMITS, FINDING_WRONG, problem.data,
                             found->loss == TOKENS_NOT_MADE
                                     ? "see the log of the primary status-store, which tries again"
                                     : remedy);
        if (limit->kind == LIMIT_TENANT_SLOTS)
                findings_about(f, limit->of);
}

static void report_certain(void *owner, const struct token_finding *found)
{
        if (found->certain)
                token_checks_report_one(found, owner);
}

void token_checks_report(const struct token_checks *t, struct findings *f)
{
        size_t before = findings_count(f);

        token_checks_each(t, report_certain, f);
        if (findings_count(f) == before)
                findings_add(f, CHECK_LIMITS, FINDING_OK, NULL, NULL);
}
