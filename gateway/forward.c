/* SPDX-License-Identifier: Apache-2.0
 *
 * forward.c: builds the internal request and passes the answer on.
 */
#include "gateway/forward.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "gateway/authorize.h"
#include "gateway/core.h"
#include "gateway/internal_path.h"

enum { WAITING_MAX = 64, RETRY_SECONDS = 1 };
#define WAIT_MAX ((msec)60 * MSEC_SECOND)
#define ANSWER_TIMEOUT ((msec)10 * MSEC_SECOND)

static void unavailable(struct http_request *r, const char *service, const char *text)
{
        http_add_header(r, "Retry-After", "%d", RETRY_SECONDS);
        http_problem(r, 503, "%s: %s", service, text);
}

/* `instance` is the internal path in the service's problem: the public one replaces it. */
static void pass_problem(struct http_request *r, const struct http_reply *reply)
{
        json_t *problem = json_loadb(reply->body.data != NULL ? reply->body.data : "",
                                     reply->body.length, JSON_REJECT_DUPLICATES, NULL);

        if (!json_is_object(problem)) {
                json_decref(problem);
                http_problem(r, reply->status, "the internal service gave no reason");
                return;
        }
        json_object_set_new(problem, "instance", json_string(http_path(r)));
        char *text = json_dumps(problem, JSON_COMPACT);
        json_decref(problem);
        http_answer(r, reply->status, "application/problem+json", bytes_of_text(text));
        free(text);
}

static void pass(struct http_request *r, const char *service, const struct http_reply *reply)
{
        if (reply->status == 401) {
                LOG_ERROR("an internal service refuses the internal token",
                          log_text("service", service));
                unavailable(r, service, "refuses the internal token of this gateway");
                return;
        }
        if (reply->retry_after >= 0)
                http_add_header(r, "Retry-After", "%" PRId64, reply->retry_after / MSEC_SECOND);
        else if (reply->status == 503 || reply->status == 429)
                http_add_header(r, "Retry-After", "%d", RETRY_SECONDS);
        if (reply->status >= 400)
                pass_problem(r, reply);
        else if (reply->body.length == 0)
                http_answer_empty(r, reply->status);
        else
                http_answer(r, reply->status,
                            reply->content_type[0] != '\0' ? reply->content_type
                                                           : "application/json",
                            buffer_bytes(&reply->body));
}

struct forwarding {
        struct http_client *client;
        const char *service;
        const char *tenant;
        msec timeout;
};

static void make_call(struct http_request *r, const struct forwarding *to)
{
        AUTO_BUFFER path = {0};
        char trace[96];
        char by[64];
        const char *const headers[] = {trace, by, NULL};
        struct http_reply reply = {0};
        struct err e = {0};

        internal_path_write(r, to->tenant, &path);
        snprintf(trace, sizeof(trace), "traceparent: %s", http_traceparent(r));
        snprintf(by, sizeof(by), "Warren-By: key %s", authorized_caller(r)->key);
        bool head = strcmp(http_method(r), "HEAD") == 0;
        struct http_call call = {.method = head ? "GET" : http_method(r),
                                 .path = path.data,
                                 .headers = headers,
                                 .timeout = to->timeout};
        if (http_body(r).length > 0)
                call.body = http_body(r);
        if (http_client_call(to->client, &call, &reply, &e) == 0) {
                pass(r, to->service, &reply);
        } else {
                LOG_WARN("an internal service does not answer", log_text("service", to->service),
                         log_err(&e));
                unavailable(r, to->service, e.text);
        }
        http_reply_fini(&reply);
}

/* The caller must be allowed to see the tenant that ?tenant= names. */
static bool may_see(struct http_request *r, struct forwarding *to)
{
        const char *named = http_query(r, "tenant");

        if (named != NULL && strcmp(named, "*") != 0 &&
            !tenant_name_is_valid(bytes_of_text(named))) {
                http_problem(r, 400, "the query parameter \"tenant\" is no valid tenant name");
                return false;
        }
        to->tenant = access_tenant(authorized_caller(r), named);
        if (to->tenant == NULL) {
                http_problem(r, 403, "this key belongs to another tenant");
                return false;
        }
        return true;
}

/* A text that cannot be an id or a name is answered 404. */
static bool ids_are_valid(struct http_request *r)
{
        if (internal_path_params_are_valid(r))
                return true;
        http_problem(r, 404, "there is nothing with that id or name");
        return false;
}

static void forward(struct http_request *r, struct forwarding *to)
{
        if (!ids_are_valid(r) || !may_see(r, to))
                return;
        if (http_body(r).length > 0 && !http_body_is_json(r))
                return;
        make_call(r, to);
}

static struct forwarding to_status_store(struct gateway *g)
{
        return (struct forwarding){
                .client = g->status_store, .service = "status-store", .timeout = ANSWER_TIMEOUT};
}

void forward_to_status_store(void *owner, struct http_request *r)
{
        struct forwarding to = to_status_store(owner);

        forward(r, &to);
}

void forward_to_dlx_monitor(void *owner, struct http_request *r)
{
        struct gateway *g = owner;
        struct forwarding to = {
                .client = g->dlx_monitor, .service = "dlx-monitor", .timeout = ANSWER_TIMEOUT};

        forward(r, &to);
}

void forward_job(void *owner, struct http_request *r)
{
        struct gateway *g = owner;
        struct forwarding to = to_status_store(g);
        const char *text = http_query(r, "wait");
        struct err e = {0};
        msec wait = 0;

        if (text == NULL) {
                forward(r, &to);
                return;
        }
        if (duration_parse(text, &wait, &e) < 0 || wait > WAIT_MAX) {
                http_problem(r, 400, "wait must be " DURATION_FORM ", at most 60s");
                return;
        }
        if (atomic_fetch_add(&g->waiting, 1) < WAITING_MAX) {
                to.timeout += wait;
                forward(r, &to);
        } else {
                unavailable(r, "gateway", "too many requests with ?wait at once");
        }
        atomic_fetch_sub(&g->waiting, 1);
}
