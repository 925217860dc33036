/* SPDX-License-Identifier: Apache-2.0
 *
 * scheduler.c: deficit round-robin over the ring of tenants. The head of the ring has the turn.
 */
#include "consumer/scheduler.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/base/memory.h"

#define PASS_STRIDE ((int64_t)1 << 20)

/* The turns within a type that has a limit of its own. Without them a tenant that also has
 * other types would spend its turn on those, and never get a slot of this type. */
struct type_turn {
        char type[JOB_TYPE_SIZE];
        const struct tenant *tenant; /* that took the last slot; may be freed, so compared only */
        int64_t left;                /* slots it may still take before others */
        UT_hash_handle hh;
};

/* One walk over the ring. */
struct walk {
        const struct ready *ready;
        room_fn *room;
        void *owner;
        const struct handler *full; /* the last without room: the next attempts often have it too */
        bool by_turn;               /* skip a tenant whose turn within the type is over */
        bool passed_over;           /* some tenant was */
};

static bool has_room(struct walk *w, const struct handler *h)
{
        if (h == w->full)
                return false;
        if (w->room(w->owner, h))
                return true;
        w->full = h;
        return false;
}

static struct type_turn *turn_of(const struct ready *ready, const struct handler *h)
{
        struct type_turn *turn = NULL;

        HASH_FIND_STR(ready->turns, h->type, turn);
        return turn;
}

static bool has_turn(struct walk *w, const struct tenant *t, const struct handler *h)
{
        if (!w->by_turn || !ready_is_limited(w->ready, h))
                return true;
        const struct type_turn *turn = turn_of(w->ready, h);
        bool over = turn != NULL && turn->tenant == t && turn->left <= 0;
        w->passed_over = w->passed_over || over;
        return !over;
}

static struct attempt *first_with_room(const struct tenant *t, int priority, struct walk *w)
{
        for (struct attempt *a = t->waiting[priority]; a != NULL; a = a->next) {
                if (has_room(w, a->handler) && has_turn(w, t, a->handler))
                        return a;
        }
        return NULL;
}

static struct attempt *pick_of(const struct tenant *t, struct walk *w)
{
        bool lowest = (t->picks + 1) % SCHEDULER_LOWEST_EVERY == 0;

        for (int i = 0; i < PRIORITY_COUNT; i++) {
                int priority = lowest ? i : PRIORITY_COUNT - 1 - i;
                struct attempt *a = first_with_room(t, priority, w);
                if (a != NULL)
                        return a;
        }
        return NULL;
}

/* Gives t the turn. The tenants before it had nothing that could run; their deficit is cleared. One
 * without a slot keeps it, for scheduler_give_turn. */
static void take_turn(struct ready *ready, struct tenant *t)
{
        for (; ready->ring != t; ready->ring = ready->ring->next) {
                if (ready->ring->without_slot)
                        ready->ring->passed_over = true;
                else
                        ready->ring->deficit = 0;
        }
        t->passed_over = false;
        if (t->deficit <= 0)
                t->deficit = t->weight;
}

static void take_type_turn(struct ready *ready, const struct tenant *t, const struct handler *h)
{
        if (!ready_is_limited(ready, h))
                return;
        struct type_turn *turn = turn_of(ready, h);
        if (turn == NULL) {
                turn = xcalloc(1, sizeof(*turn));
                memcpy(turn->type, h->type, sizeof(turn->type));
                HASH_ADD_STR(ready->turns, type, turn);
        }
        if (turn->tenant != t || turn->left <= 0)
                turn->left = t->weight;
        turn->tenant = t;
        turn->left--;
}

/* Counts a pick. The next tenant has the turn when the deficit is used up. */
static void charge(struct ready *ready, struct tenant *t)
{
        t->picks++;
        if (ready->pass < t->pass)
                ready->pass = t->pass;
        t->pass = ready->pass + PASS_STRIDE / t->weight + 1;
        t->deficit--;
        if (t->deficit <= 0)
                ready->ring = t->next;
}

/* A walk that finds nothing changes no turn and no deficit: otherwise, when slots become free one
 * at a time, the same tenant would get each of them. */
static struct attempt *pick(struct ready *ready, struct walk *w)
{
        struct tenant *t = ready->ring;

        for (unsigned left = ready->tenants; left > 0; left--, t = t->next) {
                struct attempt *a = t->without_slot ? NULL : pick_of(t, w);
                if (a == NULL)
                        continue;
                take_turn(ready, t);
                take_type_turn(ready, t, a->handler);
                charge(ready, t);
                ready_remove(ready, a);
                return a;
        }
        return NULL;
}

struct attempt *scheduler_pick(struct ready *ready, room_fn *room, void *owner)
{
        struct walk w = {.ready = ready, .room = room, .owner = owner, .by_turn = true};
        struct attempt *a = pick(ready, &w);

        if (a != NULL || !w.passed_over)
                return a;
        w.by_turn = false; /* no other tenant wants these slots */
        w.full = NULL;
        return pick(ready, &w);
}

void scheduler_give_turn(struct ready *ready, struct tenant *t)
{
        if (!t->passed_over || t->waiting_count == 0)
                return;
        t->passed_over = false;
        if (ready->ring == t)
                return;
        CDL_DELETE(ready->ring, t);
        CDL_PREPEND(ready->ring, t);
}

void scheduler_resume(struct ready *ready)
{
        struct tenant *t = ready->ring;

        for (unsigned left = ready->tenants; left > 0; left--) {
                if (t->pass < ready->ring->pass)
                        ready->ring = t;
                t = t->next;
        }
}

void scheduler_fini(struct ready *ready)
{
        struct type_turn *turn, *next;

        HASH_ITER (hh, ready->turns, turn, next) {
                HASH_DEL(ready->turns, turn);
                free(turn);
        }
}
