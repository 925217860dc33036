/* SPDX-License-Identifier: Apache-2.0
 *
 * slot_type.h: the slots of one limited type. Its structs are touched by type_slots.c and
 * slot_type.c alone.
 */
#pragma once

#include <uv.h>

#include "common/base/alarm.h"
#include "consumer/attempt.h"
#include "consumer/token_versions.h"

/* A held token keeps its queue's log from being cut, so it is exchanged for a fresh one. */
#define TYPE_SLOT_HELD_MAX (10 * MSEC_MINUTE)

struct type_slots_config {
        struct link *link; /* of tokens; borrowed */
        uv_loop_t *loop;
        double (*chance)(void); /* in [0,1), anew at each call */
        /* An attempt that asked has its slot, or there was none in time. */
        void (*answered)(void *owner, struct attempt *a, bool got);
        void *owner;
};

struct slot_type {
        char type[JOB_TYPE_SIZE];
        struct type_slots *home;
        int64_t limit;
        struct token_versions versions;
        struct type_slot *slots; /* held here, or void */
        unsigned held;           /* slots in that list */
        unsigned lost;  /* of them, uncovered at the last look: the next tokens are for them */
        unsigned spare; /* of them, without a user */
        unsigned asking;
        msec full_until; /* monotonic; asked in vain, and no token has come since */
        msec full_since; /* monotonic; when it was first asked so */
        int full_rank;   /* of the token that stays asked for until then */
        msec ask_not;    /* monotonic; not before this time */
        UT_hash_handle hh;
};

/* One run's place. */
struct type_slot {
        struct slot_type *of;
        struct token *token;  /* NULL: returned for a fresh one, or lost when not `ageing` */
        int64_t version;      /* of the limit that it is from */
        bool ageing;          /* held for so long that another is asked for */
        bool unasked;         /* spare: it came when no attempt asked */
        struct attempt *user; /* NULL until the turn of the loop ends: spare */
        struct type_slot *prev, *next;
};

struct type_slots {
        struct type_slots_config config;
        struct slot_type *types;
        struct attempt *asking; /* oldest first */
        struct alarm *late;     /* when the oldest has waited long enough */
        struct alarm *again;    /* ends in a turn of the loop, in which types are asked again */
        bool up;
};

/* Its token, if it has one, may have gone to another run. */
bool type_slot_is_uncovered(const struct type_slot *slot);
/* Gives it to an attempt. */
void type_slot_use(struct type_slot *slot, struct attempt *a);
/* Returns its token. */
void type_slot_drop(struct type_slot *slot);

/* It was asked in vain a moment ago, and no token has come since. */
bool slot_type_is_full(const struct slot_type *t);
/* Tells the broker how many tokens are wanted: for runs without one first, then for the asking. Of
 * a full type one stays wanted while none asks, or a broker that takes longer than TYPE_SLOT_WAIT
 * would never serve it. It also keeps its place among those of other consumers. */
void slot_type_want(struct slot_type *t);
/* A spare slot. */
struct type_slot *slot_type_add(struct slot_type *t, struct token *token);
/* A slot without a user, or NULL. */
struct type_slot *slot_type_spare(const struct slot_type *t);
/* Takes the token that has come for a run without one. False: there is no such run. */
bool slot_type_cover(struct slot_type *t);
/* Exchanges tokens that are held for long. Another one is asked for one call before the old one is
 * returned, which then comes to the first that waits: to this run. */
void slot_type_exchange(struct slot_type *t, msec now);
/* Tokens were lost. Only one of the link's channels may have ended: those of the others are held.
 */
void slot_type_lose(struct slot_type *t);
/* Without a limit no run needs a token any more: those that have one return it at their end. */
void slot_type_forget_lost(struct slot_type *t);
