/* SPDX-License-Identifier: Apache-2.0
 *
 * duplicate.c: which deliveries are checked, and what the answer means.
 */
#include "consumer/duplicate.h"

#include <string.h>

/* A time that is as far ahead says nothing about the age. */
static bool is_old(msec since, msec marks_keep, msec now)
{
        return now - since > marks_keep / 2 || since - now > marks_keep / 2;
}

static bool is_old_message(const struct job *job, msec marks_keep, msec now)
{
        return is_old(job->queued_at > 0 ? job->queued_at : job->submitted_at, marks_keep, now);
}

bool duplicate_is_stale(const struct job *job, const struct duplicate_view *v, msec now)
{
        return v->unmarked || is_old_message(job, v->marks_keep, now);
}

bool duplicate_is_possible(const struct job *job, const struct duplicate_view *v, msec now)
{
        return v->redelivered || job->again || job->copy > 0 ||
               (job->attempt > 0 && v->reconnected) || duplicate_is_stale(job, v, now);
}

bool duplicate_needs_primary(const struct job *job, msec marks_keep, msec now)
{
        return is_old(job->submitted_at, marks_keep, now);
}

bool duplicate_outlives_marks(const struct job *job, msec marks_keep, msec now)
{
        bool is_dated = job->queued_at > 0 || job->submitted_at > 0;

        return (is_dated && is_old_message(job, marks_keep, now)) ||
               (job->again && job->submitted_at > 0 &&
                duplicate_needs_primary(job, marks_keep, now));
}

bool duplicate_asks_for_copies(const struct job *job, enum duplicate_state last)
{
        /* No gateway publishes a retry or a replay for a key. */
        bool keyed = job->key[0] != '\0' && job->run == 1 && job->attempt == 0;

        if (last == DUPLICATE_SILENT)
                return false;
        return job->again || job->copy > 0 || (keyed && last != DUPLICATE_BEHIND);
}

msec duplicate_pause(msec lag)
{
        if (lag < DUPLICATE_PAUSE)
                return DUPLICATE_PAUSE;
        return lag < DUPLICATE_PAUSE_MAX ? lag : DUPLICATE_PAUSE_MAX;
}

bool duplicate_state_parse(struct bytes word, enum duplicate_state *out)
{
        static const char *const words[] = {
                [DUPLICATE_UNKNOWN] = "unknown",       [DUPLICATE_OPEN] = "open",
                [DUPLICATE_RUNNING] = "running",       [DUPLICATE_BURIED] = "buried",
                [DUPLICATE_CLOSED] = "closed",         [DUPLICATE_RETRYING] = "retrying",
                [DUPLICATE_SUPERSEDED] = "superseded", [DUPLICATE_BEHIND] = "behind",
        };

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
                if (bytes_equal_text(word, words[i])) {
                        *out = (enum duplicate_state)i;
                        return true;
                }
        }
        return false;
}

static enum duplicate_step unanswered(enum duplicate_doubt doubt)
{
        switch (doubt) {
        case DOUBT_KEY:
                return DUPLICATE_RUN;
        case DOUBT_POSSIBLE:
                return DUPLICATE_RUN_AGAIN;
        case DOUBT_OLD:
                break;
        }
        return DUPLICATE_POSTPONE;
}

enum duplicate_step duplicate_judge(const struct duplicate_answer *a, const char *me,
                                    enum duplicate_doubt doubt)
{
        switch (a->state) {
        case DUPLICATE_BURIED:
                return DUPLICATE_BURY_AGAIN;
        case DUPLICATE_CLOSED:
        case DUPLICATE_SUPERSEDED:
                return DUPLICATE_DROP;
        case DUPLICATE_SILENT:
                return unanswered(doubt);
        case DUPLICATE_RETRYING:
                return DUPLICATE_WAIT;
        case DUPLICATE_BEHIND:
                return doubt == DOUBT_KEY ? DUPLICATE_RUN : DUPLICATE_POSTPONE;
        case DUPLICATE_RUNNING:
                if (a->worker_alive && strcmp(a->worker, me) != 0)
                        return DUPLICATE_WAIT;
                break;
        case DUPLICATE_UNKNOWN:
        case DUPLICATE_OPEN:
                break;
        }
        if (a->starts >= DUPLICATE_POISON_STARTS)
                return DUPLICATE_BURY;
        return a->state == DUPLICATE_RUNNING || a->starts > 0 ? DUPLICATE_RUN_AGAIN : DUPLICATE_RUN;
}

msec duplicate_hop(const struct duplicate_answer *a)
{
        msec wait = a->lag / 4;

        if (wait < DUPLICATE_HOP)
                return DUPLICATE_HOP;
        return wait < DUPLICATE_HOP_MAX ? wait : DUPLICATE_HOP_MAX;
}
