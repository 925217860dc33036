/* SPDX-License-Identifier: Apache-2.0
 *
 * copies.c: a list of the attempts that are asked about.
 */
#include "consumer/copies.h"

#include <utlist.h>

/* The marks do not say whether it was cancelled or moved: a status-store does, unless it has just
 * done so. While no store answers, only what the marks want is asked about. */
static bool is_unmarked(const struct consumer *c, const struct attempt *a,
                        enum duplicate_state last)
{
        bool blind = last != DUPLICATE_SILENT && marks_follow_is_blind(c->marks_follow);

        if (!a->unmarked && !blind)
                return false;
        return a->answered_at == 0 || clock_mono() - a->answered_at > DUPLICATE_UNSEEN;
}

bool copies_ask(struct consumer *c, struct attempt *a)
{
        enum duplicate_state last = duplicate_check_last(c->duplicate_check);
        bool unseen = clock_mono() - a->unseen_since > DUPLICATE_UNSEEN;

        if (!(unseen && duplicate_asks_for_copies(&a->job, last)) && !is_unmarked(c, a, last))
                return false;
        if (a->state == STATE_WAITING)
                attempt_move(a, STATE_PICKED);
        DL_APPEND(c->asked, a);
        c->picked++;
        duplicate_check_ask(c->duplicate_check, a);
        return true;
}

void copies_answered(struct consumer *c, struct attempt *a)
{
        DL_DELETE(c->asked, a);
        c->picked--;
}

void copies_withdraw(struct consumer *c, struct attempt *a)
{
        duplicate_check_withdraw(c->duplicate_check, a);
        copies_answered(c, a);
}

unsigned copies_count(const struct consumer *c, const struct handler *h)
{
        const struct attempt *a;
        unsigned count = 0;

        DL_FOREACH (c->asked, a)
                count += a->handler == h;
        return count;
}
