/* SPDX-License-Identifier: Apache-2.0
 *
 * slot_pool.h: the slots of one version of a tenant's limit. Its structs are touched by
 * slots.c and slot_pool.c alone.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "common/metrics/metrics.h"
#include "consumer/ready.h"
#include "consumer/scheduler.h"
#include "consumer/tokens.h"

enum {
        SLOT_LINGER = 10,     /* ms that a spare token waits for the tenant's next job */
        SLOT_WAIT = 20,       /* ms that a token waits for a worker, and a worker for a token */
        SLOT_ASK_AGAIN = 100, /* ms after a token found no worker; doubled each time */
        SLOT_ROOMS = 8,
};

struct slots_config {
        struct link *link; /* for tokens alone; borrowed, as are the next three */
        uv_loop_t *loop;
        struct ready *ready;
        struct metric *metric; /* tenant, state */
        /* How many jobs of a type could start now: no more of them want a token. */
        unsigned (*room)(void *owner, const struct handler *h);
        void *owner; /* of `room` */
};

/* One token. */
struct slot {
        struct slot_pool *pool; /* the token is of its queue */
        struct tenant *tenant;  /* of the attempt that uses it; NULL: spare */
        struct token *token;    /* NULL: returned, and another is awaited */
        msec spare_since;       /* monotonic */
        bool was_used;          /* by a job that has ended here */
        bool ageing;            /* held for so long that another is awaited */
        struct slot *prev, *next;
};

/* The slots of one version of a tenant's limit. */
struct slot_pool {
        struct slots *home;
        struct tenant *tenant; /* NULL: not in force; it lives until its tokens are returned */
        int64_t version;
        struct tokens *tokens;
        struct slot *spare; /* the longest spare first */
        unsigned spare_count;
        unsigned slots;     /* that name it: spare, or used by attempts */
        unsigned uncovered; /* attempts that run without a token since theirs was lost */
        msec turned_at;     /* monotonic; when a token was last given back as its turn was over */
        msec ask_after;     /* monotonic; until then no token is wanted without a free worker */
        msec ask_again;
        msec needed_at;      /* monotonic; when each token that was asked for was last needed */
        msec window;         /* number of the SLOT_LINGER in which jobs are counted, */
        unsigned started;    /* those that started in it, */
        unsigned recent;     /* and in the one before */
        uint64_t settled_in; /* the turn */
        bool owed;           /* a token went back as no worker was free */
        bool listed;         /* in `busy` */
        bool shown;          /* has series of its own in the metric */
        struct slot_pool *prev, *next, *busy_prev, *busy_next;
};

/* Types whose room is known. When there are more of them, those asked about first are forgotten. */
struct slot_rooms {
        const struct handler *handlers[SLOT_ROOMS];
        unsigned rooms[SLOT_ROOMS];
        unsigned left[SLOT_ROOMS]; /* of it, in the count of one tenant's jobs */
        unsigned used;
};

struct slots {
        struct slots_config config;
        struct slot_rooms rooms; /* while tenants are looked at, one after the other */
        struct slot_pool *pools;
        struct slot_pool *busy;     /* with spare tokens, or some wanted */
        struct slot *used;          /* by attempts */
        struct slot_pool *kept_for; /* a worker is kept free for it; NULL: none is */
        msec kept_since;            /* monotonic */
        struct alarm *alarm;
        unsigned shown;
        unsigned owed; /* pools that are */
        msec awake_at; /* monotonic; when the loop's last turn began */
        uint64_t turn; /* counts calls of slots_settle */
        bool up, stopped;
};

/* Lists the pool in `busy`, or removes it from there. */
void slot_pool_list(struct slot_pool *p);
void slot_pool_unlist(struct slot_pool *p);
/* Tells the tenant whether a spare token is here. */
void slot_pool_note(struct slot_pool *p);
/* The token is used by no attempt any more, or has just come. */
void slot_pool_spare(struct slot_pool *p, struct slot *slot);
struct slot *slot_pool_take(struct slot_pool *p, struct slot *slot);
void slot_pool_owe(struct slot_pool *p, bool owed);
/* Before tenants are looked at: what was known of types' room is so no more. */
void slot_pool_count_anew(struct slots *s);
/* Some job that waits has room. A worker is free. */
bool slot_pool_can_start(const struct slot_pool *p);
/* Counts a start, to know how many jobs come in a SLOT_LINGER. */
void slot_pool_count(struct slot_pool *p, msec now);
/* Returns its token. */
void slot_drop(struct slot *slot);
/* Returns spare tokens that nothing can use, and asks for those that are missing. share: of the
 * free workers; it is for spare tokens too. Returns how much of it was used. */
unsigned slot_pool_settle(struct slot_pool *p, unsigned free, unsigned share, msec now);
