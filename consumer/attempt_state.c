/* SPDX-License-Identifier: Apache-2.0
 *
 * attempt_state.c: the table of allowed transitions.
 */
#include "consumer/attempt_state.h"

#define TO(state) (1U << (state))

static const unsigned moves[STATE_COUNT] = {
        [STATE_ARRIVED] = TO(STATE_ASKED) | TO(STATE_HELD) | TO(STATE_WAITING) | TO(STATE_LEAVING) |
                          TO(STATE_SETTLED),
        [STATE_ASKED] = TO(STATE_HELD) | TO(STATE_WAITING) | TO(STATE_LEAVING) | TO(STATE_SETTLED),
        /* When due it is checked again: the clock may have been set back, and the job may now be
         * old enough for a duplicate check. */
        [STATE_HELD] = TO(STATE_ASKED) | TO(STATE_HELD) | TO(STATE_WAITING) | TO(STATE_LEAVING) |
                       TO(STATE_SETTLED),
        [STATE_WAITING] =
                TO(STATE_PICKED) | TO(STATE_RUNNING) | TO(STATE_LEAVING) | TO(STATE_SETTLED),
        [STATE_PICKED] =
                TO(STATE_RUNNING) | TO(STATE_WAITING) | TO(STATE_LEAVING) | TO(STATE_SETTLED),
        [STATE_RUNNING] = TO(STATE_STOPPING) | TO(STATE_LEAVING) | TO(STATE_WAITING),
        [STATE_STOPPING] = TO(STATE_LEAVING) | TO(STATE_SETTLED),
        [STATE_LEAVING] = TO(STATE_SETTLED),
        [STATE_SETTLED] = 0,
};

bool attempt_may_move(enum attempt_state from, enum attempt_state to)
{
        return (moves[from] & TO(to)) != 0;
}
