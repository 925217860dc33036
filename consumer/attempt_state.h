/* SPDX-License-Identifier: Apache-2.0
 *
 * attempt_state.h: the states of an attempt, and the allowed transitions. Pure.
 */
#ifndef WARREN_CONSUMER_ATTEMPT_STATE_H
#define WARREN_CONSUMER_ATTEMPT_STATE_H

#include <stdbool.h>

/*   arrived ─► asked ─► held ─► waiting ─► running ─► leaving ─► settled
 *      └─ any of the later ones ─┘  └─ leaving, settled ─┘ └─► stopping
 * Also held ─► asked or held, when checked again; running ─► waiting, when it could not begin.
 */
#define ATTEMPT_STATES(X) \
        X(STATE_ARRIVED, "arrived")   /* decoded */ \
        X(STATE_ASKED, "asked")       /* a status-store is asked whether it ran before */ \
        X(STATE_HELD, "held")         /* due in at most 100 ms */ \
        X(STATE_WAITING, "waiting")   /* for a worker */ \
        X(STATE_RUNNING, "running")   /* its handler runs */ \
        X(STATE_STOPPING, "stopping") /* its handler was told to stop */ \
        X(STATE_LEAVING, "leaving")   /* its outcome is published and not yet confirmed */ \
        X(STATE_SETTLED, "settled")   /* acked or requeued; about to be freed */

enum attempt_state {
#define X(code, word) code,
        ATTEMPT_STATES(X)
#undef X
};
enum { STATE_COUNT = STATE_SETTLED + 1 };

const char *attempt_state_name(enum attempt_state s);
bool attempt_may_move(enum attempt_state from, enum attempt_state to);

#endif
