/* SPDX-License-Identifier: Apache-2.0
 *
 * slots.c: the pools of all limited tenants, and the slots that attempts use.
 */
#include "consumer/slots.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#include "common/base/alarm.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/limit_queue.h"
#include "consumer/slot_pool.h"

enum {
        TURN = 100,      /* ms; a token is given back at the end of a job after that, */
        TURN_APART = 20, /* ms; but one at a time: each exchange costs the broker two log entries */
        AWAY = 1000,     /* ms; a turn of the loop comes every 250 ms */
        HELD_MAX = 10 * MSEC_MINUTE, /* a token held for longer pins its queue's log */
        /* While every worker is busy only so many tenants, those whose turn is next, ask. */
        TENANTS_AHEAD = 64,
        SHOWN_MAX = 400, /* tenants with series of their own in the metric */
};

/* Only to wake the loop, for slots_settle. */
static void on_alarm(void *owner)
{
        (void)owner;
}

static void show(const struct slots *s, const char *tenant, unsigned held, unsigned wanted)
{
        metric_set(s->config.metric, held, tenant, "held");
        metric_set(s->config.metric, wanted, tenant, "wanted");
}

struct slots *slots_create(const struct slots_config *c)
{
        struct slots *s = xcalloc(1, sizeof(*s));

        s->config = *c;
        s->awake_at = clock_mono();
        show(s, "other", 0, 0);
        s->alarm = alarm_create(c->loop, on_alarm, s);
        return s;
}

static void free_pool(struct slot_pool *p)
{
        slot_pool_unlist(p);
        DL_DELETE(p->home->pools, p);
        tokens_destroy(&p->tokens);
        free(p);
}

static void free_if_over(struct slot_pool *p)
{
        if (p->tenant == NULL && p->slots == 0)
                free_pool(p);
}

static bool lacks_token(const struct slot *slot)
{
        return slot->token == NULL || !token_is_held(slot->token);
}

/* An attempt runs without a token, or with one that is to be exchanged. */
static bool is_uncovered(const struct slot *slot)
{
        return slot->ageing || lacks_token(slot);
}

/* An attempt without a token comes first. */
static struct slot *uncovered_of(const struct slot_pool *p)
{
        struct slot *slot, *ageing = NULL;

        DL_FOREACH (p->home->used, slot) {
                if (slot->tenant != p->tenant)
                        continue;
                if (lacks_token(slot))
                        return slot;
                if (slot->ageing)
                        ageing = slot;
        }
        return ageing;
}

/* The attempt's old token may be of an earlier version, whose pool is over without it. */
static void cover(struct slot *slot, struct slot_pool *p, struct token *k)
{
        struct slot_pool *before = slot->pool;

        token_return(&slot->token);
        before->slots--;
        p->slots++;
        slot->pool = p;
        slot->token = k;
        slot->ageing = false;
        if (before != p)
                free_if_over(before);
}

static void on_came(void *owner)
{
        struct slot_pool *p = owner;

        if (p->uncovered > 0) {
                struct slot *slot = uncovered_of(p);
                p->uncovered--;
                if (slot != NULL) {
                        cover(slot, p, tokens_take(p->tokens));
                        return;
                }
        }
        struct slot *slot = xcalloc(1, sizeof(*slot));
        slot->pool = p;
        p->slots++;
        slot->token = tokens_take(p->tokens);
        slot_pool_spare(p, slot);
}

static void count_uncovered(struct slots *s)
{
        struct slot_pool *p;
        struct slot *slot;

        DL_FOREACH (s->pools, p)
                p->uncovered = 0;
        DL_FOREACH (s->used, slot) {
                if (!is_uncovered(slot) || slot->tenant->slots == NULL)
                        continue;
                slot->tenant->slots->uncovered++;
                slot_pool_list(slot->tenant->slots);
        }
}

/* Returns the spare tokens, and asks for none. */
static void drop_tokens(struct slot_pool *p)
{
        while (p->spare != NULL)
                slot_drop(slot_pool_take(p, p->spare));
        tokens_want(p->tokens, 0, 0);
}

static void retire(struct slot_pool *p)
{
        struct tenant *t = p->tenant;

        drop_tokens(p);
        slot_pool_unlist(p);
        if (p->shown) {
                metric_remove(p->home->config.metric, t->name, "held");
                metric_remove(p->home->config.metric, t->name, "wanted");
                p->home->shown--;
                p->shown = false;
        }
        t->slots = NULL;
        t->without_slot = t->passed_over = false;
        p->tenant = NULL;
        p->uncovered = 0;
        slot_pool_owe(p, false);
        if (p->home->kept_for == p)
                p->home->kept_for = NULL;
        free_if_over(p);
}

static void put_in_force(struct slots *s, struct tenant *t, int64_t version)
{
        char queue[LIMIT_QUEUE_SIZE];
        struct slot_pool *p = xcalloc(1, sizeof(*p));

        limit_queue_name(LIMIT_TENANT_SLOTS, t->name, version, queue);
        p->home = s;
        p->tenant = t;
        p->version = version;
        p->ask_again = SLOT_ASK_AGAIN;
        p->tokens = tokens_create(s->config.link, queue, on_came, p);
        DL_APPEND(s->pools, p);
        t->slots = p;
        slot_pool_note(p);
}

void slots_tenant(struct slots *s, struct tenant *t, const struct tenant_record *r)
{
        bool limited = !r->deleted && r->max_running != RECORD_UNLIMITED;

        LOG_DEBUG("a tenant's running limit is in force", log_text("tenant", t->name),
                  log_int("max_running", limited ? r->max_running : RECORD_UNLIMITED),
                  log_int("version", r->slots_version));
        if (t->slots != NULL && (!limited || t->slots->version != r->slots_version))
                retire(t->slots);
        if (limited && t->slots == NULL)
                put_in_force(s, t, r->slots_version);
        count_uncovered(s);
}

void slots_destroy(struct slots **slots)
{
        struct slots *s = *slots;
        struct slot_pool *p, *after;

        if (s == NULL)
                return;
        assert(s->used == NULL);
        DL_FOREACH_SAFE (s->pools, p, after)
                retire(p);
        assert(s->pools == NULL);
        alarm_destroy(&s->alarm);
        free(s);
        *slots = NULL;
}

void slots_started(struct slots *s, struct attempt *a)
{
        struct slot_pool *p = a->queue->tenant->slots;

        if (p == NULL)
                return;
        a->slot =
                slot_pool_take(p, p->spare->prev); /* the list's last: the others may be surplus */
        a->slot->tenant = p->tenant;
        DL_APPEND(s->used, a->slot);
        slot_pool_count(p, clock_mono());
        p->ask_again = SLOT_ASK_AGAIN;
        p->ask_after = 0;
        slot_pool_owe(p, false);
}

/* The next whose token went back as no worker was free. */
static struct slot_pool *next_owed(struct slots *s)
{
        struct tenant *t = s->config.ready->ring;
        unsigned left = s->owed == 0 ? 0 : s->config.ready->tenants;

        slot_pool_count_anew(s);
        for (; left > 0; left--, t = t->next) {
                struct slot_pool *p = t->slots;
                if (p != NULL && p->owed && t->wanted && t->without_slot && slot_pool_can_start(p))
                        return p;
        }
        return NULL;
}

/* Whatever comes of it: a token that goes back again is owed a worker anew. */
static bool keep_on(struct slots *s, msec now)
{
        struct slot_pool *p = s->kept_for;

        if (p->tenant->without_slot && p->tenant->waiting_count > 0 &&
            now - s->kept_since < SLOT_WAIT)
                return true;
        slot_pool_owe(p, false);
        s->kept_for = NULL;
        return false;
}

bool slots_keep_worker(struct slots *s)
{
        msec now = clock_mono();

        if (!s->up || s->stopped)
                return false;
        if (s->kept_for != NULL)
                return keep_on(s, now);
        s->kept_for = next_owed(s);
        if (s->kept_for == NULL)
                return false;
        s->kept_since = now;
        s->kept_for->ask_after = 0;
        s->kept_for->tenant->passed_over = true; /* it asks, and has the turn when a token comes */
        return true;
}

bool slots_were_away(const struct slots *s)
{
        return clock_mono() - s->awake_at >= AWAY;
}

void slots_turn(struct slots *s)
{
        struct slot_pool *p;

        if (slots_were_away(s)) {
                DL_FOREACH2 (s->busy, p, busy_next)
                        drop_tokens(p);
        }
        s->awake_at = clock_mono();
}

/* The token is kept for the tenant's next job. */
static bool goes_on(struct slot_pool *p, const struct slot *slot)
{
        msec now = clock_mono();

        if (slots_were_away(p->home))
                return false;
        if (now - token_since(slot->token) < TURN || now - p->turned_at < TURN_APART)
                return true;
        p->turned_at = now;
        return false;
}

/* A token comes to a run that has lost its own before it starts another. */
static bool covers_another(struct slot_pool *p, struct slot *slot)
{
        struct slot *lost = p->uncovered == 0 ? NULL : uncovered_of(p);

        if (lost == NULL || !lacks_token(lost))
                return false;
        cover(lost, p, TAKE(slot->token));
        return true;
}

void slots_ended(struct slots *s, struct attempt *a)
{
        struct slot *slot = a->slot;

        if (slot == NULL)
                return;
        a->slot = NULL;
        DL_DELETE(s->used, slot);
        struct slot_pool *p = slot->pool;
        bool usable = p->tenant != NULL && !is_uncovered(slot) && !covers_another(p, slot);
        if (usable && !s->stopped && goes_on(p, slot)) {
                slot_pool_spare(p, slot);
                return;
        }
        if (is_uncovered(slot))
                count_uncovered(s);
        slot_drop(slot);
        free_if_over(p);
}

static int64_t weights_of(const struct tenant *t, unsigned count)
{
        int64_t sum = 0;

        for (; count > 0; count--, t = t->next)
                sum += t->slots == NULL ? 0 : t->weight;
        return sum;
}

/* Each tenant asks for its share of the free workers by weight, and for one token at least: who
 * has no token free elsewhere keeps no other tenant from asking. What one leaves is shared by those
 * after it. So all ask for at most one token for each worker and one for each tenant. */
static void settle_ring(struct slots *s, unsigned free, msec now)
{
        const struct ready *ready = s->config.ready;
        struct tenant *t = ready->ring;
        unsigned count = ready->tenants;

        if (free == 0 && count > TENANTS_AHEAD)
                count = TENANTS_AHEAD;
        int64_t left = free, weights = weights_of(t, count);
        for (; count > 0; count--, t = t->next) {
                if (t->slots == NULL)
                        continue;
                int64_t share = (left * t->weight + weights - 1) / weights;
                weights -= t->weight;
                left -= slot_pool_settle(t->slots, free, share < 1 ? 1 : (unsigned)share, now);
                left = left < 0 ? 0 : left;
                t->slots->settled_in = s->turn;
        }
}

void slots_settle(struct slots *s, unsigned free)
{
        struct slot_pool *p, *after;
        bool spare = false;
        msec now = clock_mono();

        if (s->pools == NULL)
                return;
        s->turn++;
        slot_pool_count_anew(s);
        settle_ring(s, free, now);
        p = s->kept_for;
        if (p != NULL && p->settled_in != s->turn)
                slot_pool_settle(p, free, 1, now); /* its turn may be far off */
        DL_FOREACH_SAFE2 (s->busy, p, after, busy_next) {
                bool needs = p->spare != NULL || p->uncovered > 0 || p->tenant->waiting_count == 0;
                if (needs && p->settled_in != s->turn)
                        slot_pool_settle(p, free, 1, now);
                spare = spare || p->spare != NULL || p->recent > 0;
        }
        spare = spare || s->kept_for != NULL;
        if (spare && !alarm_is_set(s->alarm))
                alarm_set(s->alarm, SLOT_LINGER);
}

/* A token that ages is asked for again before it is returned: being first among those who wait, the
 * attempt gets the same one or another at once. */
static void exchange_old(struct slots *s, msec now)
{
        struct slot *slot;

        DL_FOREACH (s->used, slot) {
                if (slot->token == NULL || slot->pool != slot->tenant->slots ||
                    !token_is_held(slot->token))
                        continue;
                if (slot->ageing)
                        token_return(&slot->token);
                else
                        slot->ageing = now - token_since(slot->token) >= HELD_MAX;
        }
}

void slots_check(struct slots *s)
{
        if (!s->up || s->used == NULL)
                return;
        exchange_old(s, clock_mono());
        count_uncovered(s);
}

void slots_count(struct slots *s)
{
        unsigned held = 0, wanted = 0; /* of tenants beyond SHOWN_MAX, and of earlier versions */
        struct slot_pool *p;

        DL_FOREACH (s->pools, p) {
                unsigned taken = tokens_taken(p->tokens), asked = tokens_wanted(p->tokens);
                bool shows = p->tenant != NULL && taken + asked > 0;
                if (shows && !p->shown && s->shown < SHOWN_MAX) {
                        p->shown = true;
                        s->shown++;
                }
                if (p->shown) {
                        show(s, p->tenant->name, taken, asked);
                } else {
                        held += taken;
                        wanted += asked;
                }
        }
        show(s, "other", held, wanted);
}

void slots_up(struct slots *s)
{
        s->up = true;
        count_uncovered(s);
}

void slots_down(struct slots *s)
{
        struct slot_pool *p;

        s->up = false;
        s->kept_for = NULL;
        DL_FOREACH (s->pools, p)
                drop_tokens(p);
        count_uncovered(s);
}

bool slots_lost(const struct attempt *a)
{
        return a->slot != NULL && a->slot->token != NULL && !token_is_held(a->slot->token);
}

void slots_stop(struct slots *s)
{
        struct slot_pool *p;

        s->stopped = true;
        s->kept_for = NULL;
        DL_FOREACH (s->pools, p)
                drop_tokens(p);
}
