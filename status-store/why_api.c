/* SPDX-License-Identifier: Apache-2.0
 *
 * why_api.c: reads the question and puts the answer together.
 */
#include "status-store/why_api.h"

#include <string.h>

#include "status-store/why/why_json.h"

bool why_read_query(struct http_request *r, struct why_asked *out)
{
        const char *broker = http_query(r, "broker");
        const char *since = http_query(r, "broker_since");
        struct err why = {0};

        if (broker != NULL && strcmp(broker, "blocked") == 0)
                out->found.broker = WHY_BROKER_IS_BLOCKED;
        else if (broker != NULL && strcmp(broker, "down") == 0)
                out->found.broker = WHY_BROKER_DOWN;
        else if (broker != NULL && strcmp(broker, "up") != 0) {
                http_problem(r, 400, "broker: must be up, blocked or down");
                return false;
        }
        if (since == NULL || time_parse(since, &out->found.broker_since, &why) == 0)
                return true;
        http_problem(r, 400, "broker_since: %s", why.text);
        return false;
}

static void set_job(struct why_case *c, const struct stored_job *job)
{
        c->job = job;
        c->type = job_row_type(&job->row);
}

void why_count(struct why_asked *asked, const struct stored_job *job)
{
        const struct why_sources from = {.control = asked->api->control,
                                         .tokens = asked->api->token_counts};

        set_job(&asked->found, job);
        why_facts_count(&from, &asked->found);
}

int why_write(struct reader *r, struct why_asked *asked, const struct stored_job *job,
              struct buffer *out, struct err *e)
{
        const struct api *a = asked->api;
        struct lag lag = freshness_lag(&a->freshness, clock_wall());
        const struct why_sources from = {
                .reader = r, .control = a->control, .as_of = lag.as_of, .lag = lag.lag};

        set_job(&asked->found, job);
        if (why_facts_read(&from, &asked->found, e) != 0)
                return -1;
        return why_json_write(r, &asked->found, strcmp(asked->tenant, "*") == 0, out, e);
}
