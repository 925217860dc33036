/* SPDX-License-Identifier: Apache-2.0
 *
 * answers.c: a list for each channel, and a table of suspects by the names of their queues.
 */
#include "common/amqp/answers.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/amqp/channel.h"
#include "common/base/memory.h"
#include "common/base/own.h"

#define ANSWER_LIMIT ((msec)10 * MSEC_SECOND)
#define TRIAL_WAIT_MIN ((msec)5 * MSEC_SECOND)
#define TRIAL_WAIT_MAX ((msec)MSEC_HOUR)

enum {
        AT_ONCE = 64,      /* on one channel */
        DOUBTED_MAX = 200, /* subscriptions of a link that are tried one by one: about a second */
};

struct sent {
        struct sent *prev, *next;
        uint64_t id;
        char queue[];
};

struct awaited {
        struct sent *list;
        msec answer_by; /* of the first of the list */
};

struct suspect {
        UT_hash_handle hh;
        msec retry_at, wait;
        char queue[];
};

struct answers {
        struct awaited channels[DELIVERY_CHANNELS];
        struct suspect *suspects; /* hash */
};

struct answers *answers_create(void)
{
        return xcalloc(1, sizeof(struct answers));
}

static struct awaited *awaited_on(struct answers *a, uint16_t channel)
{
        return &a->channels[channel - DELIVERY_CHANNEL];
}

static void drop_first(struct awaited *w)
{
        struct sent *first = w->list;

        DL_DELETE(w->list, first);
        free(first);
        w->answer_by = clock_mono() + ANSWER_LIMIT;
}

static struct suspect *find(const struct answers *a, const char *queue)
{
        struct suspect *found = NULL;

        HASH_FIND_STR(a->suspects, queue, found);
        return found;
}

/* certain: it is the one that gave no answer. Otherwise it may be tried at once. */
static void suspect(struct answers *a, const char *queue, bool certain, msec now)
{
        size_t size = strlen(queue) + 1;
        struct suspect *q = find(a, queue);

        if (q == NULL) {
                q = xcalloc(1, sizeof(*q) + size);
                memcpy(q->queue, queue, size);
                HASH_ADD_KEYPTR(hh, a->suspects, q->queue, size - 1, q);
        }
        if (certain)
                q->wait = q->wait == 0 ? TRIAL_WAIT_MIN : q->wait * 2;
        if (q->wait > TRIAL_WAIT_MAX)
                q->wait = TRIAL_WAIT_MAX;
        q->retry_at = now + q->wait;
}

void answers_doubt(struct answers *a, const char *queue, size_t subscriptions)
{
        if (subscriptions > 1 && subscriptions <= DOUBTED_MAX)
                suspect(a, queue, false, clock_mono());
}

void answers_await(struct answers *a, const struct subscription *sub)
{
        struct awaited *w = awaited_on(a, sub->channel);
        size_t size = strlen(sub->queue) + 1;
        struct sent *s = xcalloc(1, sizeof(*s) + size);

        s->id = sub->id;
        memcpy(s->queue, sub->queue, size);
        if (w->list == NULL)
                w->answer_by = clock_mono() + ANSWER_LIMIT;
        DL_APPEND(w->list, s);
}

uint64_t answers_take(struct answers *a, uint16_t channel)
{
        struct awaited *w = awaited_on(a, channel);

        if (w->list == NULL)
                return 0;
        uint64_t id = w->list->id;
        if (channel == TRIAL_CHANNEL)
                answers_clear(a, w->list->queue);
        drop_first(w);
        return id;
}

void answers_lose(struct answers *a, uint16_t channel)
{
        while (awaited_on(a, channel)->list != NULL)
                drop_first(awaited_on(a, channel));
}

bool answers_has_room(const struct answers *a, uint16_t channel)
{
        const struct sent *s;
        unsigned count = 0;

        DL_FOREACH (a->channels[channel - DELIVERY_CHANNEL].list, s)
                count++;
        return count < (channel == TRIAL_CHANNEL ? 1 : AT_ONCE);
}

bool answers_none_awaited(const struct answers *a, uint16_t channel)
{
        return a->channels[channel - DELIVERY_CHANNEL].list == NULL;
}

static int suspect_all(struct answers *a, const struct awaited *w, msec now, struct err *e)
{
        const struct sent *s;

        if (w->list->next == NULL) {
                suspect(a, w->list->queue, true, now);
                return err_set(e, ERR_TIMEOUT,
                               "queue %s does not let itself be consumed: if it has no leader, "
                               "delete it, and restart the primary status-store, which declares it",
                               w->list->queue);
        }
        DL_FOREACH (w->list, s)
                suspect(a, s->queue, false, now);
        return err_set(e, ERR_TIMEOUT,
                       "a queue does not let itself be consumed: queue %s or one after it",
                       w->list->queue);
}

int answers_check(struct answers *a, msec now, struct err *e)
{
        for (size_t i = 0; i < DELIVERY_CHANNELS; i++) {
                const struct awaited *w = &a->channels[i];
                if (w->list != NULL && now >= w->answer_by)
                        return suspect_all(a, w, now, e);
        }
        return 0;
}

msec answers_deadline(const struct answers *a)
{
        msec first = 0;

        for (size_t i = 0; i < DELIVERY_CHANNELS; i++) {
                const struct awaited *w = &a->channels[i];
                if (w->list != NULL && (first == 0 || w->answer_by < first))
                        first = w->answer_by;
        }
        return first;
}

void answers_restart_wait(struct answers *a, msec now)
{
        for (size_t i = 0; i < DELIVERY_CHANNELS; i++)
                a->channels[i].answer_by = now + ANSWER_LIMIT;
}

msec answers_retry_at(const struct answers *a, const char *queue)
{
        const struct suspect *q = find(a, queue);

        return q == NULL ? 0 : q->retry_at;
}

void answers_clear(struct answers *a, const char *queue)
{
        struct suspect *q = find(a, queue);

        if (q == NULL)
                return;
        HASH_DEL(a->suspects, q);
        free(q);
}

void answers_destroy(struct answers **answers)
{
        struct answers *a = TAKE(*answers);
        struct suspect *q, *next;

        if (a == NULL)
                return;
        for (int c = DELIVERY_CHANNEL; c <= TRIAL_CHANNEL; c++)
                answers_lose(a, (uint16_t)c);
        HASH_ITER (hh, a->suspects, q, next) {
                HASH_DEL(a->suspects, q);
                free(q);
        }
        free(a);
}
