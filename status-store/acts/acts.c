/* SPDX-License-Identifier: Apache-2.0
 *
 * acts.c: acts on jobs: one, a page of them, and those that were interrupted.
 */
#include "status-store/acts/acts.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/http/tenant_places.h"
#include "status-store/acts/act_job.h"
#include "status-store/acts/act_lines.h"
#include "status-store/acts/act_steps.h"
#include "status-store/acts/mark_readers.h"
#include "status-store/acts/under_way.h"
#include "status-store/jobs/job_tenant.h"

/* Of ACT_WAIT what is left when an act is begun: for the broker, and for consumers to tell. */
#define DO_WAIT ((msec)5 * MSEC_SECOND)
#define STEPS_WAIT ((msec)2 * MSEC_SECOND) /* of that, for the broker */
#define PAGE_WAIT ((msec)5 * MSEC_SECOND)
#define PAGE_STEPS_WAIT ((msec)10 * MSEC_SECOND)

static const char list_is_full[] =
        "too many jobs that are due later, or paused, were moved (moved_max)";
struct acts {
        struct acts_config config;
        struct act_tools tools;
        struct under_way *under_way;
        struct tenant_places *places; /* of single acts */
};

struct acts *acts_create(const struct acts_config *c, struct err *e)
{
        AUTO(acts) a = xcalloc(1, sizeof(*a));
        a->config = *c;
        a->tools = (struct act_tools){
                .registry = c->registry, .readers = c->readers, .operator= c->operator};
        a->under_way = under_way_create();
        a->places = tenant_places_create(c->at_once, (c->at_once + 1) / 2, "acts on jobs");
        a->tools.moved = moved_room_create(c->registry, c->moved_max, c->marks_keep, e);
        return a->tools.moved != NULL ? TAKE(a) : NULL;
}

void acts_close(struct acts *a)
{
        if (a == NULL)
                return;
        atomic_store(&a->tools.closing, true);
        under_way_close(a->under_way);
}

void acts_destroy(struct acts **acts)
{
        struct acts *a = TAKE(*acts);
        if (a == NULL)
                return;
        under_way_destroy(&a->under_way);
        tenant_places_destroy(&a->places);
        moved_room_destroy(&a->tools.moved);
        free(a);
}

static int check(struct acts *a, struct err *e)
{
        if (a->config.operator== NULL)
                return err_set(e, ERR_UNAVAILABLE,
                               "this status-store has no operator_password_file: it cannot act on "
                               "jobs");
        if (operator_check(a->config.operator, e) != 0)
                return -1;
        return provisioning_check(a->config.provisioning, e);
}

int acts_become_current(struct acts *a, msec deadline, struct err *e)
{
        char marker[UUID_SIZE];
        if (check(a, e) != 0 || provisioning_publish_marker(a->config.provisioning, marker, e) != 0)
                return -1;
        return markers_await(a->config.markers, marker, deadline);
}

int acts_publish_marks(struct acts *a, struct bytes lines, int64_t *mark, struct err *e)
{
        if (check(a, e) != 0)
                return -1;
        return operator_publish_marks(a->config.operator, lines, mark, e);
}

/* What it was for has gone. Its old message stays what it was. */
static int drop(struct acts *a, const struct intent *i, const char *why, struct err *e)
{
        LOG_WARN("an act cannot be ended; its job stays as it was", log_text("tenant", i->tenant),
                 log_text("job", i->id), log_text("why", why));
        return registry_drop_act(a->config.registry, i, e);
}

/* Reads what an act publishes again. 1; 0: it cannot be ended, and is dropped; -1: not now. */
static int read_again(struct acts *a, struct act_job *j, msec deadline, struct err *e)
{
        const struct intent *i = &j->intent;
        bool has_payload = false;
        /* A projection that is rebuilt does not know the job yet. */
        int current = acts_become_current(a, deadline, e);
        if (current == 0)
                return err_set(e, ERR_UNAVAILABLE, "the status is behind the events");
        int found =
                current < 0 ? -1 : act_job_read(&a->tools, i->tenant, i->id, j, &has_payload, e);
        int lives = found < 0 ? -1 : act_tenant_lives(&a->tools, i->tenant, e);
        if (lives < 0)
                return -1;
        if (lives == 0)
                return drop(a, i, "its tenant was deleted", e);
        if (found == 0 || !has_payload || j->job.row.facts == NULL)
                return drop(a, i, "the payload has been deleted", e);
        return 1;
}

/* Ends an act that was begun before. The caller has entered the job. */
static int redo(struct acts *a, const struct intent *intent, msec deadline, struct err *e)
{
        AUTO_ACT_JOB j = {.intent = *intent};
        int readable = act_publishes(intent->kind) ? read_again(a, &j, deadline, e) : 1;
        if (readable != 1)
                return readable;
        struct act_batch b = {.all = &j, .count = 1, .again = true, .deadline = deadline};
        return act_steps_run(&a->tools, &b, e);
}

/* An act on this job that was interrupted comes first. */
static int end_earlier(struct acts *a, const struct act *act, msec deadline, struct err *e)
{
        struct intent earlier;
        int found = registry_intent(a->config.registry, act->tenant, act->id, &earlier, e);
        return found == 1 ? redo(a, &earlier, deadline, e) : found;
}

static void fill_answer(const struct intent *i, struct act_answer *out)
{
        out->run = i->run;
        out->attempt = i->attempt;
        out->copy = i->copy;
        out->run_at = i->run_at;
        out->priority = i->priority;
        out->cancelling = i->kind == ACT_STOP;
        if (i->kind == ACT_CANCEL)
                out->status = STATUS_CANCELLED;
        else if (act_publishes(i->kind))
                out->status = i->run_at > i->at ? STATUS_SCHEDULED : STATUS_PENDING;
}

/* The clock_mono() time so far ahead, but not behind the deadline. */
static msec at_most(msec ahead, msec deadline)
{
        const msec then = clock_mono() + ahead;
        return then < deadline ? then : deadline;
}

/* A cancel that is repeated must not promise more than the first one could: it waits for the
 * consumers too. */
static int repeat_mark(struct acts *a, const struct job_row *row, msec deadline,
                       struct act_answer *out, struct err *e)
{
        struct intent i = {.kind = ACT_CANCEL, .run = row->winner.run, .at = clock_wall()};
        AUTO_BUFFER line = {0};
        int64_t mark = 0;
        if (row->status != STATUS_CANCELLED || row->reason != REASON_NONE)
                return 0;
        memcpy(i.tenant, row->tenant, sizeof(i.tenant));
        memcpy(i.id, row->id, sizeof(i.id));
        act_write_mark(&i, &line);
        if (operator_publish_marks(a->config.operator, buffer_bytes(&line), &mark, e) != 0)
                return -1;
        acts_await_seen(a, mark, at_most(SEEN_WAIT, deadline), &out->behind);
        return 0;
}

static int carry_out(struct acts *a, struct act_job *j, msec deadline, struct act_answer *out,
                     struct err *e)
{
        struct act_batch b = {.all = j, .count = 1, .deadline = at_most(STEPS_WAIT, deadline)};
        int full = moved_room_refuses(a->tools.moved, &j->intent, clock_wall(), e);
        if (full != 0)
                return full < 0 ? -1 : err_set(e, ERR_UNAVAILABLE, "%s", list_is_full);
        if (registry_begin_acts(a->config.registry, &j->intent, 1, NULL, NULL, e) != 0)
                return -1;
        out->may_be_done = true;
        fill_answer(&j->intent, out);
        if (act_steps_run(&a->tools, &b, e) != 0)
                return -1;
        if (act_ends_the_run(j->intent.kind))
                acts_await_seen(a, b.mark, at_most(SEEN_WAIT, deadline), &out->behind);
        return 0;
}

/* While the projection is behind, only a cancel of what is known to be open goes on: it can only
 * stop something. */
static bool may_act(const struct act_plan *plan, bool current)
{
        bool cancels = plan->kind == ACT_CANCEL || plan->kind == ACT_STOP;
        return current || (cancels && plan->refusal == ACT_ALLOWED && !plan->done);
}

static int refuse_behind(struct act_answer *out, struct err *e)
{
        out->is_behind = true;
        return err_set(e, ERR_UNAVAILABLE, "the status is behind the events: try again");
}

/* The caller has entered the job. */
static int act_on(struct acts *a, const struct act *act, msec deadline, struct act_answer *out,
                  struct err *e)
{
        AUTO_ACT_JOB j = {.intent = {.copy = 0}};
        struct act_plan plan;
        if (end_earlier(a, act, deadline - DO_WAIT, e) != 0)
                return -1;
        int current = acts_become_current(a, deadline - DO_WAIT, e);
        if (current < 0 || act_job_judge(&a->tools, act, &j, &plan, e) < 0)
                return -1;
        if (!may_act(&plan, current == 1))
                return refuse_behind(out, e);
        const struct job_row *row = &j.job.row;
        out->refusal = plan.refusal;
        out->status = row->status;
        out->run = row->winner.run;
        memcpy(out->tenant, row->tenant, sizeof(out->tenant));
        if (plan.refusal != ACT_ALLOWED || plan.done)
                return plan.done ? repeat_mark(a, row, deadline, out, e) : 0;
        act_job_intend(act, &plan, &j);
        return carry_out(a, &j, deadline, out, e);
}

/* 1: the act's tenant is a name; 0: see `out`; -1. */
static int name_tenant(struct acts *a, struct act *act, msec deadline, struct act_answer *out,
                       struct err *e)
{
        if (strcmp(act->tenant, "*") != 0)
                return 1;
        int current = acts_become_current(a, deadline, e);
        AUTO_READER *reader = current >= 0 ? readers_take(a->config.readers, e) : NULL;
        int tenants =
                reader != NULL ? job_tenant(reader_database(reader), act->id, act->tenant, e) : -1;
        if (tenants == 0 && current == 0)
                return refuse_behind(out, e);
        if (tenants == 0 || tenants == TENANTS_SEVERAL)
                out->refusal = tenants == 0 ? ACT_NO_SUCH_JOB : ACT_SEVERAL_TENANTS;
        return tenants == TENANTS_SEVERAL ? 0 : tenants;
}

static int act_in_turn(struct acts *a, const struct act *asked, msec deadline,
                       struct act_answer *out, struct err *e)
{
        struct act act = *asked;
        int named = name_tenant(a, &act, deadline - DO_WAIT, out, e);
        if (named != 1)
                return named;
        if (under_way_enter(a->under_way, act.tenant, act.id, deadline - DO_WAIT, e) != 0)
                return -1;
        int done = act_on(a, &act, deadline, out, e);
        under_way_leave(a->under_way, act.tenant, act.id);
        return done;
}

int acts_do(struct acts *a, const struct act *act, msec deadline, struct act_answer *out,
            struct err *e)
{
        *out = (struct act_answer){.refusal = ACT_ALLOWED};
        if (check(a, e) != 0 || tenant_places_take(a->places, act->tenant, e) != 0)
                return -1;
        int done = act_in_turn(a, act, deadline, out, e);
        tenant_places_return(a->places, act->tenant);
        return done;
}

static void log_behind(const struct acts_behind *b, const struct err *why)
{
        if (b->unknown)
                LOG_WARN("it is not known which consumers have read a mark", log_err(why));
        else if (b->count > 0)
                LOG_WARN("a consumer has not read a mark; it may start what was cancelled until "
                         "it does",
                         log_text("worker", b->workers[0]), log_int("workers", (int64_t)b->count));
}

/* The workers are read after a marker that was published after the mark. A consumer that is not
 * among them told its first record later, and reads the mark at its start. The mark is in force at
 * once and cannot be taken back: a failure only means that nobody knows who has read it. */
void acts_await_seen(struct acts *a, int64_t mark, msec deadline, struct acts_behind *behind)
{
        const char *names[SEEN_BEHIND_MAX];
        AUTO_MARK_READERS live = {.count = 0};
        struct err why = {0};
        msec as_of = clock_wall();
        *behind = (struct acts_behind){.count = 0};
        behind->unknown = acts_become_current(a, deadline, &why) != 1 ||
                          mark_readers_list(a->config.readers, as_of, &live, &why) != 0;
        size_t missing = 0;
        if (!behind->unknown)
                missing =
                        seen_await(a->config.seen, live.workers, live.count, mark, deadline, names);
        behind->count = missing < SEEN_BEHIND_MAX ? missing : SEEN_BEHIND_MAX;
        for (size_t i = 0; i < behind->count; i++)
                memcpy(behind->workers[i], names[i], WORKER_NAME_SIZE);
        log_behind(behind, &why);
}

/* The jobs of a page that were entered, and what is to be done of them. */
struct entered {
        struct acts *acts;
        const struct acts_page *page;
        size_t entered;       /* of the page */
        struct act_job *jobs; /* to be carried out */
        size_t count;
};

static void entered_fini(struct entered *n)
{
        for (size_t i = 0; i < n->entered; i++)
                under_way_leave(n->acts->under_way, n->page->acts[i].tenant, n->page->acts[i].id);
        for (size_t i = 0; i < n->count; i++)
                act_job_fini(&n->jobs[i]);
        free(n->jobs);
}
#define AUTO_ENTERED __attribute__((cleanup(entered_fini))) struct entered

static int enter_page(struct acts *a, struct entered *n, msec deadline, struct err *e)
{
        const struct acts_page *p = n->page;
        for (size_t i = 0; i < p->count; i++) {
                const struct act *act = &p->acts[i];
                if (under_way_enter(a->under_way, act->tenant, act->id, deadline, e) != 0)
                        return -1;
                n->entered++;
                if (end_earlier(a, act, deadline, e) != 0)
                        return -1;
        }
        return 0;
}

/* What has ended, or was done before its turn came, is no failure. */
static void count_refused(struct acts_page *p, bool full, enum act_refusal why)
{
        if (!full && why != ACT_PAYLOAD_UNKNOWN && why != ACT_NO_TENANT) {
                p->skipped++;
                return;
        }
        p->failed++;
        p->why = full ? list_is_full : act_refused(why)->detail;
}

/* 1: the list of acts is full; 0: see the plan; -1. */
static int plan_one(struct acts *a, const struct act *act, struct act_job *j, struct act_plan *plan,
                    struct err *e)
{
        if (act_job_judge(&a->tools, act, j, plan, e) < 0)
                return -1;
        if (plan->refusal != ACT_ALLOWED || plan->done)
                return 0;
        act_job_intend(act, plan, j);
        return moved_room_refuses(a->tools.moved, &j->intent, clock_wall(), e);
}

static int judge_page(struct acts *a, struct acts_page *p, struct entered *n, struct err *e)
{
        n->jobs = xcalloc(p->count + 1, sizeof(*n->jobs));
        for (size_t i = 0; i < p->count; i++) {
                struct act_job *j = &n->jobs[n->count];
                struct act_plan plan;
                int full = plan_one(a, &p->acts[i], j, &plan, e);
                bool wanted = p->wanted == NULL || p->wanted(p->owner, &j->job.row);
                if (full == 0 && plan.refusal == ACT_ALLOWED && !plan.done && wanted) {
                        n->count++;
                        continue;
                }
                act_job_fini(j);
                if (full < 0)
                        return -1;
                *j = (struct act_job){.intent = {.copy = 0}};
                count_refused(p, full == 1, plan.refusal);
        }
        p->done = n->count;
        return 0;
}

static int begin_page(struct acts *a, struct acts_page *p, struct entered *n, struct err *e)
{
        AUTO_FREE struct intent *all = xcalloc(n->count + 1, sizeof(*all));
        for (size_t i = 0; i < n->count; i++)
                all[i] = n->jobs[i].intent;
        if (registry_begin_acts(a->config.registry, all, n->count, p->progress, p->owner, e) != 0)
                return -1;
        for (size_t i = 0; i < n->count; i++)
                n->jobs[i].intent = all[i];
        p->begun = true;
        return 0;
}

int acts_apply_page(struct acts *a, struct acts_page *p, struct err *e)
{
        const msec deadline = clock_mono() + PAGE_WAIT;
        AUTO_ENTERED n = {.acts = a, .page = p};
        p->done = p->skipped = p->failed = 0;
        p->mark = 0;
        p->why = NULL;
        p->begun = false;
        if (check(a, e) != 0 || enter_page(a, &n, deadline, e) != 0)
                return -1;
        int current = acts_become_current(a, deadline, e);
        if (current == 0)
                return err_set(e, ERR_UNAVAILABLE, "the status is behind the events");
        if (current < 0 || judge_page(a, p, &n, e) != 0 || begin_page(a, p, &n, e) != 0)
                return -1;
        struct act_batch b = {
                .all = n.jobs, .count = n.count, .deadline = clock_mono() + PAGE_STEPS_WAIT};
        int done = n.count > 0 ? act_steps_run(&a->tools, &b, e) : 0;
        p->mark = b.mark;
        return done;
}

static int resume(struct acts *a, const struct intent *listed, struct err *e)
{
        struct intent now;
        const msec deadline = clock_mono() + PAGE_WAIT;
        if (under_way_enter(a->under_way, listed->tenant, listed->id, deadline, e) != 0)
                return -1;
        int found = registry_intent(a->config.registry, listed->tenant, listed->id, &now, e);
        int done = found == 1 ? redo(a, &now, deadline, e) : found;
        under_way_leave(a->under_way, listed->tenant, listed->id);
        return done;
}

int acts_resume(struct acts *a, struct err *e)
{
        AUTO_FREE struct intent *all = xcalloc(ACTS_PAGE_MAX, sizeof(*all));
        const struct intent *last = NULL;
        int count = ACTS_PAGE_MAX;
        int failed = 0;
        while (count == ACTS_PAGE_MAX) {
                count = registry_intents(a->config.registry, last, all, ACTS_PAGE_MAX, e);
                if (count < 0 || (count > 0 && check(a, e) != 0))
                        return -1;
                for (int i = 0; i < count; i++)
                        failed |= resume(a, &all[i], e);
                last = &all[ACTS_PAGE_MAX - 1];
        }
        return failed;
}

int acts_forget_old(struct acts *a, struct err *e)
{
        int64_t gone = 0;
        if (registry_forget_moved(a->config.registry, clock_wall(), &gone, e) != 0)
                return -1;
        moved_room_add(a->tools.moved, -gone);
        return gone == MOVED_FORGOTTEN_AT_ONCE;
}

int acts_note_crowding(struct acts *a, struct err *e)
{
        return moved_room_look(a->tools.moved, e);
}

int acts_count(struct acts *a, int64_t *unfinished, int64_t *moved, struct err *e)
{
        *moved = moved_room_rows(a->tools.moved);
        return registry_count_intents(a->config.registry, unfinished, e);
}
