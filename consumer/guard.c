/* SPDX-License-Identifier: Apache-2.0
 *
 * guard.c: which deliveries are asked about, and what the answer means.
 */
#include "consumer/guard.h"

#include <string.h>

bool guard_is_wanted(const struct guard_view *v, msec now)
{
        msec since = v->queued_at > 0 ? v->queued_at : v->submitted_at;

        if (v->redelivered || v->again)
                return true;
        if (v->attempt > 0 && v->reconnected)
                return true;
        /* So far ahead, it tells no age either. */
        return now - since > MSEC_DAY || since - now > MSEC_DAY;
}

bool guard_state_parse(struct bytes word, enum guard_state *out)
{
        static const char *const words[] = {
                [GUARD_UNKNOWN] = "unknown",       [GUARD_OPEN] = "open",
                [GUARD_RUNNING] = "running",       [GUARD_BURIED] = "buried",
                [GUARD_CLOSED] = "closed",         [GUARD_RETRYING] = "retrying",
                [GUARD_SUPERSEDED] = "superseded", [GUARD_BEHIND] = "behind",
        };

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
                if (bytes_equal_text(word, words[i])) {
                        *out = (enum guard_state)i;
                        return true;
                }
        }
        return false;
}

void guard_answer_fini(struct guard_answer *a)
{
        buffer_fini(&a->error);
}

enum guard_step guard_judge(const struct guard_answer *a, const char *me)
{
        switch (a->state) {
        case GUARD_BURIED:
                return GUARD_BURY_AGAIN;
        case GUARD_CLOSED:
        case GUARD_SUPERSEDED:
                return GUARD_DROP;
        case GUARD_SILENT:
                return GUARD_RUN_AGAIN;
        case GUARD_RETRYING:
                return GUARD_WAIT;
        case GUARD_BEHIND:
                return GUARD_POSTPONE;
        case GUARD_RUNNING:
                if (a->worker_alive && strcmp(a->worker, me) != 0)
                        return GUARD_WAIT;
                break;
        case GUARD_UNKNOWN:
        case GUARD_OPEN:
                break;
        }
        if (a->starts >= GUARD_POISON_STARTS)
                return GUARD_BURY;
        return a->state == GUARD_RUNNING || a->starts > 0 ? GUARD_RUN_AGAIN : GUARD_RUN;
}

msec guard_hop(const struct guard_answer *a)
{
        msec wait = a->lag / 4;

        if (wait < GUARD_HOP)
                return GUARD_HOP;
        return wait < GUARD_HOP_MAX ? wait : GUARD_HOP_MAX;
}
