/* SPDX-License-Identifier: Apache-2.0
 *
 * why_facts.c: a few short reads by index, the records of the workers, and counts of the broker.
 */
#include "status-store/why/why_facts.h"

#include <string.h>

#include "status-store/why/handled.h"

#define TOKENS_WAIT ((msec)300)
#define LAST_SEEN_WITHIN ((msec)10 * MSEC_MINUTE)

static void note_live(struct why_case *c, const struct worker_view *w)
{
        struct why_workers *all = &c->workers;
        int64_t limit = worker_view_limit(w, c->type);
        int64_t running = limit != RECORD_UNLIMITED ? worker_view_running(w, c->type) : 0;

        all->live++;
        all->busy += w->busy;
        all->concurrency += w->concurrency;
        c->facts.workers++;
        if (w->busy < w->concurrency)
                c->facts.workers_free++;
        if (limit == RECORD_UNLIMITED || running < limit)
                return;
        if (c->facts.workers_full < WHY_FULL_MAX) {
                struct why_full *full = &all->full[c->facts.workers_full];
                memcpy(full->worker, w->name, sizeof(full->worker));
                full->running = running;
                full->limit = limit;
        }
        c->facts.workers_full++;
}

static void note_worker(struct why_case *c, const struct worker_view *w, msec as_of)
{
        struct why_workers *all = &c->workers;

        if (!worker_view_handles(w, c->type))
                return;
        switch (w->status) {
        case WORKER_IS_UP:
                note_live(c, w);
                return;
        case WORKER_IS_DRAINING:
                all->draining++;
                break;
        case WORKER_IS_LOST:
        case WORKER_IS_GONE:
                break;
        }
        if (w->at > as_of - LAST_SEEN_WITHIN && w->at > all->last_seen) {
                memcpy(all->last, w->name, sizeof(all->last));
                all->last_seen = w->at;
        }
}

static int read_workers(const struct why_sources *s, struct why_case *c, struct err *e)
{
        int more = 0;
        AUTO_RESET *rows = reader_query(s->reader, workers_sql, NULL, e);

        while ((more = db_step(rows, e)) == 1) {
                struct worker_view w;
                worker_view_read(rows, s->as_of, &w);
                note_worker(c, &w, s->as_of);
        }
        return more;
}

static void read_control(const struct why_sources *s, struct why_case *c)
{
        const char *tenant = c->job->row.tenant;

        if (!control_tenant(s->control, tenant, &c->tenant))
                c->tenant = (struct tenant_record){.max_running = RECORD_UNLIMITED};
        if (!control_type(s->control, c->type, &c->limits))
                c->limits = (struct type_record){.max_running = RECORD_UNLIMITED,
                                                 .rate_count = RECORD_UNLIMITED};
        c->paused_by = control_pause(s->control, tenant, c->type, &c->pause);
        c->facts.tenant_paused = c->tenant.paused;
        c->facts.type_paused = c->paused_by != PAUSE_NONE;
}

/* A limit counts from when it has tokens. */
static void count_tokens(const struct why_sources *s, struct why_case *c)
{
        enum { SLOTS, TYPE_SLOTS, RATE, COOLING, COUNT };
        const struct tenant_record *t = &c->tenant;
        const struct type_record *y = &c->limits;
        struct token_count counts[COUNT] = {0};
        bool has_rate = y->rate_count != RECORD_UNLIMITED && y->rate_version > 0;

        if (t->max_running != RECORD_UNLIMITED && t->slots_version > 0)
                limit_queue_name(LIMIT_TENANT_SLOTS, t->name, t->slots_version,
                                 counts[SLOTS].queue);
        if (y->max_running != RECORD_UNLIMITED && y->slots_version > 0)
                limit_queue_name(LIMIT_TYPE_SLOTS, y->name, y->slots_version,
                                 counts[TYPE_SLOTS].queue);
        if (has_rate) {
                limit_queue_name(LIMIT_TYPE_RATE, y->name, y->rate_version, counts[RATE].queue);
                limit_queue_name(LIMIT_TYPE_COOLING, y->name, y->rate_version,
                                 counts[COOLING].queue);
        }
        token_counts_read(s->tokens, counts, COUNT, clock_mono() + TOKENS_WAIT);
        c->facts.slots = (struct why_limit){.limit = t->max_running, .free = counts[SLOTS].ready};
        c->facts.type_slots =
                (struct why_limit){.limit = y->max_running, .free = counts[TYPE_SLOTS].ready};
        c->facts.has_rate = has_rate;
        c->facts.starts_free = counts[RATE].ready;
        c->cooling = counts[COOLING].ready;
}

static int count_running(struct reader *r, struct why_case *c, struct err *e)
{
        struct why_limit *slots = &c->facts.slots;
        struct why_limit *type_slots = &c->facts.type_slots;

        if (slots->limit != RECORD_UNLIMITED)
                slots->running = waiting_running_of_tenant(r, c->tenant_ref, e);
        if (type_slots->limit != RECORD_UNLIMITED)
                type_slots->running = waiting_running_of_type(r, c->type_ref, e);
        return slots->running < 0 || type_slots->running < 0 ? -1 : 0;
}

/* Jobs that leave their lane without a start, so that none waits behind them: no live worker
 * handles their type, or it is paused. The types, as a JSON array; empty: none. */
static int find_idle(const struct why_sources *s, const char *tenant, struct buffer *out,
                     struct err *e)
{
        struct handled_type *set = NULL;
        int failed = handled_read_waiting(s->reader, tenant, &set, e);

        if (failed == 0)
                failed = handled_count(s->reader, s->as_of, set, e);
        for (const struct handled_type *t = set; failed == 0 && t != NULL; t = t->hh.next) {
                if (t->workers > 0 &&
                    control_pause(s->control, tenant, t->type, NULL) == PAUSE_NONE)
                        continue;
                buffer_printf(out, "%c\"%s\"", out->length == 0 ? '[' : ',', t->type);
        }
        if (out->length > 0)
                buffer_add_char(out, ']');
        handled_forget(&set);
        return failed;
}

static int count_ahead(const struct why_sources *s, struct why_case *c, struct err *e)
{
        struct reader *r = s->reader;
        const struct job_row *row = &c->job->row;
        AUTO_BUFFER idle = {0};

        if (find_idle(s, row->tenant, &idle, e) != 0)
                return -1;
        const struct waiting_place place = {.tenant = c->tenant_ref,
                                            .lane = job_row_facts(row)->lane,
                                            .created = row->created_at,
                                            .idle = buffer_bytes(&idle)};
        if (waiting_ahead(r, &place, c->ahead, e) != 0)
                return -1;
        for (int i = 0; i < LANE_COUNT; i++)
                c->facts.ahead += c->ahead[i];
        if (c->facts.has_rate)
                c->ahead_of_type = waiting_ahead_of_type(r, c->type_ref, row->created_at, e);
        c->starts = waiting_starts(r, c->tenant_ref, c->facts.now, e);
        return c->ahead_of_type < 0 || c->starts < 0 ? -1 : 0;
}

void why_facts_count(const struct why_sources *s, struct why_case *c)
{
        read_control(s, c);
        count_tokens(s, c);
}

int why_facts_read(const struct why_sources *s, struct why_case *c, struct err *e)
{
        const struct job_row *row = &c->job->row;
        struct why_facts *f = &c->facts;

        f->status = row->status;
        f->now = clock_wall();
        f->lag = s->lag;
        f->run_at = job_row_run_at(row);
        f->retries = row->failure.run == row->winner.run &&
                     job_row_facts(row)->wait.copy == row->failure.copy;
        f->broker_blocked = c->broker != WHY_BROKER_UP;
        c->pending_since = row->winner.at > 0 ? row->winner.at : row->created_at;
        c->tenant_ref = waiting_ref(s->reader, row->tenant, e);
        c->type_ref = waiting_ref(s->reader, c->type, e);
        if (c->tenant_ref < 0 || c->type_ref < 0 || read_workers(s, c, e) != 0)
                return -1;
        if (count_running(s->reader, c, e) != 0)
                return -1;
        return count_ahead(s, c, e);
}
