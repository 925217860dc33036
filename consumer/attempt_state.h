/* SPDX-License-Identifier: Apache-2.0
 *
 * attempt_state.h: the states of an attempt, and the allowed transitions. Pure.
 */
#pragma once

#include <stdbool.h>

/*   arrived ─► asked ─► held ─► waiting ─► running ─► leaving ─► settled
 *      └─ any of the later ones ─┘  └─ leaving, settled ─┘ └─► stopping
 * Also held ─► asked or held, when checked again; running ─► waiting, when it could not begin;
 * waiting ─► picked ─► running, waiting, leaving or settled, when its type has a running limit, or
 * a copy of it may have started.
 */
enum attempt_state {
        STATE_ARRIVED,  /* decoded */
        STATE_ASKED,    /* a status-store is asked whether it ran before */
        STATE_HELD,     /* due in at most 100 ms */
        STATE_WAITING,  /* for a worker */
        STATE_PICKED,   /* for a token of its type's running limit, then for an answer as ASKED: a
                           worker is reserved */
        STATE_RUNNING,  /* its handler runs */
        STATE_STOPPING, /* its handler was told to stop */
        STATE_LEAVING,  /* its outcome is published and not yet confirmed */
        STATE_SETTLED,  /* acked or requeued; about to be freed */
};
enum { STATE_COUNT = STATE_SETTLED + 1 };

bool attempt_may_move(enum attempt_state from, enum attempt_state to);
