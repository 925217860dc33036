/* SPDX-License-Identifier: Apache-2.0
 *
 * type_rate.h: the rate at which jobs of a type start, over all consumers: at most `count` in any
 * `per`. `count` tokens are on the queue rates-type.<type>.<version>. A start takes one and rejects
 * it: the queue dead-letters it to cooling-type.<type>.<version>, whose time to live is `per` and
 * which dead-letters it back.
 *
 * A token is taken before the tenant's and the type's slots, so that a job that waits for the rate
 * holds none of them. One that no job could use within TYPE_RATE_HOLD goes back. Loop thread only.
 */
#pragma once

#include <uv.h>

#include "common/amqp/link.h"
#include "common/base/alarm.h"
#include "common/model/record.h"
#include "consumer/attempt.h"
#include "consumer/ready.h"

enum {
        TYPE_RATE_HOLD = 100,  /* ms that a token is held unused */
        TYPE_RATE_PAUSE = 100, /* ms ± 50 % without asking, after one was held in vain */
        TYPE_RATE_COUNT = 5,   /* ms between two counts of the waiting jobs */
};

struct type_rate;

struct type_rate_config {
        struct link *link; /* of tokens; borrowed */
        uv_loop_t *loop;
        double (*chance)(void); /* in [0,1), anew at each call */
};

struct type_rate *type_rate_create(const struct type_rate_config *c);
/* Before the link is destroyed. */
void type_rate_destroy(struct type_rate **r);
void type_rate_record(struct type_rate *r, const struct type_record *record);

/* False: its type's rate does not allow a start now; a token is asked for. */
bool type_rate_has_room(struct type_rate *r, const struct handler *h);
/* How many could start now, one after the other. Only when there is room. */
unsigned type_rate_room(const struct type_rate *r, const struct handler *h);
/* Only when there is room. */
void type_rate_take(struct type_rate *r, struct attempt *a);
/* It cannot start now. */
void type_rate_put_back(struct type_rate *r, struct attempt *a);
/* Its handler has begun. */
void type_rate_spend(struct attempt *a);
/* After the starts of a turn of the loop: asks for the tokens that are missing, and returns those
 * held too long. free: workers without a job. */
void type_rate_turn(struct type_rate *r, struct ready *ready, unsigned free);

/* The process was stopped: what is held goes back, and what is asked for is asked for anew. */
void type_rate_away(struct type_rate *r);
/* The tokens' link was lost. */
void type_rate_down(struct type_rate *r);
/* Nothing is to start any more. */
void type_rate_stop(struct type_rate *r);

bool type_rate_is_limited(const struct type_rate *r, const char *type);
/* How far apart the type's starts are at its rate; 0: it has none, or jobs do not wait for it. */
double type_rate_waits_ms(const struct type_rate *r, const char *type);
