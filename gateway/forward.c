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
#include "common/base/uuid.h"
#include "common/http/problem.h"
#include "common/model/record.h"
#include "gateway/access.h"
#include "gateway/audited.h"
#include "gateway/core.h"
#include "gateway/handlers.h"
#include "gateway/path_param.h"

enum { WAITING_MAX = 64 };
#define WAIT_MAX ((msec)60 * MSEC_SECOND)
#define ANSWER_TIMEOUT ((msec)10 * MSEC_SECOND)

static const char public_prefix[] = "/api/v1";
static const char internal_prefix[] = "/internal/v1";

struct forwarding {
        const struct mask_words *mask; /* for callers who may not operate */
        struct http_client *client;
        const char *service;
        msec timeout;
        const char *more; /* appended to the query; NULL: nothing */
        const char *file; /* the answer is for a file of this name; NULL: it is not */
        bool locates;     /* a header Location of the answer is passed on */
};

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

void forward_pass(struct http_request *r, const char *service, const struct http_reply *reply)
{
        if (reply->status == 401) {
                LOG_ERROR("an internal service refuses the internal token",
                          log_text("service", service));
                http_problem(r, 503, "%s: refuses the internal token of this gateway", service);
                return;
        }
        if (reply->retry_after >= 0)
                http_add_header(r, "Retry-After", "%" PRId64, reply->retry_after / MSEC_SECOND);
        else if (reply->status == 503 || reply->status == 429)
                http_add_header(r, "Retry-After", "1");
        if (reply->kept[0] != '\0')
                http_add_header(r, "Warren-Masked", "%s", reply->kept);
        audited_note_answer(r, buffer_bytes(&reply->body));
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

/* Writes /internal/v1/…, encoded anew from the decoded request, so that gateway and service cannot
 * read it in two ways. False: a parameter cannot be an id or a name. */
static bool write_path(const struct http_request *r, struct buffer *out)
{
        const char *at = http_matched(r)->pattern;
        char name[16];

        assert(strncmp(at, public_prefix, sizeof(public_prefix) - 1) == 0);
        buffer_add_text(out, internal_prefix);
        for (at += sizeof(public_prefix) - 1; *at != '\0'; at++) {
                if (*at != '{') {
                        buffer_add_char(out, *at);
                        continue;
                }
                size_t length = strcspn(++at, "}");
                snprintf(name, sizeof(name), "%.*s", (int)length, at);
                if (!path_param_is_valid(name, http_param(r, name)))
                        return false;
                url_encode(out, http_param(r, name));
                at += length;
        }
        return true;
}

const char *forward_tenant(struct http_request *r)
{
        const char *named = http_query(r, "tenant");

        if (named != NULL && strcmp(named, "*") != 0 &&
            !tenant_name_is_valid(bytes_of_text(named))) {
                http_problem(r, 400, "the query parameter \"tenant\" is no valid tenant name");
                return NULL;
        }
        const char *tenant = access_tenant(access_caller(r), named);
        if (tenant == NULL)
                http_problem(r, 403, "this API key belongs to another tenant");
        return tenant;
}

/* A service that got the call of an act may have begun it. */
static void refuse_unanswered(struct http_request *r, const struct http_call *call,
                              const char *service, bool sent, const struct err *why)
{
        bool reads = strcmp(call->method, "GET") == 0;
        json_auto_t *members = json_object();
        char detail[sizeof(why->text) + 64];

        if (sent && !reads)
                json_object_set_new(members, "accepted", json_string("unknown"));
        snprintf(detail, sizeof(detail), "%s: %s", service, why->text);
        http_problem_of(r, &(struct problem){.status = 503, .detail = detail, .members = members});
}

/* False: it did not answer: answered with 503. */
static bool make_call(struct http_request *r, const struct forwarding *to,
                      const struct http_call *given, struct http_reply *reply)
{
        struct http_call call = *given;
        char trace[96];
        char by[64];
        const char *const headers[] = {trace, by, NULL};
        struct err e = {0};

        snprintf(trace, sizeof(trace), "traceparent: %s", http_traceparent(r));
        snprintf(by, sizeof(by), "Warren-By: key %s", access_caller(r)->key);
        call.headers = headers;
        call.timeout = to->timeout;
        if (http_client_call(to->client, &call, reply, &e) == 0)
                return true;
        LOG_WARN("an internal service does not answer", log_text("service", to->service),
                 log_err(&e));
        refuse_unanswered(r, &call, to->service, reply->sent, &e);
        return false;
}

/* Services know their internal paths alone. */
static void pass_location(struct http_request *r, const struct forwarding *to,
                          struct http_reply *reply)
{
        const size_t prefix = sizeof(internal_prefix) - 1;

        if (!to->locates)
                return;
        if (strncmp(reply->kept, internal_prefix, prefix) == 0)
                http_add_header(r, "Location", "%s%s", public_prefix, reply->kept + prefix);
        reply->kept[0] = '\0';
}

static void pass_call(struct http_request *r, const struct forwarding *to, const char *path)
{
        struct http_reply reply = {0};
        bool head = strcmp(http_method(r), "HEAD") == 0;
        struct http_call call = {.method = head ? "GET" : http_method(r),
                                 .path = path,
                                 .keep_header = to->locates ? "Location" : "Warren-Masked"};

        if (http_body(r).length > 0)
                call.body = http_body(r);
        if (make_call(r, to, &call, &reply)) {
                if (to->file != NULL && reply.status == 200)
                        http_add_header(r, "Content-Disposition", "attachment; filename=\"%s\"",
                                        to->file);
                pass_location(r, to, &reply);
                forward_pass(r, to->service, &reply);
        }
        http_reply_fini(&reply);
}

bool forward_ask(struct http_request *r, const struct forward_call *c, struct http_reply *reply)
{
        const struct forwarding to = {
                .client = c->client, .service = c->service, .timeout = ANSWER_TIMEOUT};
        struct http_call call = {.method = c->method, .path = c->path};

        if (c->body.length > 0)
                call.body = c->body;
        if (!make_call(r, &to, &call, reply))
                return false;
        if (reply->status != 401)
                return true;
        forward_pass(r, c->service, reply);
        return false;
}

/* A service that does not know the parameter refuses it. So a route that was forgotten shows
 * nothing, instead of too much. */
static void add_mask(const struct http_request *r, const struct mask_words *mask,
                     struct buffer *path)
{
        bool reads = strcmp(http_matched(r)->method, "GET") == 0;

        if (!reads || access_may_operate(access_caller(r)))
                return;
        for (size_t i = 0; i < mask->count; i++) {
                buffer_add_text(path, i == 0 ? "&mask=" : ",");
                url_encode(path, mask->words[i]);
        }
}

/* A parameter of the internal paths alone. False: the client gave it; answered. */
static bool is_absent(struct http_request *r, const char *name)
{
        if (http_query(r, name) == NULL)
                return true;
        http_problem(r, 400, "the query parameter \"%s\" is not known here", name);
        return false;
}

static void forward(struct http_request *r, const struct forwarding *to)
{
        AUTO_BUFFER path = {0};

        if (!is_absent(r, "mask"))
                return;
        if (!write_path(r, &path)) {
                http_problem(r, 404, "there is nothing with that id or name");
                return;
        }
        const char *tenant = forward_tenant(r);
        if (tenant == NULL || (http_body(r).length > 0 && !http_body_is_json(r)))
                return;
        buffer_add_text(&path, "?tenant=");
        url_encode(&path, tenant);
        http_query_write(r, "tenant", &path);
        add_mask(r, to->mask, &path);
        if (to->more != NULL)
                buffer_add_text(&path, to->more);
        pass_call(r, to, path.data);
}

static struct forwarding to_status_store(const struct gateway *g)
{
        return (struct forwarding){.mask = &g->mask,
                                   .client = g->status_store,
                                   .service = "status-store",
                                   .timeout = ANSWER_TIMEOUT};
}

void forward_to_status_store(void *owner, struct http_request *r)
{
        const struct forwarding to = to_status_store(owner);

        forward(r, &to);
}

void forward_operation(void *owner, struct http_request *r)
{
        struct forwarding to = to_status_store(owner);

        to.locates = true;
        forward(r, &to);
}

void forward_audit(void *owner, struct http_request *r)
{
        struct forwarding to = to_status_store(owner);

        if (!is_absent(r, "view"))
                return;
        if (access_caller(r)->tenant[0] != '\0')
                to.more = "&view=tenant";
        forward(r, &to);
}

void forward_to_dlx_monitor(void *owner, struct http_request *r)
{
        const struct gateway *g = owner;

        forward(r, &(struct forwarding){.mask = &g->mask,
                                        .client = g->dlx_monitor,
                                        .service = "dlx-monitor",
                                        .timeout = ANSWER_TIMEOUT});
}

void forward_job(void *owner, struct http_request *r)
{
        struct gateway *g = owner;
        struct forwarding to = to_status_store(g);
        const char *text = http_query(r, "wait");
        struct err e = {0};
        msec wait = 0;

        if (!is_absent(r, "one"))
                return;
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
                http_problem(r, 503, "gateway: too many requests with ?wait at once");
        }
        atomic_fetch_sub(&g->waiting, 1);
}

/* By the job's id, which a file name may be made of. */
void forward_payload(void *owner, struct http_request *r)
{
        struct forwarding to = to_status_store(owner);
        char id[UUID_SIZE] = "";
        char file[UUID_SIZE + sizeof(".json")];

        (void)uuid_parse(bytes_of_text(http_param(r, "id")), id);
        snprintf(file, sizeof(file), "%s.json", id);
        to.file = file;
        forward(r, &to);
}
