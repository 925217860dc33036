/* SPDX-License-Identifier: Apache-2.0
 *
 * type_slots.h: the running limit of a type over all consumers. A run of such a type holds one of
 * the type's tokens, which are on the queue slots-type.<type>.<version>.
 *
 * An attempt asks for its type's token when nothing else is missing: it has a worker and its
 * tenant's token. It waits TYPE_SLOT_WAIT for it. If none came, the type is full: the worker and
 * the tenant's token are free for another type, and the type is not asked again for
 * TYPE_SLOT_PAUSE ± 50 %, then with one attempt at a time until a token comes. So a full type
 * costs a tenant 20 ms of one of its tokens in about 120 ms.
 *
 * Meanwhile one token of the type stays asked for, so that the broker serves consumers in turn, and
 * one that is slow serves them at all. When it comes and no attempt asks, it is here for the first
 * that can start, for TYPE_SLOT_TURN. Loop thread only.
 */
#pragma once

#include "common/model/record.h"
#include "consumer/slot_type.h"

enum {
        TYPE_SLOT_WAIT = 20,   /* ms */
        TYPE_SLOT_PAUSE = 100, /* ms */
        TYPE_SLOT_TURN = 100,  /* ms since a token came, in which it may serve several runs */
        TYPE_SLOT_FULL = 1000, /* ms since it was asked in vain, in which the type counts as full */
};
enum type_slot_answer {
        TYPE_SLOT_HAS,   /* it may start: it has a slot, or its type has no limit */
        TYPE_SLOT_ASKED, /* `answered` follows, unless it is withdrawn */
};

struct type_slots *type_slots_create(const struct type_slots_config *c);
/* Attempts lose their slots. */
void type_slots_destroy(struct type_slots **s);
void type_slots_record(struct type_slots *s, const struct type_record *r);

/* False: an attempt of this type would have to wait. */
bool type_slots_have_room(struct type_slots *s, const struct handler *h);
/* How many may be taken or asked for, one after the other. Only when there is room. */
unsigned type_slots_room(const struct type_slots *s, const struct handler *h);
/* Only when there is room. */
enum type_slot_answer type_slots_take(struct type_slots *s, struct attempt *a);
/* It no longer asks. */
void type_slots_withdraw(struct type_slots *s, struct attempt *a);
/* Its run has ended or did not start. Until type_slots_turn another attempt may take the slot. */
void type_slots_release(struct type_slots *s, struct attempt *a);
/* At the end of a turn of the loop: returns the slots that no attempt took. free: workers without a
 * job. */
void type_slots_turn(struct type_slots *s, unsigned free);
/* Call about every 250 ms. */
void type_slots_tick(struct type_slots *s, msec mono_now);

/* The process was stopped: the spare tokens go back, none that asks has one, and what is asked for
 * for runs is asked for anew. */
void type_slots_away(struct type_slots *s);
/* The link was lost: the broker has given all tokens to others. */
void type_slots_down(struct type_slots *s);
/* The attempt's token was lost. One that it returned for a fresh one was not. */
bool type_slots_lost(const struct attempt *a);
/* It is back: first those that run take tokens, then attempts start. */
void type_slots_up(struct type_slots *s);

/* 0: it has none. */
int64_t type_slots_limit(const struct type_slots *s, const char *type);
/* As many as its limit run here, or it was asked in vain a moment ago and no token has come since.
 * When nobody asks, because workers or tenants' slots are missing, nothing is known of it. Fills
 * *since: from when on no run here tells that the slots are in use elsewhere (monotonic); 0: all
 * are in use here. */
bool type_slots_are_full(const struct type_slots *s, const char *type, msec *since);
