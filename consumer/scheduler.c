/* SPDX-License-Identifier: Apache-2.0
 *
 * scheduler.c: deficit round-robin over the ring of tenants. The head of the ring has the turn.
 */
#include "consumer/scheduler.h"

#define PASS_STRIDE ((int64_t)1 << 20)

struct room {
        room_fn *ask;
        void *owner;
        const struct handler *full; /* the last one without room: neighbours are often alike */
};

static bool has_room(struct room *r, const struct handler *h)
{
        if (h == r->full)
                return false;
        if (r->ask(r->owner, h))
                return true;
        r->full = h;
        return false;
}

static struct attempt *first_with_room(struct attempt *list, struct room *r)
{
        for (struct attempt *a = list; a != NULL; a = a->next) {
                if (has_room(r, a->handler))
                        return a;
        }
        return NULL;
}

static struct attempt *pick_of(const struct tenant *t, struct room *r)
{
        bool lowest = (t->picks + 1) % SCHEDULER_LOWEST_EVERY == 0;

        for (int i = 0; i < PRIORITY_COUNT; i++) {
                int priority = lowest ? i : PRIORITY_COUNT - 1 - i;
                struct attempt *a = first_with_room(t->waiting[priority], r);
                if (a != NULL)
                        return a;
        }
        return NULL;
}

/* The turn comes to t: those before it had nothing that could run, and keep no deficit. */
static void take_turn(struct ready *ready, struct tenant *t)
{
        for (; ready->ring != t; ready->ring = ready->ring->next)
                ready->ring->deficit = 0;
        if (t->deficit <= 0)
                t->deficit = t->weight;
}

/* The turn passes on when the deficit is used up. */
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

/* A walk that finds nothing leaves turn and deficits alone: otherwise, where room comes one place
 * at a time, the same tenant would have every turn. */
struct attempt *scheduler_pick(struct ready *ready, room_fn *room, void *owner)
{
        struct room r = {.ask = room, .owner = owner};
        struct tenant *t = ready->ring;

        for (unsigned left = ready->tenants; left > 0; left--, t = t->next) {
                struct attempt *a = pick_of(t, &r);
                if (a == NULL)
                        continue;
                take_turn(ready, t);
                charge(ready, t);
                ready_remove(ready, a);
                return a;
        }
        return NULL;
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
