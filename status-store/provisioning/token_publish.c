/* SPDX-License-Identifier: Apache-2.0
 *
 * token_publish.c: puts the tokens of a limit into their queue.
 */
#include "status-store/provisioning/token_publish.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>

#define TOKEN_CONTENT_TYPE "application/vnd.warren.token"

enum { NUMBER_SIZE = sizeof("9223372036854775807") };

/* Publishes of one queue; `done` runs on the link's thread. */
struct filling {
        sem_t ended;
        unsigned confirmed;
};

static void on_ended(void *owner, enum link_result result)
{
        struct filling *f = owner;
        f->confirmed += result == LINK_CONFIRMED;
        sem_post(&f->ended);
}

static int publish_token(struct link *l, const char *queue, int64_t number,
                         const struct publish_wait *wait, struct err *e)
{
        char id[NUMBER_SIZE];
        snprintf(id, sizeof(id), "%" PRId64, number);
        const struct message token = {.exchange = bytes_of_text(""),
                                      .routing_key = bytes_of_text(queue),
                                      .message_id = bytes_of_text(id),
                                      .content_type = bytes_of_text(TOKEN_CONTENT_TYPE),
                                      .body = bytes_of_text(""),
                                      .delivery_mode = 2,
                                      .mandatory = true};
        return link_publish(l, &token, wait, e);
}

int token_publish(struct link *l, const char *queue, int64_t count, struct err *e)
{
        struct filling f = {.confirmed = 0};
        const struct publish_wait wait = {.done = on_ended, .owner = &f, .direct = true};
        int64_t sent = 0;
        sem_init(&f.ended, 0, 0);
        while (sent < count && publish_token(l, queue, sent, &wait, e) == 0)
                sent++;
        for (int64_t i = 0; i < sent; i++) {
                while (sem_wait(&f.ended) != 0)
                        assert(errno == EINTR);
        }
        sem_destroy(&f.ended);
        if (sent < count)
                return -1;
        if (f.confirmed == count)
                return 0;
        return err_set(e, ERR_UNAVAILABLE, "the broker did not confirm all tokens of %s", queue);
}
