/* SPDX-License-Identifier: Apache-2.0
 *
 * routes.c: dead letters over HTTP: lists, groups, one, and its replay.
 */
#include "dlx-monitor/routes.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json_write.h"
#include "common/http/mask_param.h"
#include "dlx-monitor/edit.h"
#include "dlx-monitor/letters.h"

enum { EDIT_BODY_MAX = 1024 * 1024 + 4096 };

bool api_authorize(void *owner, struct http_request *r, const struct http_route *route)
{
        static const char scheme[] = "Bearer ";
        const struct api *api = owner;
        const char *given = http_header(r, "Authorization");
        size_t length = strlen(api->token);

        (void)route;
        if (given != NULL && strlen(given) == sizeof(scheme) - 1 + length &&
            memcmp(given, scheme, sizeof(scheme) - 1) == 0 &&
            CRYPTO_memcmp(given + sizeof(scheme) - 1, api->token, length) == 0)
                return true;
        http_add_header(r, "WWW-Authenticate", "Bearer");
        http_problem(r, 401, "the internal token is missing or wrong");
        return false;
}

/* Every call must name a tenant, or * for all (NULL). */
static bool read_tenant(struct http_request *r, const char **tenant)
{
        *tenant = http_query(r, "tenant");
        bool all = *tenant != NULL && strcmp(*tenant, "*") == 0;
        if (!all && (*tenant == NULL || !tenant_name_is_valid(bytes_of_text(*tenant)))) {
                http_problem(r, 400, "tenant: a tenant's name, or * for all, is required");
                return false;
        }
        if (all)
                *tenant = NULL;
        return true;
}

static bool read_limit(struct http_request *r, int64_t *limit)
{
        const char *text = http_query(r, "limit");
        char *end = NULL;

        *limit = LETTERS_LIMIT_DEFAULT;
        if (text == NULL)
                return true;
        long value = text[0] >= '0' && text[0] <= '9' ? strtol(text, &end, 10) : 0;
        if (end == NULL || *end != '\0' || value < 1 || value > LETTERS_LIMIT_MAX) {
                http_problem(r, 400, "limit: must be 1 to %d", LETTERS_LIMIT_MAX);
                return false;
        }
        *limit = value;
        return true;
}

/* Reads an id in canonical form. True also when it is absent: *out is NULL then. */
static bool read_id(struct http_request *r, const char *name, char id[UUID_SIZE], const char **out)
{
        const char *text = http_query(r, name);

        *out = NULL;
        if (text == NULL)
                return true;
        if (!uuid_parse(bytes_of_text(text), id)) {
                http_problem(r, 400, "%s: not an id", name);
                return false;
        }
        *out = id;
        return true;
}

static bool check_words(struct http_request *r, const struct letter_filter *f)
{
        bool is_state = f->state == NULL || strcmp(f->state, "dead") == 0 ||
                        strcmp(f->state, "replayed") == 0 || strcmp(f->state, "discarded") == 0;
        enum reason reason;

        if (!is_state) {
                http_problem(r, 400, "state: must be dead, replayed or discarded");
                return false;
        }
        if (f->reason != NULL && !reason_parse(bytes_of_text(f->reason), &reason)) {
                http_problem(r, 400, "reason: no such reason");
                return false;
        }
        return true;
}

struct ids {
        char job[UUID_SIZE], cursor[UUID_SIZE];
};

/* False: answered. */
static bool read_filter(struct http_request *r, struct letter_filter *f, struct ids *ids)
{
        static const char *const names[] = {"tenant", "job",   "type",   "reason", "state", "group",
                                            "q",      "limit", "cursor", "mask",   NULL};
        struct mask_words mask;

        *f = (struct letter_filter){0};
        if (!http_query_only(r, names) || !mask_param_read(r, &mask) ||
            !read_tenant(r, &f->tenant) || !read_limit(r, &f->limit) ||
            !read_id(r, "job", ids->job, &f->job) || !read_id(r, "cursor", ids->cursor, &f->cursor))
                return false;
        f->type = http_query(r, "type");
        f->reason = http_query(r, "reason");
        f->state = http_query(r, "state");
        f->group = http_query(r, "group");
        f->q = http_query(r, "q");
        f->mask = mask.count > 0 ? http_query(r, "mask") : NULL;
        if (f->q != NULL && f->q[0] == '\0')
                f->q = NULL;
        return check_words(r, f);
}

static void answer(struct http_request *r, int result, const struct buffer *body,
                   const struct err *e)
{
        if (result == 0)
                http_answer(r, 200, "application/json", buffer_bytes(body));
        else
                http_problem_err(r, e);
}

static void get_letters(void *owner, struct http_request *r)
{
        const struct api *api = owner;
        AUTO_BUFFER body = {0};
        struct letter_filter filter;
        struct err e = {0};
        struct ids ids;

        if (read_filter(r, &filter, &ids))
                answer(r, letters_list(api->archive, &filter, &body, &e), &body, &e);
}

static void get_groups(void *owner, struct http_request *r)
{
        const struct api *api = owner;
        AUTO_BUFFER body = {0};
        struct letter_filter filter;
        struct err e = {0};
        struct ids ids;

        if (!read_filter(r, &filter, &ids))
                return;
        if (filter.cursor != NULL)
                http_problem(r, 400, "cursor: groups have one page only");
        else
                answer(r, letters_groups(api->archive, &filter, &body, &e), &body, &e);
}

/* Reads the letter's id in the path. False: answered; with 404 when it is not an id. */
static bool read_letter(struct http_request *r, char id[UUID_SIZE], const char **tenant)
{
        static const char *const reads[] = {"tenant", "mask", NULL}, *const acts[] = {"tenant",
                                                                                      NULL};
        bool is_read = strcmp(http_matched(r)->method, "GET") == 0;

        if (!http_query_only(r, is_read ? reads : acts) || !read_tenant(r, tenant))
                return false;
        if (uuid_parse(bytes_of_text(http_param(r, "id")), id))
                return true;
        http_problem(r, 404, "no such dead letter");
        return false;
}

void letters_forget(void *owner, struct http_request *r)
{
        const struct api *api = owner;
        char job[UUID_SIZE];
        const char *tenant;
        struct err e = {0};

        if (!read_letter(r, job, &tenant))
                return;
        if (archive_forget_job(api->archive, job, tenant, &e) == 0)
                http_answer_empty(r, 204);
        else
                http_problem_err(r, &e);
}

static void get_letter(void *owner, struct http_request *r)
{
        const struct api *api = owner;
        AUTO_BUFFER body = {0};
        char id[UUID_SIZE];
        const char *tenant;
        struct mask_words mask;
        struct err e = {0};

        if (!mask_param_read(r, &mask) || !read_letter(r, id, &tenant))
                return;
        const struct letter_asked asked = {.id = id, .tenant = tenant, .mask = &mask};
        answer(r, letters_get(api->archive, &asked, &body, &e), &body, &e);
}

static void answer_replayed(struct http_request *r, const char *id,
                            const struct replay_result *result)
{
        AUTO_BUFFER body = {0};

        json_begin(&body);
        json_put_string(&body, "id", id);
        json_put_string(&body, "job_id", result->job_id);
        json_put_string(&body, "tenant", result->tenant);
        json_put_int(&body, "run", result->run);
        json_put_string(&body, "state", result->confirmed ? "replayed" : "replaying");
        if (result->run_at > 0)
                json_put_time(&body, "run_at", result->run_at);
        json_end(&body);
        http_answer(r, 202, "application/json", buffer_bytes(&body));
}

static void requeue_letter(void *owner, struct http_request *r)
{
        const struct api *api = owner;
        struct bytes body = http_body(r);
        struct replay_result result;
        struct scan_fault fault;
        char id[UUID_SIZE];
        const char *tenant;
        struct err e = {0};
        struct replay_edit edit;

        if (!read_letter(r, id, &tenant) || (body.length > 0 && !http_body_is_json(r)))
                return;
        int refused = edit_parse(body, clock_wall(), &edit, &fault);
        if (refused != 0)
                http_problem_at(r, refused, &fault);
        else if (replayer_replay(api->replayer, id, tenant, &edit, &result, &e) == 0)
                answer_replayed(r, id, &result);
        else
                http_problem_err(r, &e);
}

const struct http_route dlx_monitor_routes[] = {
        {"GET", "/internal/v1/dlq", .handle = get_letters},
        {"GET", "/internal/v1/dlq/groups", .handle = get_groups},
        {"GET", "/internal/v1/dlq/{id}", .handle = get_letter},
        {"POST", "/internal/v1/dlq/{id}/requeue", requeue_letter, .body_max = EDIT_BODY_MAX},
        {"DELETE", "/internal/v1/dlq/jobs/{id}", .handle = letters_forget},
        {"GET", "/internal/v1/health", .handle = health_get},
        {0},
};
