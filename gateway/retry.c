/* SPDX-License-Identifier: Apache-2.0
 *
 * retry.c: the two acts on a job that its dead letter takes part in. A dead job is retried through
 * its letter, which is then `replayed`, so that two who retry it meet there; other ended jobs
 * through the primary. A job is forgotten with its letters, which hold its payload.
 */
#include "gateway/handlers.h"

#include <string.h>

#include "common/base/json_read.h"
#include "common/base/json_write.h"
#include "common/http/problem.h"
#include "gateway/forward.h"

static const char store[] = "status-store";
static const char archive[] = "dlx-monitor";
static const char *const allowed[] = {"tenant", NULL};

enum { EMPTY_DEPTH = 4 };

#define AUTO_REPLY __attribute__((cleanup(http_reply_fini))) struct http_reply

/* What is asked about: the job of the path, for the caller's tenant. */
struct asked {
        struct gateway *gateway;
        struct http_request *request;
        const char *tenant; /* "*": any, until the job is found */
        char id[UUID_SIZE];
        char found[TENANT_SIZE]; /* the job's */
};

/* False: answered. */
static bool read_asked(struct gateway *g, struct http_request *r, struct asked *a)
{
        *a = (struct asked){.gateway = g, .request = r};
        if (!uuid_parse(bytes_of_text(http_param(r, "id")), a->id)) {
                http_problem(r, 404, "there is no such job");
                return false;
        }
        a->tenant = forward_tenant(r);
        return a->tenant != NULL;
}

/* As forward_ask; service: `store` or `archive`. */
static bool ask(const struct asked *a, const char *service, const char *method, const char *path,
                struct http_reply *reply)
{
        struct gateway *g = a->gateway;
        const struct forward_call call = {.client = service == store ? g->status_store
                                                                     : g->dlx_monitor,
                                          .service = service,
                                          .method = method,
                                          .path = path};
        return forward_ask(a->request, &call, reply);
}

static void write_path(struct buffer *out, const char *before, const char *id, const char *after,
                       const char *tenant)
{
        buffer_printf(out, "/internal/v1/%s%s%stenant=", before, id, after);
        url_encode(out, tenant);
}

/* A member of an answer. False: it is not there, or no text that fits. */
static bool read_text(const struct http_reply *reply, const char *name, char *out, size_t size)
{
        struct scan_value value;
        struct scan_fault fault;
        if (scan_check(buffer_bytes(&reply->body), SCAN_DEPTH_WRAPPED, &fault) != 0)
                return false;
        return scan_find(scan_root(buffer_bytes(&reply->body)), name, &value) &&
               json_copy_text(value, out, size);
}

/* A member of an answer that is a whole number; 0: it is not there. */
static int64_t read_number(struct bytes checked, const char *name)
{
        struct scan_value value;
        int64_t number = 0;
        bool found = scan_find(scan_root(checked), name, &value) && value.kind == SCAN_NUMBER &&
                     scan_int(value, &number);
        return found ? number : 0;
}

/* What the status-store knows of the job. */
struct known_job {
        char status[16]; /* "": it is unknown */
        int64_t run;
};

/* Names the job's tenant, too: another's job of this id has letters of its own. False: answered. */
static bool read_job(struct asked *a, struct known_job *out)
{
        AUTO_BUFFER path = {0};
        AUTO_REPLY reply = {0};
        *out = (struct known_job){.run = 0};
        write_path(&path, "jobs/", a->id, "?one=true&", a->tenant);
        if (!ask(a, store, "GET", path.data, &reply))
                return false;
        if (reply.status == 200 && read_text(&reply, "tenant", a->found, sizeof(a->found)))
                a->tenant = a->found;
        if (reply.status == 200 && read_text(&reply, "status", out->status, sizeof(out->status)))
                out->run = read_number(buffer_bytes(&reply.body), "run");
        else if (reply.status != 404)
                forward_pass(a->request, store, &reply);
        return reply.status == 200 || reply.status == 404;
}

struct known_letter {
        char id[UUID_SIZE]; /* "": the job has none */
        int64_t run;
};

/* The job's newest dead letter. False: answered. */
static bool find_letter(const struct asked *a, struct known_letter *out)
{
        AUTO_BUFFER path = {0};
        AUTO_REPLY reply = {0};
        struct scan_value list = {0};
        struct scan_value id = {0};
        struct scan_fault fault;
        struct scan_item item;
        *out = (struct known_letter){.run = 0};
        write_path(&path, "dlq?job=", a->id, "&state=dead&limit=1&", a->tenant);
        if (!ask(a, archive, "GET", path.data, &reply))
                return false;
        if (reply.status != 200) {
                forward_pass(a->request, archive, &reply);
                return false;
        }
        const struct bytes body = buffer_bytes(&reply.body);
        if (scan_check(body, SCAN_DEPTH_WRAPPED, &fault) != 0 ||
            !scan_find(scan_root(body), "letters", &list) || list.kind != SCAN_ARRAY)
                return true;
        struct scan_cursor at = scan_items(list);
        if (scan_next(&at, &item) && scan_find(item.value, "id", &id) &&
            json_copy_text(id, out->id, sizeof(out->id)))
                out->run = read_number(item.value.raw, "run");
        return true;
}

/* The archive's answer, as that of a retry. */
static void answer_replayed(const struct asked *a, const struct http_reply *reply)
{
        AUTO_BUFFER out = {0};
        struct scan_value value = {0};
        char tenant[TENANT_SIZE];
        if (!read_text(reply, "tenant", tenant, sizeof(tenant))) {
                forward_pass(a->request, archive, reply);
                return;
        }
        struct scan_value root = scan_root(buffer_bytes(&reply->body));
        json_begin(&out);
        json_put_string(&out, "id", a->id);
        json_put_string(&out, "tenant", tenant);
        if (scan_find(root, "run", &value))
                json_put_raw(&out, "run", value.raw);
        json_put_string(&out, "status",
                        scan_find(root, "run_at", &value) ? "scheduled" : "pending");
        json_end(&out);
        http_answer(a->request, 202, "application/json", buffer_bytes(&out));
}

static void replay(const struct asked *a, const char *letter)
{
        AUTO_BUFFER path = {0};
        AUTO_REPLY reply = {0};
        write_path(&path, "dlq/", letter, "/requeue?", a->tenant);
        if (!ask(a, archive, "POST", path.data, &reply))
                return;
        if (reply.status == 202)
                answer_replayed(a, &reply);
        else
                forward_pass(a->request, archive, &reply);
}

/* An act without members: its body is none, or {}. False: answered. */
static bool check_empty(struct http_request *r)
{
        static const struct json_member none[] = {{.name = NULL}};
        struct scan_fault fault = {0};
        struct json_reader reader = {.fault = &fault};
        struct json_place root;
        if (http_body(r).length == 0)
                return true;
        if (!http_body_is_json(r))
                return false;
        int refused = 0;
        if (json_read_open(&reader, http_body(r), EMPTY_DEPTH, &root) != 0)
                refused = 400;
        else if (json_read_members(&reader, &root, none, NULL) != 0)
                refused = 422;
        if (refused != 0)
                http_problem_at(r, refused, &fault);
        return refused == 0;
}

void job_retry(void *owner, struct http_request *r)
{
        struct asked a;
        struct known_job job;
        struct known_letter letter = {.run = 0};
        if (!http_query_only(r, allowed) || !check_empty(r) || !read_asked(owner, r, &a) ||
            !read_job(&a, &job))
                return;
        if (strcmp(job.status, "dead") == 0 && !find_letter(&a, &letter))
                return;
        if (letter.id[0] != '\0')
                replay(&a, letter.id);
        else
                forward_to_status_store(owner, r);
}

/* False: answered. */
static bool forget_letters(const struct asked *a)
{
        AUTO_BUFFER path = {0};
        AUTO_REPLY reply = {0};
        write_path(&path, "dlq/jobs/", a->id, "?", a->tenant);
        if (!ask(a, archive, "DELETE", path.data, &reply))
                return false;
        if (reply.status < 400)
                return true;
        forward_pass(a->request, archive, &reply);
        return false;
}

/* Of a job that is unknown nobody knows the tenant: the letters of this id may be those of several.
 * False: answered. */
static bool check_tenant(const struct asked *a)
{
        if (strcmp(a->tenant, "*") != 0)
                return true;
        http_problem_of(a->request,
                        &(struct problem){.status = 409,
                                          .type = "urn:warren:problem:tenant-needed",
                                          .detail = "no job of this id is known. To delete its "
                                                    "dead letters, name the tenant: ?tenant="});
        return false;
}

/* The primary decides, and the letters go when it has forgotten the job, or knows none: what fails
 * then is repeated by the caller, and the repeat deletes them. A letter that is not archived yet
 * would stay, so the primary is told when it is. */
void job_forget(void *owner, struct http_request *r)
{
        struct asked a;
        struct known_job job;
        struct known_letter letter = {.run = 0};
        AUTO_BUFFER path = {0};
        AUTO_REPLY reply = {0};
        if (!http_query_only(r, allowed) || !read_asked(owner, r, &a) || !read_job(&a, &job) ||
            !check_tenant(&a))
                return;
        if (strcmp(job.status, "dead") == 0 && !find_letter(&a, &letter))
                return;
        bool archived = letter.id[0] != '\0' && letter.run >= job.run;
        write_path(&path, "jobs/", a.id, archived ? "?letter=archived&" : "?", a.tenant);
        if (!ask(&a, store, "DELETE", path.data, &reply))
                return;
        bool gone = reply.status == 204 || reply.status == 404;
        if (!gone || forget_letters(&a))
                forward_pass(r, store, &reply);
}
