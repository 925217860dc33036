/* SPDX-License-Identifier: Apache-2.0
 *
 * type_slots.c: the limited types, and the attempts that ask for their slots.
 */
#include "consumer/type_slots.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/base/memory.h"

static struct slot_type *find(const struct type_slots *s, const char *type)
{
        struct slot_type *t = NULL;

        HASH_FIND_STR(s->types, type, t);
        return t;
}

static void set_late(struct type_slots *s, msec now)
{
        if (s->asking == NULL) {
                alarm_stop(s->late);
                return;
        }
        msec left = s->asking->picked_at + TYPE_SLOT_WAIT - now;
        alarm_set(s->late, left < 0 ? 0 : left);
}

static void end_asking(struct type_slots *s, struct slot_type *t, struct attempt *a)
{
        DL_DELETE(s->asking, a);
        t->asking--;
        slot_type_want(t);
        set_late(s, clock_mono());
}

static struct attempt *most_urgent(const struct type_slots *s, const struct slot_type *t)
{
        struct attempt *a, *best = NULL;

        DL_FOREACH (s->asking, a) {
                if (strcmp(a->job.type, t->type) == 0 &&
                    (best == NULL || a->job.priority > best->job.priority))
                        best = a;
        }
        return best;
}

static void on_came(void *owner)
{
        struct slot_type *t = owner;
        struct type_slots *s = t->home;

        t->full_until = 0;
        if (slot_type_cover(t))
                return;
        struct attempt *a = most_urgent(s, t);
        struct type_slot *slot = slot_type_add(t, tokens_take(t->versions.tokens));
        slot->unasked = a == NULL;
        if (a == NULL)
                return; /* in this turn of the loop there is room for one */
        type_slot_use(slot, a);
        end_asking(s, t, a);
        s->config.answered(s->config.owner, a, true);
}

static msec pause_of(const struct type_slots *s)
{
        return TYPE_SLOT_PAUSE / 2 + (msec)(TYPE_SLOT_PAUSE * s->config.chance());
}

/* The oldest has waited long enough: its type is full. */
static void on_late(void *owner)
{
        struct type_slots *s = owner;
        msec now = clock_mono();

        while (s->asking != NULL && s->asking->picked_at + TYPE_SLOT_WAIT <= now) {
                struct attempt *a = s->asking;
                struct slot_type *t = find(s, a->job.type);
                if (now >= t->full_until)
                        t->full_since = now;
                t->full_until = now + TYPE_SLOT_FULL;
                t->full_rank = a->job.priority;
                t->ask_not = now + pause_of(s);
                end_asking(s, t, a);
                s->config.answered(s->config.owner, a, false);
        }
        set_late(s, now);
}

static void set_again(struct type_slots *s, msec wait)
{
        if (!alarm_is_set(s->again))
                alarm_set(s->again, wait);
}

/* The turn of the loop that follows asks again. */
static void on_again(void *owner)
{
        struct type_slots *s = owner;
        msec now = clock_mono(), next = 0;

        for (const struct slot_type *t = s->types; t != NULL; t = t->hh.next) {
                if (t->ask_not > now && (next == 0 || t->ask_not < next))
                        next = t->ask_not;
        }
        if (next > 0)
                set_again(s, next - now);
}

struct type_slots *type_slots_create(const struct type_slots_config *c)
{
        struct type_slots *s = xcalloc(1, sizeof(*s));

        s->config = *c;
        s->late = alarm_create(c->loop, on_late, s);
        s->again = alarm_create(c->loop, on_again, s);
        return s;
}

void type_slots_destroy(struct type_slots **slots)
{
        struct type_slots *s = *slots;
        struct slot_type *t, *after;

        if (s == NULL)
                return;
        HASH_ITER (hh, s->types, t, after) {
                HASH_DEL(s->types, t);
                while (t->slots != NULL)
                        type_slot_drop(t->slots);
                token_versions_fini(&t->versions);
                free(t);
        }
        alarm_destroy(&s->late);
        alarm_destroy(&s->again);
        free(s);
        *slots = NULL;
}

/* Those that ask do so for the new version, or need none any more. */
static void ask_anew(struct type_slots *s, struct slot_type *t)
{
        struct attempt *a;

        t->full_until = t->ask_not = 0;
        while (t->limit == 0 && (a = most_urgent(s, t)) != NULL) {
                end_asking(s, t, a);
                s->config.answered(s->config.owner, a, true);
        }
        slot_type_want(t);
}

void type_slots_record(struct type_slots *s, const struct type_record *r)
{
        struct slot_type *t = find(s, r->name);
        bool limited = r->max_running != RECORD_UNLIMITED;

        if (t == NULL && !limited)
                return;
        if (t == NULL) {
                t = xcalloc(1, sizeof(*t));
                t->home = s;
                memcpy(t->type, r->name, sizeof(t->type));
                HASH_ADD_STR(s->types, type, t);
        }
        const struct token_source source = {
                .link = s->config.link,
                .kind = LIMIT_TYPE_SLOTS,
                .of = t->type,
                .came = on_came,
                .owner = t,
        };
        t->limit = limited ? r->max_running : 0;
        if (!token_versions_use(&t->versions, &source, limited ? r->slots_version : 0))
                return;
        if (!limited)
                slot_type_forget_lost(t);
        ask_anew(s, t);
}

/* A local concurrency is counted by the runs that have begun: those that ask come on top. */
static bool would_exceed(const struct slot_type *t, const struct handler *h)
{
        unsigned most = t->held - t->spare + t->asking;

        return (int64_t)most >= t->limit || (h->concurrency > 0 && (int64_t)most >= h->concurrency);
}

bool type_slots_have_room(struct type_slots *s, const struct handler *h)
{
        struct slot_type *t = find(s, h->type);

        if (t == NULL || t->limit == 0 || t->spare > 0)
                return true;
        if (!s->up || t->lost > 0 || (slot_type_is_full(t) && t->asking > 0) || would_exceed(t, h))
                return false;
        msec left = t->ask_not - clock_mono();
        if (left <= 0)
                return true;
        set_again(s, left);
        return false;
}

unsigned type_slots_room(const struct type_slots *s, const struct handler *h)
{
        const struct slot_type *t = find(s, h->type);

        if (t == NULL || t->limit == 0)
                return UINT_MAX;
        int64_t most = h->concurrency > 0 && h->concurrency < t->limit ? h->concurrency : t->limit;
        int64_t left = slot_type_is_full(t) ? 1 : most - (t->held - t->spare + t->asking);
        return left > t->spare ? (unsigned)left : t->spare;
}

enum type_slot_answer type_slots_take(struct type_slots *s, struct attempt *a)
{
        struct slot_type *t = find(s, a->job.type);

        assert(a->type_slot == NULL);
        if (t == NULL || t->limit == 0)
                return TYPE_SLOT_HAS;
        struct type_slot *slot;
        while ((slot = slot_type_spare(t)) != NULL) {
                if (!type_slot_is_uncovered(slot)) {
                        type_slot_use(slot, a);
                        return TYPE_SLOT_HAS;
                }
                type_slot_drop(slot);
        }
        a->picked_at = clock_mono();
        DL_APPEND(s->asking, a);
        t->asking++;
        slot_type_want(t);
        if (s->asking == a)
                set_late(s, a->picked_at);
        return TYPE_SLOT_ASKED;
}

void type_slots_withdraw(struct type_slots *s, struct attempt *a)
{
        end_asking(s, find(s, a->job.type), a);
}

void type_slots_release(struct type_slots *s, struct attempt *a)
{
        struct type_slot *slot = a->type_slot;

        if (slot == NULL)
                return;
        struct slot_type *t = slot->of;
        bool may_stay = !type_slot_is_uncovered(slot) && s->up &&
                        slot->version == t->versions.version &&
                        clock_mono() - token_since(slot->token) < TYPE_SLOT_TURN;
        if (!may_stay) {
                type_slot_drop(slot);
                slot_type_want(t);
                return;
        }
        slot->user->type_slot = NULL;
        slot->user = NULL;
        t->spare++;
}

/* One that came unasked stays for a moment: a tenant's slot for it may be on its way. */
static void return_spare(struct slot_type *t, unsigned free, msec now)
{
        struct type_slot *slot, *after;

        DL_FOREACH_SAFE (t->slots, slot, after) {
                bool unasked = slot->unasked;
                msec left = unasked ? token_since(slot->token) + TYPE_SLOT_TURN - now : 0;
                if (slot->user != NULL)
                        continue;
                if (free > 0 && left > 0 && !type_slot_is_uncovered(slot)) {
                        set_again(t->home, left);
                        continue;
                }
                type_slot_drop(slot);
                if (unasked)
                        t->ask_not = now + pause_of(t->home); /* nothing here can use one */
        }
}

void type_slots_turn(struct type_slots *s, unsigned free)
{
        msec now = clock_mono();

        for (struct slot_type *t = s->types; t != NULL; t = t->hh.next) {
                if (t->spare > 0)
                        return_spare(t, free, now);
        }
}

void type_slots_tick(struct type_slots *s, msec mono_now)
{
        for (struct slot_type *t = s->types; s->up && t != NULL; t = t->hh.next) {
                if (t->versions.tokens != NULL)
                        slot_type_exchange(t, mono_now);
        }
}

void type_slots_away(struct type_slots *s)
{
        type_slots_turn(s, 0);
        while (s->asking != NULL) {
                struct attempt *a = s->asking;
                end_asking(s, find(s, a->job.type), a);
                s->config.answered(s->config.owner, a, false);
        }
        for (struct slot_type *t = s->types; t != NULL; t = t->hh.next) {
                if (t->versions.tokens != NULL)
                        tokens_want(t->versions.tokens, 0, 0);
                slot_type_want(t);
        }
}

void type_slots_down(struct type_slots *s)
{
        s->up = false;
        type_slots_away(s);
        for (struct slot_type *t = s->types; t != NULL; t = t->hh.next)
                slot_type_lose(t);
}

bool type_slots_lost(const struct attempt *a)
{
        const struct type_slot *slot = a->type_slot;

        if (slot == NULL)
                return false;
        return slot->token == NULL ? !slot->ageing : !token_is_held(slot->token);
}

void type_slots_up(struct type_slots *s)
{
        s->up = true;
        for (struct slot_type *t = s->types; t != NULL; t = t->hh.next) {
                t->full_until = t->ask_not = 0;
                slot_type_want(t);
        }
}

int64_t type_slots_limit(const struct type_slots *s, const char *type)
{
        const struct slot_type *t = find(s, type);

        return t == NULL ? 0 : t->limit;
}

bool type_slots_are_full(const struct type_slots *s, const char *type, msec *since)
{
        const struct slot_type *t = find(s, type);

        if (t == NULL || t->limit == 0)
                return false;
        bool all = (int64_t)t->held >= t->limit;
        *since = all ? 0 : t->full_since;
        return all || slot_type_is_full(t);
}
