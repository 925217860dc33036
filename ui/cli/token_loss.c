/* SPDX-License-Identifier: Apache-2.0
 *
 * token_loss.c: judging token queues.
 */
#include "ui/cli/token_loss.h"

#include <stdlib.h>
#include <string.h>

enum { VERSION_DIGITS = 18 };

/* The management plugin learns of a queue 5 s late. */
static const msec queue_patience = 6500;
/* Longer than a broker's counts are wrong after a restart, and than its consumers need to come
 * back. */
static const msec count_patience = (msec)30 * MSEC_SECOND;

enum token_loss token_loss_of(const struct token_limit *l, const struct token_queue *queue)
{
        if (queue == NULL)
                return TOKENS_NO_QUEUE;
        if (queue->messages == 0)
                return l->pending > 0 && l->running == 0 ? TOKENS_GONE : TOKENS_COMPLETE;
        if (queue->messages > 0 && queue->messages < l->tokens)
                return TOKENS_FEWER;
        return TOKENS_COMPLETE;
}

const struct token_queue *token_queues_join(const struct token_queue *ready,
                                            const struct token_queue *cooling,
                                            struct token_queue *sum)
{
        if (ready == NULL || cooling == NULL || ready->version != cooling->version)
                return NULL;
        *sum = *ready;
        sum->messages = ready->messages < 0 || cooling->messages < 0
                                ? -1
                                : ready->messages + cooling->messages;
        return sum;
}

msec token_loss_patience(enum token_loss loss)
{
        return loss == TOKENS_NO_QUEUE ? queue_patience : count_patience;
}

bool token_queue_split(char *name, int64_t *version)
{
        char *dot = strrchr(name, '.');
        size_t digits = dot == NULL ? 0 : strspn(dot + 1, "0123456789");

        if (digits == 0 || digits > VERSION_DIGITS || dot[1 + digits] != '\0')
                return false;
        *version = strtoll(dot + 1, NULL, 10);
        *dot = '\0';
        return true;
}
