/* SPDX-License-Identifier: Apache-2.0
 *
 * token_counts.c: asks the broker for the queues that somebody wants to know of.
 */
#include "status-store/why/token_counts.h"

#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#include "common/base/condition.h"
#include "common/base/memory.h"
#include "common/base/own.h"

#define VALID_FOR ((msec)2 * MSEC_SECOND)
#define SETTLES_IN ((msec)10 * MSEC_SECOND)

enum { QUEUES_MAX = 4096 }; /* held; old ones are dropped beyond that */

struct queue_count {
        char queue[COUNTED_QUEUE_SIZE];
        int64_t ready; /* -1: not known */
        msec at;       /* of the answer; 0: none yet */
        bool asked;    /* the broker's answer is to come, with a pointer to this */
        struct token_counts *owner;
        UT_hash_handle hh;
};

struct token_counts {
        struct link *link;

        pthread_mutex_t mutex;
        pthread_cond_t answered;
        /* guarded by mutex */
        struct queue_count *queues;
        msec up_at; /* 0: the link is down */
};

static void on_up(void *owner)
{
        struct token_counts *t = owner;

        pthread_mutex_lock(&t->mutex);
        t->up_at = clock_mono();
        pthread_mutex_unlock(&t->mutex);
}

static void on_down(void *owner, const struct err *why)
{
        struct token_counts *t = owner;

        (void)why;
        pthread_mutex_lock(&t->mutex);
        t->up_at = 0;
        pthread_mutex_unlock(&t->mutex);
}

static void on_counted(void *owner, const struct err *why, uint32_t messages, uint32_t consumers)
{
        struct queue_count *q = owner;
        struct token_counts *t = q->owner;

        (void)consumers;
        pthread_mutex_lock(&t->mutex);
        q->ready = why != NULL && err_is_set(why) ? -1 : (int64_t)messages;
        q->at = clock_mono();
        q->asked = false;
        pthread_cond_broadcast(&t->answered);
        pthread_mutex_unlock(&t->mutex);
}

static void drop_old_locked(struct token_counts *t, msec now)
{
        struct queue_count *q = NULL;
        struct queue_count *next = NULL;

        if (HASH_COUNT(t->queues) < QUEUES_MAX)
                return;
        HASH_ITER (hh, t->queues, q, next) {
                if (q->asked || now - q->at < VALID_FOR)
                        continue;
                HASH_DEL(t->queues, q);
                free(q);
        }
}

static void ask_locked(struct token_counts *t, const char *queue, msec now)
{
        struct queue_count *q = NULL;

        HASH_FIND_STR(t->queues, queue, q);
        if (q == NULL) {
                drop_old_locked(t, now);
                q = xcalloc(1, sizeof(*q));
                snprintf(q->queue, sizeof(q->queue), "%s", queue);
                q->owner = t;
                HASH_ADD_STR(t->queues, queue, q);
        }
        if (q->asked || (q->at != 0 && now - q->at < VALID_FOR))
                return;
        q->asked = true;
        const struct declaration count = {.what = COUNT_QUEUE, .name = queue};
        link_declare(t->link, &count, on_counted, q);
}

/* False: an answer is to come. */
static bool fill_locked(struct token_counts *t, struct token_count *counts, size_t n)
{
        struct queue_count *q = NULL;
        bool complete = true;

        for (size_t i = 0; i < n; i++) {
                if (counts[i].queue[0] == '\0')
                        continue;
                HASH_FIND_STR(t->queues, counts[i].queue, q);
                if (q != NULL && q->asked)
                        complete = false;
                else
                        counts[i].ready = q != NULL ? q->ready : -1;
        }
        return complete;
}

static bool is_settled_locked(const struct token_counts *t, msec now)
{
        return t->up_at != 0 && now - t->up_at >= SETTLES_IN;
}

void token_counts_read(struct token_counts *t, struct token_count *counts, size_t n, msec deadline)
{
        msec now = clock_mono();

        for (size_t i = 0; i < n; i++)
                counts[i].ready = -1;
        if (t == NULL)
                return;
        pthread_mutex_lock(&t->mutex);
        if (is_settled_locked(t, now)) {
                for (size_t i = 0; i < n; i++)
                        if (counts[i].queue[0] != '\0')
                                ask_locked(t, counts[i].queue, now);
                while (!fill_locked(t, counts, n))
                        if (!condition_wait(&t->answered, &t->mutex, deadline))
                                break;
        }
        pthread_mutex_unlock(&t->mutex);
}

struct token_counts *token_counts_create(const struct link_config *link, uv_loop_t *loop,
                                         struct err *e)
{
        static const struct link_events events = {.up = on_up, .down = on_down};
        AUTO_FREE struct token_counts *t = xcalloc(1, sizeof(*t));

        pthread_mutex_init(&t->mutex, NULL);
        condition_init(&t->answered);
        t->link = link_create(link, &events, t, loop, e);
        if (t->link == NULL)
                return NULL;
        return TAKE(t);
}

void token_counts_destroy(struct token_counts **counts)
{
        struct token_counts *t = TAKE(*counts);
        struct queue_count *q = NULL;
        struct queue_count *next = NULL;

        if (t == NULL)
                return;
        link_destroy(&t->link);
        HASH_ITER (hh, t->queues, q, next) {
                HASH_DEL(t->queues, q);
                free(q);
        }
        pthread_cond_destroy(&t->answered);
        pthread_mutex_destroy(&t->mutex);
        free(t);
}
