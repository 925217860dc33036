/* SPDX-License-Identifier: Apache-2.0
 *
 * jobs_api.c: GET /jobs, /jobs/{id}, /jobs/{id}/attempts and /jobs/{id}/why of the internal API.
 */
#include <stdlib.h>
#include <string.h>

#include "status-store/api.h"
#include "status-store/list.h"
#include "status-store/lookup.h"
#include "status-store/why_api.h"

#define WAIT_MAX ((msec)60 * MSEC_SECOND)
/* A job this young may be confirmed and not yet folded. */
#define YOUNG ((msec)2 * MSEC_SECOND)

static bool read_time(struct http_request *r, const char *name, msec *out)
{
        struct err why = {0};
        const char *text = http_query(r, name);
        if (text == NULL || time_parse(text, out, &why) == 0)
                return true;
        http_problem(r, 400, "%s: %s", name, why.text);
        return false;
}

static bool read_limit(struct http_request *r, int *out)
{
        const char *text = http_query(r, "limit");
        if (text == NULL)
                return true;
        char *end = NULL;
        long limit = strtol(text, &end, 10);
        if (*text >= '0' && *text <= '9' && *end == '\0' && limit >= 1 && limit <= LIST_LIMIT_MAX) {
                *out = (int)limit;
                return true;
        }
        http_problem(r, 400, "limit: must be a number from 1 to %d", LIST_LIMIT_MAX);
        return false;
}

static bool read_words(struct http_request *r, struct list_query *q)
{
        const char *status = http_query(r, "status");
        const char *priority = http_query(r, "priority");
        enum status s = STATUS_PENDING;
        enum priority p = PRIORITY_MEDIUM;
        if (status != NULL && !status_parse(bytes_of_text(status), &s)) {
                http_problem(r, 400,
                             "status: must be scheduled, pending, running, failed, "
                             "completed, dead or cancelled");
                return false;
        }
        bool digit = priority != NULL && priority[0] >= '0' && priority[0] < '0' + PRIORITY_COUNT &&
                     priority[1] == '\0';
        if (digit)
                p = (enum priority)(priority[0] - '0');
        else if (priority != NULL && !priority_parse(bytes_of_text(priority), &p)) {
                http_problem(r, 400, "priority: must be low, medium, high, critical or 0 to 3");
                return false;
        }
        q->status = status != NULL ? (int)s : -1;
        q->priority = priority != NULL ? (int)p : -1;
        q->type = http_query(r, "type");
        q->text = http_query(r, "q");
        if (q->type != NULL && !job_type_is_valid(bytes_of_text(q->type))) {
                http_problem(r, 400, "type: not a valid job type");
                return false;
        }
        return true;
}

static bool read_order(struct http_request *r, struct list_query *q)
{
        const char *sort = http_query(r, "sort");
        const char *cursor = http_query(r, "cursor");
        if (sort != NULL && strcmp(sort, "created_at") != 0 && strcmp(sort, "-created_at") != 0) {
                http_problem(r, 400, "sort: must be created_at (oldest first) or -created_at");
                return false;
        }
        q->ascending = sort != NULL && sort[0] != '-';
        if (cursor == NULL)
                return true;
        q->resumes = true;
        if (cursor_read(cursor, &q->cursor) && q->cursor.ascending == q->ascending)
                return true;
        http_problem(r, 400, "cursor: not a next_cursor of this list and order");
        return false;
}

void jobs_list(void *owner, struct http_request *r)
{
        static const char *const allowed[] = {"tenant",        "status",         "type", "priority",
                                              "created_after", "created_before", "q",    "sort",
                                              "limit",         "cursor",         NULL};
        struct api *a = owner;
        struct list_query q = {.limit = LIST_LIMIT_DEFAULT};
        if (!http_query_only(r, allowed))
                return;
        q.tenant = api_tenant(r);
        if (q.tenant == NULL || !read_words(r, &q) || !read_order(r, &q) ||
            !read_limit(r, &q.limit) || !read_time(r, "created_after", &q.created_after) ||
            !read_time(r, "created_before", &q.created_before))
                return;
        struct err why = {0};
        AUTO_BUFFER members = {0};
        AUTO_READER *reader = readers_take(a->readers, &why);
        if (reader == NULL || list_write(reader, &q, &members, &why) != 0)
                http_problem_err(r, &why);
        else
                api_answer(a, r, &members);
}

enum asked { ASKED_JOB, ASKED_ATTEMPTS, ASKED_WHY };

struct question {
        const char *tenant;
        char id[UUID_SIZE];
        enum asked what;
        msec wait; /* for the job's end */
        struct why_asked why;
};

static int write_answer(struct reader *r, const struct question *q, const struct stored_job *job,
                        struct buffer *out, struct err *e)
{
        switch (q->what) {
        case ASKED_JOB:
                return lookup_write_job(r, job, out, e);
        case ASKED_ATTEMPTS:
                return lookup_write_attempts(r, job, out, e);
        case ASKED_WHY:
                return why_write(r, &q->why, job, out, e);
        }
        return -1;
}

/* 1: found, out holds the members of the answer; 0: unknown; -1. */
static int read_once(struct api *a, const struct question *q, struct buffer *out, bool *ended,
                     struct err *e)
{
        AUTO_READER *reader = readers_take(a->readers, e);
        if (reader == NULL)
                return -1;
        AUTO_STORED_JOB job = {0};
        buffer_clear(out);
        int found = lookup_job(reader, q->tenant, q->id, &job, e);
        if (found != 1 || !job.row.shown)
                return found < 0 ? -1 : 0;
        *ended = status_is_ended(job.row.status);
        return write_answer(reader, q, &job, out, e) == 0 ? 1 : -1;
}

/* How much longer the job of this id may be confirmed and not yet folded; 0: no longer. */
static msec young_left(const char *id)
{
        msec born = uuid7_time(id);
        msec age = clock_wall() - born;
        if (born < 0 || age >= YOUNG || age < -YOUNG)
                return 0;
        return age > 0 ? YOUNG - age : YOUNG;
}

/* As read_once, but waits for a young job to be known, and up to q->wait for the job's end. */
static int read_or_wait(struct api *a, const struct question *q, struct buffer *out, struct err *e)
{
        msec ended_by = clock_mono() + q->wait;
        msec known_by = clock_mono() + young_left(q->id);
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

static void answer_question(struct api *a, struct http_request *r, enum asked what)
{
        struct question q = {.what = what, .tenant = api_tenant(r)};
        q.why = (struct why_asked){.api = a, .tenant = q.tenant};
        if (q.tenant == NULL || (what == ASKED_JOB && !read_wait(r, &q.wait)) ||
            (what == ASKED_WHY && !why_read_query(r, &q.why)))
                return;
        struct err why = {0};
        AUTO_BUFFER members = {0};
        int found = 0;
        if (uuid_parse(bytes_of_text(http_param(r, "id")), q.id))
                found = read_or_wait(a, &q, &members, &why);
        if (found == 1)
                api_answer(a, r, &members);
        else if (found == 0)
                http_problem(r, 404, "there is no such job");
        else
                http_problem_err(r, &why);
}

void jobs_get(void *owner, struct http_request *r)
{
        static const char *const allowed[] = {"tenant", "wait", NULL};
        if (http_query_only(r, allowed))
                answer_question(owner, r, ASKED_JOB);
}

void jobs_attempts(void *owner, struct http_request *r)
{
        static const char *const allowed[] = {"tenant", NULL};
        if (http_query_only(r, allowed))
                answer_question(owner, r, ASKED_ATTEMPTS);
}

void jobs_why(void *owner, struct http_request *r)
{
        static const char *const allowed[] = {"tenant", "broker", "broker_since", NULL};
        if (http_query_only(r, allowed))
                answer_question(owner, r, ASKED_WHY);
}
