/* SPDX-License-Identifier: Apache-2.0
 *
 * submit.c: one submission: judge, dispatch, and answer 202 when the broker has confirmed it.
 */
#include "gateway/handlers.h"

#include <stdio.h>
#include <string.h>

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

        if (route == NULL || route->scope != SCOPE_SUBMIT || caller == NULL)
                return;
        if (caller->told_limit || !control_tenant(g->control, caller->tenant, &t))
                return;
        struct allowance a = limiter_take(g->limiter, &t, clock_mono(), BUCKET_LOOK);
        add_limit_headers(r, &t, &a);
}

bool submit_query(struct http_request *r, bool *dry_run)
{
        static const char *const known[] = {"dry_run", NULL};
        const char *given = http_query(r, "dry_run");

        if (!http_query_only(r, known))
                return false;
        *dry_run = given != NULL && strcmp(given, "true") == 0;
        if (given == NULL || *dry_run || strcmp(given, "false") == 0)
                return true;
        http_problem(r, 400, "dry_run must be true or false");
        return false;
}

/* A submission, on its handler's stack. */
struct submission {
        struct gateway *g;
        struct http_request *r;
        bool dry_run;
        struct dispatch dispatch;
        struct tenant_record tenant;
        struct allowance allowance; /* {0}: the rate was not looked at */
        struct refusal late;        /* may_replay: the request is refused so if its key is new */
        struct claim_answer claim;  /* of a job with a key */
};

static void refuse(const struct submission *s, const struct refusal *why)
{
        if (!s->dry_run)
                refusal_count(why, &s->g->meters, s->dispatch.job.tenant);
        refusal_answer(why, s->r);
}

static bool read_job(struct submission *s, struct refusal *why)
{
        const char *header = http_header(s->r, "Idempotency-Key");
        char key[JOB_KEY_SIZE];
        struct err e = {0};

        if (header != NULL && idempotency_key_parse(header, key, &e) < 0)
                return refusal_set(why, REFUSED_INVALID, 400, "%s", e.text);
        const struct judge_input in = {.body = http_body(s->r),
                                       .own = access_caller(s->r)->tenant,
                                       .key = header != NULL ? key : NULL};
        if (judge_read(s->g, &in, &s->dispatch.job, &s->tenant, why))
                return true;
        if (!why->may_replay)
                return false;
        s->late = *why;
        *why = (struct refusal){0};
        return true;
}

static void location_of(const struct job *job, char location[LOCATION_SIZE])
{
        snprintf(location, LOCATION_SIZE, "/api/v1/jobs/%s", job->id);
}

static void prepare_accepted(struct http_request *r, const struct dispatch *d)
{
        AUTO_BUFFER body = {0};
        char location[LOCATION_SIZE];

        accepted_write(&d->job, d->scheduled, &body);
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

        accepted_write(&d->job, d->scheduled, &body);
        json_put_flag(&body, "told", false);
        json_end(&body);
        answer_accepted(r, &d->job, &body);
}

static void answer_replay(const struct submission *s)
{
        const struct job *job = &s->dispatch.job;
        AUTO_BUFFER body = {0};

        accepted_write(job, s->claim.scheduled, &body);
        json_end(&body);
        http_add_header(s->r, "Idempotent-Replayed", "true");
        answer_accepted(s->r, job, &body);
}

static void answer_dry(const struct submission *s, enum key_verdict verdict)
{
        const struct job *job = &s->dispatch.job;
        bool replays = verdict == KEY_REPLAYS;
        AUTO_BUFFER body = {0};

        accepted_write_dry(job,
                           replays ? s->claim.scheduled : accepted_is_scheduled(job, clock_wall()),
                           &body);
        if (replays)
                json_put_string(&body, "replays", job->id);
        json_end(&body);
        http_answer(s->r, 200, "application/json", buffer_bytes(&body));
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

static void submit(struct submission *s)
{
        struct dispatch *d = &s->dispatch;
        struct refusal why = {0};

        dispatch_init(d, http_traceparent(s->r));
        prepare_accepted(s->r, d);
        if (!dispatch_begin(d, &why)) {
                refuse(s, &why);
                return;
        }
        if (http_await(s->r))
                return;
        if (dispatch_outcome(d, &why))
                answer_told_late(s->r, d);
        else
                refuse(s, &why);
}

/* One that could not be published, or that is over its rate, is only looked up, which costs the
 * primary no write: it may replay. */
static enum key_verdict claim(struct submission *s, bool has_token, struct refusal *why)
{
        struct dispatch *d = &s->dispatch;
        struct refusal other = {0};
        struct err e = {0};
        enum key_verdict verdict = KEY_REFUSED;

        uuid7(d->holder);
        struct claim_ask ask = judge_key_ask(&d->job, d->holder, clock_wall());
        ask.look = !has_token || s->dry_run;
        ask.known = s->late.may_replay;
        if (claims_ask(s->g->claims, &ask, &s->claim, 1, &e) < 0)
                refusal_set(&other, REFUSED_KEYS, 503, "%s", e.text);
        else if (s->claim.state == CLAIM_NONE && !has_token)
                return KEY_REFUSED;
        else if (s->claim.state == CLAIM_NONE && s->late.may_replay)
                other = s->late;
        else
                verdict = judge_key(&s->claim, http_body(s->r), &d->job, &other);
        if (has_token && !s->dry_run && verdict != KEY_GRANTED)
                limiter_return(s->g->limiter, s->tenant.name);
        d->publish_by = s->claim.publish_by;
        d->taken = s->claim.taken;
        d->scheduled = s->claim.scheduled;
        *why = other;
        return verdict;
}

/* The links, the rate, then the key. The rate's headers show what is left after both. */
static enum key_verdict judge(struct submission *s, const struct judge_limits *l,
                              struct refusal *why)
{
        bool granted = judge_links(s->g, why) && judge_rate(s->g, l, &s->allowance, why);

        if (s->dispatch.job.key[0] == '\0') {
                if (granted || why->reason == REFUSED_RATE)
                        add_limit_headers(s->r, &s->tenant, &s->allowance);
                return granted ? KEY_GRANTED : KEY_REFUSED;
        }
        enum key_verdict verdict = claim(s, granted, why);
        if (verdict != KEY_GRANTED)
                s->allowance = limiter_take(s->g->limiter, &s->tenant, clock_mono(), BUCKET_LOOK);
        add_limit_headers(s->r, &s->tenant, &s->allowance);
        return verdict;
}

static void release_claim(const struct submission *s)
{
        const struct job *job = &s->dispatch.job;

        if (job->key[0] != '\0' && !s->dry_run)
                claims_end(s->g->claims, job->tenant, job->key, s->dispatch.holder, CLAIM_RELEASE);
}

static void process(struct submission *s)
{
        const struct judge_limits limits = {.tenant = &s->tenant, .trial = s->dry_run};
        struct refusal why = {0};

        if (!read_job(s, &why)) {
                refuse(s, &why);
                return;
        }
        enum key_verdict verdict = judge(s, &limits, &why);
        if (verdict == KEY_GRANTED && !judge_backlog(s->g, &limits, &why)) {
                release_claim(s);
                verdict = KEY_REFUSED;
        }
        if (verdict == KEY_REFUSED)
                refuse(s, &why);
        else if (s->dry_run)
                answer_dry(s, verdict);
        else if (verdict == KEY_REPLAYS)
                answer_replay(s);
        else
                submit(s);
}

void submit_handle(void *owner, struct http_request *r)
{
        struct gateway *g = owner;
        struct submission s = {.g = g, .r = r, .dispatch = {.g = g, .ended = on_ended, .owner = r}};

        if (!submit_query(r, &s.dry_run) || !http_body_is_json(r))
                return;
        if (s.dry_run)
                metric_increment(g->meters.dry_runs, 1);
        process(&s);
}
