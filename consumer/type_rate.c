/* SPDX-License-Identifier: Apache-2.0
 *
 * type_rate.c: for each type with a rate: the tokens held for the next starts, and those of
 * attempts that have not begun.
 *
 * The run begins first, then its token is rejected. The other way round the token could be back
 * when the handler begins late, and one handler would begin sooner than `per` after the other. A
 * consumer that dies, or loses the link, between the two returns the token at once: one start too
 * many.
 *
 * The broker moves the token, and not a publish to the cooling queue followed by an ack: who dies
 * between those two leaves a token too many for good. The broker itself moves it at least once, and
 * may double tokens when it is killed: token_copies.h.
 */
#include "consumer/type_rate.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "consumer/token_copies.h"
#include "consumer/token_versions.h"

struct rate_type {
        char type[JOB_TYPE_SIZE];
        struct type_rate *home;
        int64_t count; /* 0: no limit */
        msec per;
        struct token_versions versions;
        struct token_copies copies; /* of the version in force */
        struct rate_token *held;    /* oldest first */
        struct rate_token *used;    /* by attempts that have not begun */
        bool refused;               /* since the last turn: a job found no token */
        msec refused_at;            /* monotonic; 0: never */
        msec ask_not;               /* monotonic; not before this time */
        msec needed_at;             /* monotonic; when more than half of what is kept was wanted */
        unsigned waiting;           /* jobs that do not lack a slot too, at the last count */
        UT_hash_handle hh;
};

struct rate_token {
        struct rate_type *of;
        struct token *token;
        int64_t version;
        struct rate_token *prev, *next;
};

struct type_rate {
        struct type_rate_config config;
        struct rate_type *types;
        struct alarm *alarm; /* ends in a turn of the loop, and so in type_rate_turn */
        msec counted_at;     /* monotonic */
        bool stopped;
};

static struct rate_type *find(const struct type_rate *r, const char *type)
{
        struct rate_type *t = NULL;

        HASH_FIND_STR(r->types, type, t);
        return t;
}

static void on_alarm(void *owner)
{
        (void)owner;
}

/* In about `wait` ms. When it is set already, it rings in TYPE_RATE_HOLD × 1.5 at the latest, and
 * is then set anew. */
static void wake(struct type_rate *r, msec wait)
{
        if (!alarm_is_set(r->alarm))
                alarm_set(r->alarm, wait < 1 ? 1 : wait);
}

struct type_rate *type_rate_create(const struct type_rate_config *c)
{
        struct type_rate *r = xcalloc(1, sizeof(*r));

        r->config = *c;
        r->alarm = alarm_create(c->loop, on_alarm, r);
        return r;
}

static void return_held(struct rate_type *t)
{
        if (t->held != NULL && t->versions.tokens != NULL)
                tokens_keep(t->versions.tokens, 0);
        while (t->held != NULL) {
                struct rate_token *k = t->held;
                DL_DELETE(t->held, k);
                token_return(&k->token);
                free(k);
        }
        token_versions_sweep(&t->versions);
}

static void drop_used(struct rate_token *k)
{
        struct rate_type *t = k->of;

        DL_DELETE(t->used, k);
        free(k);
        token_versions_sweep(&t->versions);
}

void type_rate_destroy(struct type_rate **rate)
{
        struct type_rate *r = *rate;
        struct rate_type *t, *after;

        if (r == NULL)
                return;
        HASH_ITER (hh, r->types, t, after) {
                HASH_DEL(r->types, t);
                return_held(t);
                while (t->used != NULL) {
                        token_return(&t->used->token);
                        drop_used(t->used);
                }
                token_versions_fini(&t->versions);
                token_copies_use(&t->copies, 0);
                free(t);
        }
        alarm_destroy(&r->alarm);
        free(r);
        *rate = NULL;
}

static bool remove_copy(struct rate_type *t, struct token **k)
{
        const struct token_round round = token_round_of(*k);

        if (!token_copies_is_copy(&t->copies, &round))
                return false;
        LOG_WARN("the broker has doubled a token of a rate; the copy is removed",
                 log_text("type", t->type), log_int("version", t->versions.version),
                 log_int("number", round.number));
        token_remove(k);
        return true;
}

static void on_came(void *owner)
{
        struct rate_type *t = owner;
        struct rate_token *k;

        if (t->home->stopped)
                return; /* it goes back */
        struct token *token = tokens_take(t->versions.tokens);
        if (remove_copy(t, &token))
                return;
        k = xcalloc(1, sizeof(*k));
        k->of = t;
        k->token = token;
        k->version = t->versions.version;
        DL_APPEND(t->held, k);
}

void type_rate_record(struct type_rate *r, const struct type_record *record)
{
        struct rate_type *t = find(r, record->name);
        bool limited = record->rate_count != RECORD_UNLIMITED;

        if (t == NULL && !limited)
                return;
        if (t == NULL) {
                t = xcalloc(1, sizeof(*t));
                t->home = r;
                memcpy(t->type, record->name, sizeof(t->type));
                HASH_ADD_STR(r->types, type, t);
        }
        const struct token_source source = {
                .link = r->config.link,
                .kind = LIMIT_TYPE_RATE,
                .of = t->type,
                .came = on_came,
                .owner = t,
        };
        t->count = limited ? record->rate_count : 0;
        t->per = limited ? record->rate_per : 0;
        if (!token_versions_use(&t->versions, &source, limited ? record->rate_version : 0))
                return;
        token_copies_use(&t->copies, t->count);
        return_held(t);
        t->ask_not = 0;
}

bool type_rate_has_room(struct type_rate *r, const struct handler *h)
{
        struct rate_type *t = find(r, h->type);

        if (t == NULL || t->count == 0 || t->held != NULL)
                return true;
        t->refused = true;
        return false;
}

unsigned type_rate_room(const struct type_rate *r, const struct handler *h)
{
        const struct rate_type *t = find(r, h->type);
        const struct rate_token *k;
        unsigned count = 0;

        if (t == NULL || t->count == 0)
                return UINT_MAX;
        DL_FOREACH (t->held, k)
                count++;
        return count;
}

void type_rate_take(struct type_rate *r, struct attempt *a)
{
        struct rate_type *t = find(r, a->job.type);

        assert(a->rate_token == NULL);
        if (t == NULL || t->count == 0)
                return;
        struct rate_token *k = t->held;
        DL_DELETE(t->held, k);
        DL_APPEND(t->used, k);
        t->waiting -= t->waiting > 0;
        a->rate_token = k;
}

static bool is_in_force(const struct rate_token *k)
{
        return k->version == k->of->versions.version;
}

void type_rate_put_back(struct type_rate *r, struct attempt *a)
{
        struct rate_token *k = a->rate_token;

        if (k == NULL)
                return;
        a->rate_token = NULL;
        if (is_in_force(k) && token_is_held(k->token) && !r->stopped) {
                DL_DELETE(k->of->used, k);
                DL_PREPEND(k->of->held, k);
                return;
        }
        token_return(&k->token);
        drop_used(k);
}

void type_rate_spend(struct attempt *a)
{
        struct rate_token *k = a->rate_token;

        if (k == NULL)
                return;
        a->rate_token = NULL;
        /* When its connection was lost, the broker has given it to another start. */
        if (token_is_held(k->token) && is_in_force(k)) {
                const struct token_round round = token_round_of(k->token);
                token_copies_spent(&k->of->copies, &round);
        }
        token_spend(&k->token);
        drop_used(k);
}

static void count_one(void *owner, struct attempt *a)
{
        struct rate_type *t = find(owner, a->job.type);

        if (t != NULL && !a->queue->tenant->without_slot)
                t->waiting++;
}

static void count_waiting(struct type_rate *r, struct ready *ready)
{
        for (struct rate_type *t = r->types; t != NULL; t = t->hh.next)
                t->waiting = 0;
        ready_each(ready, count_one, r);
}

static void return_old(struct type_rate *r, struct rate_type *t, msec now)
{
        bool in_vain = false;

        while (t->held != NULL && now - token_since(t->held->token) >= TYPE_RATE_HOLD) {
                struct rate_token *k = t->held;
                tokens_keep(t->versions.tokens, 0);
                DL_DELETE(t->held, k);
                token_return(&k->token);
                free(k);
                in_vain = true;
        }
        if (in_vain)
                t->ask_not =
                        now + TYPE_RATE_PAUSE / 2 + (msec)(TYPE_RATE_PAUSE * r->config.chance());
}

static unsigned least(int64_t a, int64_t b)
{
        return (unsigned)(a < b ? a : b);
}

/* The subscription stays for a while: to end it and to begin one costs the broker. But each token
 * that it brings beyond what is wanted is kept from other consumers for TYPE_RATE_HOLD. */
static void ask(struct rate_type *t, unsigned free, msec now)
{
        bool given_up = now < t->ask_not || now - t->refused_at > TYPE_RATE_HOLD;
        unsigned most = least(t->count, least(t->waiting == 0 ? 1 : t->waiting, free));
        unsigned kept = tokens_kept(t->versions.tokens);

        if (given_up) {
                tokens_keep(t->versions.tokens, 0);
                return;
        }
        if (!t->refused || most == 0)
                return;
        if (2 * most > kept)
                t->needed_at = now;
        if (most >= 2 * kept || now - t->needed_at > TYPE_RATE_HOLD)
                tokens_keep(t->versions.tokens, most);
}

/* When there is something to do though nothing else has happened. */
static void set_alarm(struct rate_type *t, msec now)
{
        if (t->held != NULL)
                wake(t->home, token_since(t->held->token) + TYPE_RATE_HOLD - now);
        else if (now < t->ask_not)
                wake(t->home, t->ask_not - now);
        else if (!t->refused && tokens_kept(t->versions.tokens) > 0)
                wake(t->home, t->refused_at + TYPE_RATE_HOLD + 1 - now);
}

static bool is_at_rest(const struct rate_type *t)
{
        return t->versions.tokens == NULL ||
               (!t->refused && t->held == NULL && tokens_kept(t->versions.tokens) == 0);
}

static void turn_of(struct rate_type *t, unsigned free, msec now)
{
        if (t->refused)
                t->refused_at = now;
        return_old(t->home, t, now);
        ask(t, free, now);
        set_alarm(t, now);
        t->refused = false;
}

void type_rate_turn(struct type_rate *r, struct ready *ready, unsigned free)
{
        msec now = clock_mono();
        bool counted = now - r->counted_at < TYPE_RATE_COUNT;

        for (struct rate_type *t = r->types; t != NULL && !r->stopped; t = t->hh.next) {
                if (is_at_rest(t))
                        continue;
                if (t->refused && !counted) {
                        count_waiting(r, ready);
                        r->counted_at = now;
                        counted = true;
                }
                turn_of(t, free, now);
        }
}

void type_rate_away(struct type_rate *r)
{
        for (struct rate_type *t = r->types; t != NULL; t = t->hh.next) {
                if (t->versions.tokens != NULL)
                        tokens_keep(t->versions.tokens, 0);
                return_held(t);
        }
}

void type_rate_down(struct type_rate *r)
{
        type_rate_away(r);
        for (struct rate_type *t = r->types; t != NULL; t = t->hh.next)
                token_copies_forget(&t->copies);
}

void type_rate_stop(struct type_rate *r)
{
        r->stopped = true;
        type_rate_away(r);
}

bool type_rate_is_limited(const struct type_rate *r, const char *type)
{
        const struct rate_type *t = find(r, type);

        return t != NULL && t->count > 0;
}

double type_rate_waits_ms(const struct type_rate *r, const char *type)
{
        const struct rate_type *t = find(r, type);

        if (t == NULL || t->count == 0 || t->held != NULL || t->refused_at == 0 ||
            clock_mono() - t->refused_at > 10 * TYPE_RATE_HOLD)
                return 0;
        return (double)t->per / (double)t->count;
}
