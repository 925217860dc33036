/* SPDX-License-Identifier: Apache-2.0
 *
 * claim_rules.c: decides about claims of idempotency keys.
 */
#include "status-store/registry/claim_rules.h"

#include <string.h>

/* A lease that ends much later than any that is given now is of a clock that was ahead. The minute
 * is for small steps of the clock. */
static bool is_held(const struct claim_row *row, const struct claim_limits *l, msec now)
{
        return row->lease > now && row->lease <= now + l->lease + MSEC_MINUTE;
}

bool claim_is_old(const struct claim_row *row, const struct claim_limits *l, msec now)
{
        return row->at <= now - l->keep && !is_held(row, l, now);
}

static struct claim_decision decide_new(const struct claim_request *a, int64_t room)
{
        if (a->look || a->known)
                return (struct claim_decision){.state = CLAIM_NONE};
        if (room <= 0)
                return (struct claim_decision){.state = CLAIM_FULL, .retry = CLAIM_FULL_RETRY};
        return (struct claim_decision){.state = CLAIM_GRANTED, .change = CLAIM_INSERT};
}

/* A gateway publishes within a third of the lease. A claim that is leased for longer is probably of
 * a gateway that has ended. */
static struct claim_decision decide_held(const struct claim_row *row, const struct claim_limits *l,
                                         msec now)
{
        msec left = row->lease - now;
        bool young = l->lease - left < l->lease / 3;
        msec retry = young && left > MSEC_SECOND ? MSEC_SECOND : left;
        return (struct claim_decision){.state = CLAIM_IN_FLIGHT, .retry = retry};
}

/* The lease is over, or the asker has it already: its call was repeated. */
static struct claim_decision decide_lease(const struct claim_row *row, bool held)
{
        return (struct claim_decision){
                .state = CLAIM_GRANTED, .change = CLAIM_LEASE, .taken = row->taken + !held};
}

struct claim_decision claim_decide(const struct claim_request *a, const struct claim_row *row,
                                   int64_t room, const struct claim_limits *l, msec now)
{
        if (row == NULL)
                return decide_new(a, room);
        if (claim_is_old(row, l, now)) {
                struct claim_decision d = decide_new(a, room + 1);
                d.forget = d.state != CLAIM_NONE;
                return d;
        }
        if (memcmp(row->hash, a->hash, sizeof(row->hash)) != 0)
                return (struct claim_decision){.state = CLAIM_REUSED};
        if (row->lease == 0)
                return (struct claim_decision){.state = CLAIM_SETTLED};
        bool held = is_held(row, l, now);
        bool own = memcmp(row->holder, a->holder, sizeof(row->holder)) == 0;
        if (held && (a->look || !own))
                return decide_held(row, l, now);
        if (a->look)
                return (struct claim_decision){.state = CLAIM_NONE};
        return decide_lease(row, held);
}
