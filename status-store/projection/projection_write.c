/* SPDX-License-Identifier: Apache-2.0
 *
 * projection_write.c: writes the jobs that a batch changed.
 */
#include "status-store/projection/projection_write.h"

#include <utlist.h>

static int write_attempts(struct store *store, struct job_entry *j, struct err *e)
{
        struct attempt_entry *a;
        LL_FOREACH (j->attempts, a) {
                bool forgotten = a->row.run <= j->job.row.forgotten_run;
                if (a->dirty && !forgotten && store_put_attempt(store, j->job.seq, &a->row, e) != 0)
                        return -1;
        }
        struct start_entry *s;
        LL_FOREACH (j->starts, s) {
                if (s->start.run > j->job.row.forgotten_run &&
                    store_put_start(store, j->job.seq, &s->start, e) != 0)
                        return -1;
        }
        if (j->job.row.forgotten_run > j->forgotten)
                return store_forget_attempts(store, j->job.seq, j->job.row.forgotten_run, e);
        return 0;
}

/* The job's other contents, and the payloads. */
static int write_facts(struct store *store, const struct job_entry *j, struct err *e)
{
        const struct job_facts *facts = j->job.row.facts;
        const struct job_facts *others = facts == NULL ? NULL : facts->next;
        if ((j->job.others > 0 || others != NULL) &&
            store_put_others(store, j->job.seq, others, e) != 0)
                return -1;
        return store_put_payloads(store, facts, e);
}

static int write_find(struct store *store, const struct job_entry *j, struct err *e)
{
        const struct find now = job_row_find(&j->job.row);
        if (now.trace == j->was_find.trace && now.key == j->was_find.key)
                return 0;
        return store_put_find(store, j->job.seq, &now, e);
}

static int write_job(struct store *store, struct tally *tally, struct job_entry *j, struct err *e)
{
        struct stored_job *job = &j->job;
        job->state = job_row_state(&job->row);
        job->shelf = job_row_shelf(&job->row);
        if (j->drop_payloads && store_drop_payloads(store, job->seq, e) != 0)
                return -1;
        int wrote = j->stored ? store_update(store, job, j->type, e)
                              : store_insert(store, j->key.tenant, j->key.id, job, j->type, e);
        if (wrote != 0 || write_facts(store, j, e) != 0 || write_find(store, j, e) != 0 ||
            write_attempts(store, j, e) != 0)
                return -1;
        if (j->was_shelf >= 0)
                tally_shelf(tally, j->key.tenant, j->was_type, j->was_shelf, -1);
        tally_shelf(tally, j->key.tenant, j->type, job->shelf, 1);
        return 0;
}

int projection_write(struct store *store, struct tally *tally, struct job_entry *jobs,
                     struct err *e)
{
        for (struct job_entry *j = jobs; j != NULL; j = j->hh.next) {
                if (j->dirty && write_job(store, tally, j, e) != 0)
                        return -1;
        }
        return 0;
}
