/* SPDX-License-Identifier: Apache-2.0
 *
 * jobs_api.c: GET /jobs/{id} and what is below it, of the internal API.
 */
#include <string.h>

#include "common/http/mask_param.h"
#include "common/http/problem.h"
#include "status-store/acts/act_rules.h"
#include "status-store/api.h"
#include "status-store/jobs/job_json.h"
#include "status-store/jobs/job_tenant.h"
#include "status-store/jobs/lookup.h"
#include "status-store/why_api.h"

#define WAIT_MAX ((msec)60 * MSEC_SECOND)

enum asked { ASKED_JOB, ASKED_ATTEMPTS, ASKED_EVENTS, ASKED_PAYLOAD, ASKED_WHY };

struct question {
        const char *tenant;
        char id[UUID_SIZE];
        enum asked what;
        msec wait; /* for the job's end */
        struct mask_words mask;
        struct why_asked why;
        /* Of the answer about a payload. */
        bool is_known, is_json;
};

/* Writes the members of the answer, or a payload's bytes. */
static int write_asked(struct reader *r, struct question *q, const struct stored_job *job,
                       struct buffer *out, struct err *e)
{
        int found = 0;
        switch (q->what) {
        case ASKED_JOB:
                return lookup_write_job(r, job, &q->mask, out, e);
        case ASKED_ATTEMPTS:
                return lookup_write_attempts(r, job, out, e);
        case ASKED_EVENTS:
                return lookup_write_events(r, job, out, e);
        case ASKED_PAYLOAD:
                found = lookup_read_payload(r, job, out, e);
                q->is_known = found == 1;
                q->is_json = job_payload_is_json(job_row_facts(&job->row), buffer_bytes(out));
                break;
        case ASKED_WHY:
                return why_write(r, &q->why, job, out, e);
        }
        return found < 0 ? -1 : 0;
}

/* Gives the reader back while the broker is asked, then looks the job up again. 1, 0 or -1, as
 * lookup_job. */
static int count_for_why(struct api *a, struct reader **reader, struct question *q,
                         struct stored_job *job, struct err *e)
{
        readers_give(reader);
        why_count(&q->why, job);
        stored_job_fini(job);
        *reader = readers_take(a->readers, e);
        return *reader == NULL ? -1 : lookup_job(*reader, q->tenant, q->id, job, e);
}

/* 1: found, out holds the answer; 0: unknown; -1. */
static int read_once(struct api *a, struct question *q, struct buffer *out, bool *ended,
                     struct err *e)
{
        AUTO_READER *reader = readers_take(a->readers, e);
        if (reader == NULL)
                return -1;
        AUTO_STORED_JOB job = {0};
        buffer_clear(out);
        int found = lookup_job(reader, q->tenant, q->id, &job, e);
        if (found == 1 && q->what == ASKED_WHY)
                found = count_for_why(a, &reader, q, &job, e);
        if (found != 1 || !job.row.shown)
                return found < 0 ? -1 : 0;
        *ended = status_is_ended(job.row.status);
        return write_asked(reader, q, &job, out, e) == 0 ? 1 : -1;
}

/* As read_once, but waits for a young job to be known, and up to q->wait for the job's end. */
static int read_or_wait(struct api *a, struct question *q, struct buffer *out, struct err *e)
{
        msec ended_by = clock_mono() + q->wait;
        msec known_by = clock_mono() + waiters_young_left(q->id);
        struct waiters *waiters = q->wait > 0 ? a->waiting : a->young;
        struct waiter me;
        bool watching = false;
        bool last = false;
        int found = 0;
        for (;;) {
                bool ended = false;
                found = read_once(a, q, out, &ended, e);
                msec deadline = found == 0 ? known_by : ended_by;
                if (found < 0 || (found == 1 && ended) || last || clock_mono() >= deadline)
                        break;
                if (watching) {
                        last = !waiters_wait(waiters, &me, deadline);
                        continue;
                }
                watching = waiters_join(waiters, q->tenant, q->id, &me);
                if (!watching) {
                        /* Not 0: the job may still become known. */
                        found = err_set(e, ERR_FULL, "too many requests wait for a job");
                        break;
                }
        }
        if (watching)
                waiters_leave(waiters, &me);
        return found;
}

static bool read_wait(struct http_request *r, msec *out)
{
        struct err why = {0};
        const char *text = http_query(r, "wait");
        if (text == NULL)
                return true;
        if (duration_parse(text, out, &why) != 0) {
                http_problem(r, 400, "wait: %s", why.text);
                return false;
        }
        if (*out <= WAIT_MAX)
                return true;
        http_problem(r, 400, "wait: must be at most 60s");
        return false;
}

/* What is no JSON has no members to mask: it may show what they would hide. */
static void answer_masked(struct http_request *r, const struct question *q, struct bytes payload)
{
        AUTO_BUFFER masked = {0};

        if (!q->is_json) {
                http_problem(r, 403, "the payload is no JSON, so its members cannot be masked");
                return;
        }
        size_t count = json_mask(payload, &q->mask, &masked);
        http_add_header(r, "Warren-Masked", "%zu", count);
        http_answer(r, 200, "application/json", buffer_bytes(&masked));
}

static void answer_payload(struct http_request *r, const struct question *q, struct bytes payload)
{
        static const struct problem unknown = {
                .status = 404,
                .type = "urn:warren:problem:payload-unknown",
                .detail = "no message with the job's payload is known yet"};
        if (!q->is_known)
                http_problem_of(r, &unknown);
        else if (q->mask.count > 0)
                answer_masked(r, q, payload);
        else
                http_answer(r, 200, q->is_json ? "application/json" : "application/octet-stream",
                            payload);
}

/* For who acts on it next: one=true. False: answered. */
static bool is_the_only_one(struct api *a, struct http_request *r, const struct question *q)
{
        const struct act_refused *several = act_refused(ACT_SEVERAL_TENANTS);
        char tenant[TENANT_SIZE];
        struct err why = {0};
        if (http_query(r, "one") == NULL || strcmp(q->tenant, "*") != 0)
                return true;
        AUTO_READER *reader = readers_take(a->readers, &why);
        int tenants =
                reader != NULL ? job_tenant(reader_database(reader), q->id, tenant, &why) : -1;
        if (tenants < 0)
                http_problem_err(r, &why);
        else if (tenants == TENANTS_SEVERAL)
                http_problem_of(r, &(struct problem){.status = several->status,
                                                     .type = several->type,
                                                     .detail = several->detail});
        return tenants >= 0 && tenants < TENANTS_SEVERAL;
}

static void answer_question(struct api *a, struct http_request *r, enum asked what)
{
        struct question q = {.what = what, .tenant = api_tenant(r)};
        q.why = (struct why_asked){.api = a, .tenant = q.tenant};
        if (q.tenant == NULL || !mask_param_read(r, &q.mask) ||
            (what == ASKED_JOB && !read_wait(r, &q.wait)) ||
            (what == ASKED_WHY && !why_read_query(r, &q.why)))
                return;
        struct err why = {0};
        AUTO_BUFFER out = {0};
        int found = 0;
        if (uuid_parse(bytes_of_text(http_param(r, "id")), q.id))
                found = read_or_wait(a, &q, &out, &why);
        if (found == 1 && !is_the_only_one(a, r, &q))
                return;
        if (found == 1 && what == ASKED_PAYLOAD)
                answer_payload(r, &q, buffer_bytes(&out));
        else if (found == 1)
                api_answer(a, r, &out);
        else if (found == 0)
                http_problem(r, 404, "there is no such job");
        else
                http_problem_err(r, &why);
}

/* Without parameters but the tenant. */
static void answer_plain(struct api *a, struct http_request *r, enum asked what)
{
        static const char *const allowed[] = {"tenant", NULL};
        if (http_query_only(r, allowed))
                answer_question(a, r, what);
}

void jobs_get(void *owner, struct http_request *r)
{
        static const char *const allowed[] = {"tenant", "wait", "mask", "one", NULL};
        if (http_query_only(r, allowed))
                answer_question(owner, r, ASKED_JOB);
}

void jobs_attempts(void *owner, struct http_request *r)
{
        answer_plain(owner, r, ASKED_ATTEMPTS);
}

void jobs_events(void *owner, struct http_request *r)
{
        answer_plain(owner, r, ASKED_EVENTS);
}

void jobs_payload(void *owner, struct http_request *r)
{
        static const char *const allowed[] = {"tenant", "mask", NULL};
        if (http_query_only(r, allowed))
                answer_question(owner, r, ASKED_PAYLOAD);
}

void jobs_why(void *owner, struct http_request *r)
{
        static const char *const allowed[] = {"tenant", "broker", "broker_since", NULL};
        if (http_query_only(r, allowed))
                answer_question(owner, r, ASKED_WHY);
}
