/* SPDX-License-Identifier: Apache-2.0
 *
 * cancel.c: what a mark does to an attempt, by its state.
 */
#include "consumer/cancel.h"

#include "common/base/log.h"
#include "consumer/finish.h"

static void end_unstarted(struct consumer *c, struct attempt *a, bool cancelled)
{
        finish_withdraw(c, a);
        if (cancelled)
                finish_cancel(c, a, clock_wall());
        else
                finish_settle(c, a, SETTLE_ACK);
}

static void stop(struct attempt *a)
{
        LOG_INFO("a running job was cancelled", log_text("job", a->job.id),
                 log_text("tenant", a->job.tenant), log_text("type", a->job.type),
                 log_int("run", a->job.run), log_int("attempt", a->number));
        attempt_stop(a, STOP_CANCELLED);
}

static void apply(struct consumer *c, struct attempt *a, enum mark_verdict verdict)
{
        switch (a->state) {
        case STATE_ASKED:
        case STATE_HELD:
        case STATE_WAITING:
        case STATE_PICKED:
                /* Of one that is here no mark was dropped before it was looked at. */
                if (verdict == MARK_ASK)
                        a->unmarked = a->unmarked || a->job.outside;
                else
                        end_unstarted(c, a, verdict == MARK_CANCELLED);
                break;
        case STATE_RUNNING:
        case STATE_STOPPING:
                if (verdict == MARK_CANCELLED && a->stopped_for != STOP_CANCELLED)
                        stop(a);
                break;
        case STATE_ARRIVED:
        case STATE_LEAVING: /* its message is judged where it comes next */
        case STATE_SETTLED:
                break;
        }
}

void cancel_by_marks(struct consumer *c)
{
        struct attempt *a, *after;

        HASH_ITER (hh, c->attempts.table, a, after) {
                enum mark_verdict verdict = marks_judge(c->marks, &a->job);
                if (verdict != MARK_NONE)
                        apply(c, a, verdict);
        }
}
