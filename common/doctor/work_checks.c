/* SPDX-License-Identifier: Apache-2.0
 *
 * work_checks.c: the findings about running jobs.
 */
#include "common/doctor/work_checks.h"

/* An idle projection is some hundred milliseconds behind. */
static const msec lag_max = 5000;

bool work_is_behind(msec lag)
{
        return lag < 0 || lag > lag_max;
}

static void check_lag(const struct work_facts *w, struct findings *f)
{
        char as_of[TIME_TEXT_SIZE], behind[TIME_TEXT_SIZE];
        AUTO_BUFFER text = {0};

        if (!work_is_behind(w->lag)) {
                findings_add(f, CHECK_PROJECTION, FINDING_OK, NULL, NULL);
                return;
        }
        if (w->as_of <= 0)
                buffer_add_text(&text, "nothing is known of jobs yet: the stream has not been read "
                                       "as of now");
        else
                buffer_printf(&text, "the status of jobs is as of %s, behind by %s",
                              time_format(w->as_of, as_of),
                              duration_format(w->lag / MSEC_SECOND * MSEC_SECOND, behind));
        findings_add(f, CHECK_PROJECTION, FINDING_WRONG, text.data,
                     "wait if the status-store is catching up; else see its log and its "
                     "connection to the broker");
}

static void check_handlers(const struct work_facts *w, struct findings *f)
{
        AUTO_BUFFER problem = {0};

        if (w->unhandled == NULL) {
                findings_add(f, CHECK_HANDLERS, FINDING_OK, NULL, NULL);
                return;
        }
        buffer_printf(&problem, "jobs are waiting; no live consumer handles their type: %s",
                      w->unhandled);
        findings_add(f, CHECK_HANDLERS, FINDING_WRONG, problem.data,
                     "add the type to the handlers.json of a consumer and reload it "
                     "(SIGHUP), or start a consumer that has it; jobs that have waited "
                     "for no_handler_wait (10m) are dead letters and can be replayed");
}

static void check_workers(const struct work_facts *w, struct findings *f)
{
        AUTO_BUFFER problem = {0};

        if (w->live > 0)
                findings_add(f, CHECK_WORKERS, FINDING_OK, NULL, NULL);
        else
                findings_add(f, CHECK_WORKERS, FINDING_WRONG, "no consumer is alive: no job is run",
                             "start warren-consumer, or see its log");
        if (w->lost == 0) {
                findings_add(f, CHECK_LOST_WORKERS, FINDING_OK, NULL, NULL);
                return;
        }
        buffer_printf(&problem, "consumers are silent and did not say that they end: %s%s",
                      w->lost_names != NULL ? w->lost_names : "", w->more_lost ? " and more" : "");
        findings_add(f, CHECK_LOST_WORKERS, FINDING_WRONG, problem.data,
                     "see their logs and machines; their jobs are given to others by themselves, "
                     "and they are shown for 10 minutes");
}

static void cannot_say(enum check check, struct findings *f)
{
        findings_add(f, check, FINDING_UNKNOWN, "the projection is behind", NULL);
}

void work_checks(const struct work_facts *w, struct findings *f)
{
        check_lag(w, f);
        if (work_is_behind(w->lag)) { /* all workers look offline then */
                cannot_say(CHECK_HANDLERS, f);
                cannot_say(CHECK_WORKERS, f);
                cannot_say(CHECK_LOST_WORKERS, f);
                return;
        }
        check_handlers(w, f);
        check_workers(w, f);
}

void work_checks_letters(const char *tenant, int64_t letters, struct findings *f)
{
        AUTO_BUFFER problem = {0};

        buffer_printf(&problem,
                      "tenant %s: %lld letters that nobody touched will be deleted within 7 days",
                      tenant, (long long)letters);
        findings_add(f, CHECK_LETTERS, FINDING_WRONG, problem.data, "replay or copy them");
        findings_about(f, tenant);
}
