/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_answer.c: what an answer says of a batch's jobs.
 */
#include "ui/cli/batch_answer.h"

#include "ui/cli/view.h"

#define PAUSE_FIRST ((msec)500)
#define PAUSE_MOST ((msec)30 * MSEC_SECOND)
#define RETRY_MOST ((msec)MSEC_DAY)
#define PACE_MOST ((msec)MSEC_SECOND)
#define PACE_LEAST ((msec)500)

bool batch_is_temporary(int status)
{
        switch (status) {
        case 0:
        case 408:
        case 429:
        case 502:
        case 503:
        case 504:
                return true;
        default:
                return false;
        }
}

msec batch_pause(unsigned failures)
{
        msec pause = PAUSE_FIRST;

        for (unsigned i = 1; i < failures && pause < PAUSE_MOST; i++)
                pause *= 2;
        return pause < PAUSE_MOST ? pause : PAUSE_MOST;
}

msec batch_pace(struct batch_pace *p, msec asked, size_t made)
{
        if (p->wait == 0)
                p->wait = PACE_MOST;
        if (made < p->made) {
                p->found = true;
                if (made == 0 && p->wait < PACE_MOST)
                        p->wait *= 2;
        } else if (p->made > 0 && !p->found && p->wait > PACE_LEAST) {
                p->wait /= 2;
        }
        p->made = made;
        return asked > PACE_MOST || made == 0 ? asked : p->wait;
}

static void raise_wait(struct scan_value problem, msec *wait)
{
        int64_t seconds = view_int(problem, "retry_after");

        if (seconds > RETRY_MOST / MSEC_SECOND)
                seconds = RETRY_MOST / MSEC_SECOND;
        if (seconds * MSEC_SECOND > *wait)
                *wait = seconds * MSEC_SECOND;
}

static bool has_id(struct scan_value entry, const char *name)
{
        struct scan_value id;

        return view_find(entry, name, &id) && id.kind == SCAN_STRING;
}

enum batch_verdict batch_judge(struct scan_value entry, bool dry, msec *wait)
{
        struct scan_value problem;

        if (has_id(entry, "replays"))
                return BATCH_REPLAYED;
        if (has_id(entry, "id") || view_is_true(entry, "dry_run"))
                return view_is_true(entry, "replayed") ? BATCH_REPLAYED : BATCH_ACCEPTED;
        if (!view_find(entry, "problem", &problem) ||
            view_is(problem, "type", "urn:warren:problem:batch-ended"))
                return BATCH_ENDED;

        int64_t status = view_int(problem, "status");
        bool again = status == 409 || batch_is_temporary((int)status) ||
                     view_is(problem, "accepted", "unknown");
        if (!again)
                return BATCH_REFUSED;
        if (dry && (status == 429 || status == 409))
                return BATCH_ACCEPTED;
        raise_wait(problem, wait);
        return status == 429 ? BATCH_LIMITED : BATCH_AGAIN;
}
