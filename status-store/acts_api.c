/* SPDX-License-Identifier: Apache-2.0
 *
 * acts_api.c: the routes that act on one job, and POST /internal/v1/runs, by which the dlx-monitor
 * is granted the number of a replay's run. Only the primary serves them.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/json_write.h"
#include "common/http/problem.h"
#include "status-store/acts/act_body.h"
#include "status-store/acts/acts_gauges.h"
#include "status-store/api.h"
#include "status-store/jobs/lookup.h"

static void refuse(struct http_request *r, enum act_refusal why)
{
        const struct act_refused *refused = act_refused(why);
        if (why == ACT_LETTER_NOT_ARCHIVED)
                http_add_header(r, "Retry-After", "1");
        http_problem_of(r, &(struct problem){.status = refused->status,
                                             .type = refused->type,
                                             .detail = refused->detail});
}

/* Whether jobs of this tenant and type are paused; adds by what. */
static bool add_pause(struct api *a, const struct job_row *row, struct buffer *out)
{
        struct tenant_record t;
        const char *type = job_row_type(row);
        enum pause pause = control_pause(a->control, row->tenant, type, NULL);
        if (control_tenant(a->control, row->tenant, &t) && t.paused)
                buffer_printf(out, "tenant %s is paused", row->tenant);
        else if (pause == PAUSE_TENANT_TYPE)
                buffer_printf(out, "type %s is paused for tenant %s", type, row->tenant);
        else if (pause != PAUSE_NONE)
                buffer_printf(out, "type %s is paused", type);
        return out->length > 0;
}

/* A job that is due is kept by something else, perhaps by a pause. */
static void refuse_due(struct api *a, struct http_request *r, const struct act *act)
{
        const struct act_refused *refused = act_refused(ACT_NOT_DELAYED);
        struct err ignored = {0};
        AUTO_BUFFER text = {0};
        AUTO_STORED_JOB job = {0};
        AUTO_READER *reader = readers_take(a->readers, &ignored);
        bool paused = reader != NULL &&
                      lookup_job(reader, act->tenant, act->id, &job, &ignored) == 1 &&
                      add_pause(a, &job.row, &text);
        http_problem_of(r, &(struct problem){.status = refused->status,
                                             .type = refused->type,
                                             .detail = paused ? text.data : refused->detail});
}

static void answer_failure(struct http_request *r, const struct act_answer *a, const struct err *e)
{
        json_auto_t *members = json_object();
        if (a->may_be_done)
                json_object_set_new(members, "accepted", json_string("unknown"));
        http_problem_of(
                r, &(struct problem){
                           .status = a->is_behind || a->may_be_done ? 503 : problem_status(e->code),
                           .type = a->is_behind ? "urn:warren:problem:status-behind" : NULL,
                           .detail = e->text,
                           .members = members});
}

static void answer_done(struct http_request *r, const struct act *act, const struct act_answer *a)
{
        AUTO_BUFFER out = {0};
        if (act->kind == ACT_FORGET) {
                http_answer_empty(r, 204);
                return;
        }
        act_answer_write(act, a, &out);
        http_answer(r, 202, "application/json", buffer_bytes(&out));
}

/* As acts_do, but waits for a young job to be known. */
static int act_when_known(struct api *a, const struct act *act, struct act_answer *out,
                          struct err *e)
{
        const msec whole = clock_mono() + ACT_WAIT;
        const msec left = waiters_young_left(act->id);
        const msec deadline = clock_mono() + left;
        struct waiter me;
        bool watching = left > 0 && waiters_join(a->young, act->tenant, act->id, &me);
        bool more = watching;
        int done = acts_do(a->acts, act, whole, out, e);
        while (more && done == 0 && out->refusal == ACT_NO_SUCH_JOB && clock_mono() < deadline) {
                more = waiters_wait(a->young, &me, deadline);
                done = acts_do(a->acts, act, whole, out, e);
        }
        if (watching)
                waiters_leave(a->young, &me);
        return done;
}

static void note_outcome(struct api *a, const struct act *act, const struct act_answer *answer,
                         int done, msec began)
{
        enum act_outcome outcome = ACT_WAS_DONE;
        if (done != 0)
                outcome = answer->may_be_done ? ACT_IS_UNFINISHED : ACT_FAILED;
        else if (answer->refusal != ACT_ALLOWED)
                outcome = ACT_WAS_REFUSED;
        acts_gauges_note(a->acts_gauges, act->kind, outcome, clock_mono() - began);
}

/* Reads who acts on which job. False: answered. */
static bool read_act(struct api *a, struct http_request *r, struct act *act)
{
        static const char *const allowed[] = {"tenant", NULL};
        static const char *const of_forget[] = {"tenant", "letter", NULL};
        bool forgets = act->kind == ACT_FORGET;
        if (!api_is_primary(a, r) || !http_query_only(r, forgets ? of_forget : allowed))
                return false;
        const char *tenant = api_tenant(r);
        if (tenant == NULL)
                return false;
        const char *letter = http_query(r, "letter");
        act->archived = letter != NULL && strcmp(letter, "archived") == 0;
        snprintf(act->tenant, sizeof(act->tenant), "%s", tenant);
        api_by(r, act->by);
        if (http_body(r).length > 0 && !http_body_is_json(r))
                return false;
        if (uuid_parse(bytes_of_text(http_param(r, "id")), act->id))
                return true;
        refuse(r, ACT_NO_SUCH_JOB);
        return false;
}

static void do_act(struct api *a, struct http_request *r, const struct act *act)
{
        const msec began = clock_mono();
        struct act_answer answer;
        struct err why = {0};
        int done = act_when_known(a, act, &answer, &why);
        note_outcome(a, act, &answer, done, began);
        if (done != 0)
                answer_failure(r, &answer, &why);
        else if (answer.refusal == ACT_NOT_DELAYED)
                refuse_due(a, r, act);
        else if (answer.refusal != ACT_ALLOWED)
                refuse(r, answer.refusal);
        else
                answer_done(r, act, &answer);
}

static void do_plain(struct api *a, struct http_request *r, enum act_kind kind)
{
        struct act act = {.kind = kind, .priority = -1};
        if (read_act(a, r, &act) && api_body_is_empty(r))
                do_act(a, r, &act);
}

void jobs_cancel(void *owner, struct http_request *r)
{
        do_plain(owner, r, ACT_CANCEL);
}

void jobs_run_now(void *owner, struct http_request *r)
{
        do_plain(owner, r, ACT_RUN_NOW);
}

void jobs_retry(void *owner, struct http_request *r)
{
        do_plain(owner, r, ACT_RETRY);
}

void jobs_forget(void *owner, struct http_request *r)
{
        do_plain(owner, r, ACT_FORGET);
}

void jobs_patch(void *owner, struct http_request *r)
{
        struct act act = {.priority = -1};
        struct scan_fault fault = {0};
        if (!read_act(owner, r, &act))
                return;
        int refused = act_body_read_patch(http_body(r), &act, &fault);
        if (refused != 0)
                http_problem_at(r, refused, &fault);
        else
                do_act(owner, r, &act);
}

/* What the projection knows of the job. */
static int read_seen(struct api *a, struct run_grant *g, struct err *e)
{
        AUTO_STORED_JOB job = {0};
        AUTO_READER *reader = readers_take(a->readers, e);
        if (reader == NULL)
                return -1;
        int found = lookup_job(reader, g->tenant, g->id, &job, e);
        if (found != 1)
                return found;
        if (g->run_of > 0 && job.row.forgotten_run >= g->run_of)
                return err_set(e, ERR_CONFLICT, "the job was forgotten");
        g->seen = job.row.winner.run;
        g->open = job.row.shown && !status_is_ended(job.row.status);
        return 0;
}

static int grant(struct api *a, struct run_grant *g, struct err *e)
{
        g->as_of = freshness_lag(&a->freshness, clock_wall()).as_of;
        if (read_seen(a, g, e) != 0)
                return -1;
        if (g->seen > g->after)
                g->after = g->seen;
        g->copy = operator_copy_number(0);
        return registry_grant_run(a->registry, g, e);
}

void runs_grant(void *owner, struct http_request *r)
{
        struct api *a = owner;
        AUTO_BUFFER out = {0};
        struct run_grant g;
        struct scan_fault fault = {0};
        struct err why = {0};
        if (!api_is_primary(a, r) || !http_body_is_json(r))
                return;
        int refused = act_body_read_grant(http_body(r), &g, &fault);
        if (refused != 0) {
                http_problem_at(r, refused, &fault);
        } else if (grant(a, &g, &why) != 0) {
                http_problem_err(r, &why);
        } else {
                json_begin(&out);
                json_put_int(&out, "run", g.run);
                json_put_int(&out, "copy", g.copy);
                json_end(&out);
                http_answer(r, 200, "application/json", buffer_bytes(&out));
        }
}
