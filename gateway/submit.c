/* SPDX-License-Identifier: Apache-2.0
 *
 * submit.c: one submission: judge, dispatch, and answer 202 when the broker has confirmed it.
 */
#include "gateway/handlers.h"

#include <stdio.h>

#include "common/base/json_write.h"
#include "gateway/accepted.h"
#include "gateway/access.h"
#include "gateway/dispatch.h"
#include "gateway/idempotency_key.h"
#include "gateway/judge.h"
#include "gateway/judge_key.h"

enum { LOCATION_SIZE = 64 };

static void add_limit_headers(struct http_request *r, const struct tenant_record *t,
                              const struct allowance *a)
{
        struct caller *caller = http_context(r);
        char text[LIMIT_TEXT_SIZE];

        caller->told_limit = true;
        if (!a->limited)
                return;
        limit_policy_text(t, text);
        http_add_header(r, "RateLimit-Policy", "%s", text);
        allowance_text(a, text);
        http_add_header(r, "RateLimit", "%s", text);
}

/* Adds the limit's headers to a refusal too, which takes nothing from the limit. */
void submit_decorate(void *owner, struct http_request *r)
{
        struct gateway *g = owner;
        const struct http_route *route = http_matched(r);
        const struct caller *caller = access_caller(r);
        struct tenant_record t;

        if (route == NULL || route->handle != submit_handle || caller == NULL)
                return;
        if (caller->told_limit || !control_tenant(g->control, caller->tenant, &t))
                return;
        struct allowance a = limiter_take(g->limiter, &t, clock_mono(), BUCKET_LOOK);
        add_limit_headers(r, &t, &a);
}

static void refuse(struct gateway *g, struct http_request *r, const struct job *job,
                   const struct refusal *why)
{
        refusal_count(why, &g->meters, job->tenant);
        refusal_answer(why, r);
}

static bool read_job(struct gateway *g, struct http_request *r, struct job *job,
                     struct tenant_record *t, struct refusal *why)
{
        const char *header = http_header(r, "Idempotency-Key");
        char key[JOB_KEY_SIZE];
        struct err e = {0};

        if (header != NULL && idempotency_key_parse(header, key, &e) < 0)
                return refusal_set(why, REFUSED_INVALID, 400, "%s", e.text);
        const struct judge_input in = {.body = http_body(r),
                                       .own = access_caller(r)->tenant,
                                       .key = header != NULL ? key : NULL};
        return judge_read(g, &in, job, t, why);
}

static bool judge(struct gateway *g, struct http_request *r, const struct tenant_record *t,
                  struct refusal *why)
{
        struct allowance a;
        bool granted = judge_rate(g, t, &a, why);

        if (granted || why->reason == REFUSED_RATE)
                add_limit_headers(r, t, &a);
        return granted && judge_backlog(g, t, why);
}

static void location_of(const struct job *job, char location[LOCATION_SIZE])
{
        snprintf(location, LOCATION_SIZE, "/api/v1/jobs/%s", job->id);
}

static void prepare_accepted(struct http_request *r, const struct dispatch *d)
{
        AUTO_BUFFER body = {0};
        char location[LOCATION_SIZE];

        accepted_write(&d->job, d->published, &body);
        json_end(&body);
        location_of(&d->job, location);
        http_prepare(r, 202, "application/json", location, buffer_bytes(&body));
}

static void answer_accepted(struct http_request *r, const struct job *job,
                            const struct buffer *body)
{
        char location[LOCATION_SIZE];

        location_of(job, location);
        http_add_header(r, "Location", "%s", location);
        http_answer(r, 202, "application/json", buffer_bytes(body));
}

/* The queue has the job, so it will run; the event stream is told later. */
static void answer_told_late(struct http_request *r, const struct dispatch *d)
{
        AUTO_BUFFER body = {0};

        accepted_write(&d->job, d->published, &body);
        json_put_flag(&body, "told", false);
        json_end(&body);
        answer_accepted(r, &d->job, &body);
}

/* http_give and http_withhold end the life of the dispatch, which lies on the handler's stack. */
static void on_ended(struct dispatch *d)
{
        struct http_request *r = d->owner;

        if (d->end == DISPATCH_TOLD)
                http_give(r);
        else
                http_withhold(r);
}

static void submit(struct http_request *r, struct dispatch *d)
{
        struct refusal why = {0};

        dispatch_init(d, http_traceparent(r));
        prepare_accepted(r, d);
        if (!dispatch_begin(d, &why)) {
                refuse(d->g, r, &d->job, &why);
                return;
        }
        if (http_await(r))
                return;
        if (dispatch_outcome(d, &why))
                answer_told_late(r, d);
        else
                refuse(d->g, r, &d->job, &why);
}

/* A submission with a key, before its publish. */
struct keyed {
        struct dispatch *d;
        const struct tenant_record *tenant;
        struct allowance allowance;
        struct claim_answer answer;
};

/* One that is over its rate is only looked up, which costs the primary no write: it may replay. */
static enum key_verdict claim(struct keyed *k, struct http_request *r, struct refusal *why)
{
        struct dispatch *d = k->d;
        struct gateway *g = d->g;
        struct refusal other = {0};
        struct err e = {0};
        enum key_verdict verdict = KEY_REFUSED;
        bool has_token = judge_rate(g, k->tenant, &k->allowance, why);

        if (!has_token && why->reason != REFUSED_RATE)
                return KEY_REFUSED;
        uuid7(d->holder);
        struct claim_ask ask = judge_key_ask(&d->job, d->holder, clock_wall());
        ask.look = !has_token;
        if (claims_ask(g->claims, &ask, &k->answer, 1, &e) < 0)
                refusal_set(&other, REFUSED_KEYS, 503, "%s", e.text);
        else if (k->answer.state == CLAIM_NONE)
                return KEY_REFUSED;
        else
                verdict = judge_key(&k->answer, http_body(r), &d->job, &other);
        if (has_token && verdict != KEY_GRANTED)
                limiter_return(g->limiter, k->tenant->name);
        d->publish_by = k->answer.publish_by;
        *why = other;
        return verdict;
}

static void answer_replay(struct http_request *r, const struct keyed *k)
{
        AUTO_BUFFER body = {0};

        accepted_write_again(&k->d->job, k->answer.scheduled, &body);
        http_add_header(r, "Idempotent-Replayed", "true");
        answer_accepted(r, &k->d->job, &body);
}

static void submit_keyed(struct http_request *r, struct dispatch *d, const struct tenant_record *t)
{
        struct keyed k = {.d = d, .tenant = t};
        struct gateway *g = d->g;
        struct refusal why = {0};
        enum key_verdict verdict = claim(&k, r, &why);

        if (verdict != KEY_GRANTED)
                k.allowance = limiter_take(g->limiter, t, clock_mono(), BUCKET_LOOK);
        add_limit_headers(r, t, &k.allowance);
        if (verdict == KEY_REPLAYS) {
                answer_replay(r, &k);
        } else if (verdict == KEY_REFUSED) {
                refuse(g, r, &d->job, &why);
        } else if (judge_backlog(g, t, &why)) {
                submit(r, d);
        } else {
                claims_end(g->claims, t->name, d->job.key, d->holder, CLAIM_RELEASE);
                refuse(g, r, &d->job, &why);
        }
}

void submit_handle(void *owner, struct http_request *r)
{
        static const char *const no_query[] = {NULL};
        struct gateway *g = owner;
        struct dispatch d = {.g = g, .ended = on_ended, .owner = r};
        struct tenant_record t;
        struct refusal why = {0};

        if (!http_query_only(r, no_query) || !http_body_is_json(r))
                return;
        if (!read_job(g, r, &d.job, &t, &why))
                refuse(g, r, &d.job, &why);
        else if (d.job.key[0] != '\0')
                submit_keyed(r, &d, &t);
        else if (judge(g, r, &t, &why))
                submit(r, &d);
        else
                refuse(g, r, &d.job, &why);
}
