/* SPDX-License-Identifier: Apache-2.0
 *
 * slot_pool.c: which spare tokens of one limit stay, and how many more are wanted.
 */
#include "consumer/slot_pool.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/base/memory.h"
#include "common/base/uuid.h"

enum {
        ASKED_LINGER = 20,    /* ms for a token that is asked for, in a stream of short jobs */
        LINGER_MORE = 50,     /* ms for the next job, while acks that may bring it are to come */
        WINDOWS_MISSED = 5,   /* while this process had no CPU, say */
        STREAM = 2,           /* starts in a SLOT_LINGER, from which on jobs are a stream */
        ASK_AGAIN_MAX = 2000, /* ms */
};

void slot_pool_list(struct slot_pool *p)
{
        if (p->listed)
                return;
        p->listed = true;
        DL_APPEND2(p->home->busy, p, busy_prev, busy_next);
}

void slot_pool_unlist(struct slot_pool *p)
{
        if (!p->listed)
                return;
        p->listed = false;
        DL_DELETE2(p->home->busy, p, busy_prev, busy_next);
}

void slot_pool_note(struct slot_pool *p)
{
        if (p->tenant != NULL)
                p->tenant->without_slot = p->spare_count == 0;
}

void slot_pool_spare(struct slot_pool *p, struct slot *slot)
{
        slot->was_used = slot->tenant != NULL;
        slot->tenant = NULL;
        slot->ageing = false;
        slot->spare_since = clock_mono();
        DL_APPEND(p->spare, slot);
        p->spare_count++;
        slot_pool_note(p);
        slot_pool_list(p);
        scheduler_give_turn(p->home->config.ready, p->tenant);
}

struct slot *slot_pool_take(struct slot_pool *p, struct slot *slot)
{
        DL_DELETE(p->spare, slot);
        p->spare_count--;
        slot_pool_note(p);
        return slot;
}

static void turn_window(struct slot_pool *p, msec now)
{
        msec window = now / SLOT_LINGER;

        if (window == p->window)
                return;
        p->recent = window <= p->window + WINDOWS_MISSED ? p->started : 0;
        p->started = 0;
        p->window = window;
}

void slot_pool_count(struct slot_pool *p, msec now)
{
        turn_window(p, now);
        p->started++;
}

void slot_drop(struct slot *slot)
{
        token_return(&slot->token);
        slot->pool->slots--;
        free(slot);
}

void slot_pool_count_anew(struct slots *s)
{
        memset(&s->rooms, 0, sizeof(s->rooms));
}

/* When a type was forgotten, more of it may be counted than there is room for. */
static bool take_room(struct slots *s, const struct handler *h)
{
        struct slot_rooms *r = &s->rooms;
        unsigned i = 0;

        while (i < SLOT_ROOMS && r->handlers[i] != h)
                i++;
        if (i == SLOT_ROOMS) {
                i = r->used++ % SLOT_ROOMS;
                r->handlers[i] = h;
                r->left[i] = r->rooms[i] = s->config.room(s->config.owner, h);
        }
        if (r->left[i] == 0)
                return false;
        r->left[i]--;
        return true;
}

/* Counts jobs that a token would start, at most `most`, the most urgent first. free: 0: by what
 * waits alone, as without a free worker nothing has room. Each tenant may use all the room: who has
 * a token first is not known. */
static unsigned count_startable(struct slots *s, const struct tenant *t, unsigned free,
                                unsigned most, unsigned counts[TOKENS_RANKS])
{
        unsigned count = 0;

        memcpy(s->rooms.left, s->rooms.rooms, sizeof(s->rooms.left));
        for (int priority = PRIORITY_COUNT - 1; priority >= 0; priority--) {
                const struct attempt *a = t->waiting[priority];
                for (; a != NULL && count < most; a = a->next) {
                        if (free > 0 && !take_room(s, a->handler))
                                continue;
                        counts[priority]++;
                        count++;
                }
        }
        return count;
}

bool slot_pool_can_start(const struct slot_pool *p)
{
        unsigned counts[TOKENS_RANKS] = {0};

        return count_startable(p->home, p->tenant, 1, 1, counts) > 0;
}

void slot_pool_owe(struct slot_pool *p, bool owed)
{
        if (p->owed == owed)
                return;
        p->owed = owed;
        p->home->owed += owed ? 1 : -1U;
}

static void remove_most_urgent(unsigned counts[TOKENS_RANKS], unsigned count)
{
        for (int rank = TOKENS_RANKS - 1; rank >= 0 && count > 0; rank--) {
                unsigned less = counts[rank] < count ? counts[rank] : count;
                counts[rank] -= less;
                count -= less;
        }
}

/* Jobs are here that neither wait nor run: most have ended. */
static bool is_settling(const struct slot_pool *p)
{
        unsigned used = tokens_taken(p->tokens) - p->spare_count;

        return p->tenant->attempts > p->tenant->waiting_count + used;
}

/* How long the first spare token may stay. startable: jobs that would use one. */
static msec stay_of(const struct slot_pool *p, unsigned startable)
{
        if (p->spare_count <= startable)
                return SLOT_WAIT;
        if (!p->spare->was_used && p->spare_count > p->recent / 2)
                return 0;
        return is_settling(p) ? LINGER_MORE : SLOT_LINGER;
}

/* Without a free worker no token is asked for again for a while. */
static void ask_later(struct slot_pool *p, msec now)
{
        p->ask_after = now + p->ask_again / 2 + (msec)((double)p->ask_again * random_fraction());
        p->ask_again = 2 * p->ask_again < ASK_AGAIN_MAX ? 2 * p->ask_again : ASK_AGAIN_MAX;
}

static void return_spare(struct slot_pool *p, unsigned startable, msec now)
{
        bool in_vain = false; /* no worker became free for a job that could start */

        while (p->spare != NULL && now - p->spare->spare_since >= stay_of(p, startable)) {
                in_vain = in_vain || p->spare_count <= startable;
                slot_drop(slot_pool_take(p, p->spare));
        }
        if (!in_vain)
                return;
        ask_later(p, now);
        slot_pool_owe(p, true);
}

/* A tenant asks for tokens for its share of the free workers. Without one it asks for one token
 * when it missed a turn, or it would never have a token when a worker becomes free and other
 * tenants' jobs wait.
 */
static unsigned may_start(const struct slot_pool *p, unsigned free, unsigned share, msec now)
{
        const struct slots *s = p->home;

        if (!s->up || s->stopped || !p->tenant->wanted)
                return 0;
        if (free > 0)
                return share;
        return p->tenant->passed_over && now >= p->ask_after ? 1 : 0;
}

/* In a stream of short jobs the next one may need what is asked for: to end a subscription and to
 * begin it again costs the broker four log entries. */
static void want(struct slot_pool *p, const unsigned counts[TOKENS_RANKS], unsigned count, msec now)
{
        if (count >= tokens_wanted(p->tokens))
                p->needed_at = now;
        if (p->recent >= STREAM && now - p->needed_at < ASKED_LINGER)
                tokens_want_more(p->tokens, counts);
        else
                tokens_want_each(p->tokens, counts);
}

unsigned slot_pool_settle(struct slot_pool *p, unsigned free, unsigned share, msec now)
{
        unsigned counts[TOKENS_RANKS] = {0};
        unsigned may = may_start(p, free, share, now);
        unsigned most = may > p->spare_count ? may : p->spare_count;
        unsigned count = count_startable(p->home, p->tenant, free, most, counts);

        turn_window(p, now);
        return_spare(p, count, now);
        if (p->home->up) {
                unsigned wanted = count < may ? count : may;
                wanted = wanted > p->spare_count ? wanted - p->spare_count : 0;
                if (now < p->ask_after && free == 0)
                        wanted = 0;
                remove_most_urgent(counts, count - wanted);
                counts[TOKENS_RANK_RUNNING] = p->uncovered;
                want(p, counts, wanted + p->uncovered, now);
        }
        if (p->spare != NULL || tokens_wanted(p->tokens) > 0)
                slot_pool_list(p);
        else
                slot_pool_unlist(p);
        return count < may ? count : may;
}
