/* SPDX-License-Identifier: Apache-2.0
 *
 * audited.c: collects what the audit says of a request.
 */
#include "gateway/audited.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "common/base/json_read.h"
#include "common/base/log.h"
#include "gateway/access.h"
#include "gateway/audit_line.h"
#include "gateway/core.h"
#include "gateway/origin.h"
#include "gateway/path_param.h"

enum { BY_SIZE = KEY_ID_SIZE + 8, ACT_NAME_SIZE = 32 };

/* Texts that an act borrows. */
struct facts {
        char what[ACT_NAME_SIZE];
        unsigned flags;
        char by[BY_SIZE];
        char key_tenant[TENANT_SIZE], tenant[TENANT_SIZE];
        char target[AUDIT_TARGET_SIZE], origin[ORIGIN_SIZE];
        struct buffer query;
};

static void set_caller(struct facts *f, const char *key, const char *tenant)
{
        snprintf(f->by, sizeof(f->by), "key %s", key);
        snprintf(f->key_tenant, sizeof(f->key_tenant), "%s", tenant);
}

/* Copies the text of a member of the request's body; false: it has none that fits. */
static bool body_text(const struct http_request *r, const char *member, char *out, size_t size)
{
        struct bytes body = http_body(r);
        struct scan_fault fault;
        struct scan_value v;

        if (body.length == 0 || scan_check(body, SCAN_DEPTH_MAX, &fault) != 0)
                return false;
        v = scan_root(body);
        return v.kind == SCAN_OBJECT && scan_find(v, member, &v) && json_copy_text(v, out, size);
}

/* The key that a login gives, if there is one of that id: else anybody could fill the audit. Who
 * was not let in has only claimed to be it, so that it is what was acted on. */
static void read_login(struct gateway *g, const struct http_request *r, struct facts *f)
{
        char text[KEY_TEXT_SIZE] = "", id[KEY_ID_SIZE], secret[KEY_SECRET_SIZE];
        struct key_record record;

        if (!body_text(r, "key", text, sizeof(text)) || !api_key_split(text, id, secret))
                return;
        bool is_known = control_key(g->control, id, &record);
        if (is_known && http_status(r) < 400)
                set_caller(f, id, record.tenant);
        else if (is_known)
                snprintf(f->target, sizeof(f->target), "key/%s", id);
        OPENSSL_cleanse(secret, sizeof(secret));
        OPENSSL_cleanse(text, sizeof(text));
}

/* The value of the last parameter in the pattern, whose name is copied to `name`; NULL: there is
 * none, or it cannot be what it is to be. */
static const char *last_param(const struct http_request *r, char *name, size_t size)
{
        const char *brace = strrchr(http_matched(r)->pattern, '{');

        if (brace == NULL)
                return NULL;
        snprintf(name, size, "%.*s", (int)strcspn(brace + 1, "}"), brace + 1);
        const char *value = http_param(r, name);
        return path_param_is_valid(name, value) ? value : NULL;
}

static bool is_tenant(const char *name)
{
        return name != NULL && tenant_name_is_valid(bytes_of_text(name));
}

/* The caller's own: what a tenant's key asks of another tenant is its own act, which the other does
 * not see. An admin key's: of the path, else that of the query. */
static void set_tenant(struct http_request *r, struct facts *f)
{
        const char *of_path =
                strstr(http_matched(r)->pattern, "{t}") != NULL ? http_param(r, "t") : NULL;
        const char *named = http_query(r, "tenant");

        if (f->key_tenant[0] != '\0')
                snprintf(f->tenant, sizeof(f->tenant), "%s", f->key_tenant);
        else if (is_tenant(of_path))
                snprintf(f->tenant, sizeof(f->tenant), "%s", of_path);
        else if (is_tenant(named))
                snprintf(f->tenant, sizeof(f->tenant), "%s", named);
}

static void set_target(struct http_request *r, struct facts *f)
{
        char name[16] = "", made[TENANT_SIZE] = "";
        const char *pattern = http_matched(r)->pattern;
        const char *value = last_param(r, name, sizeof(name));

        audit_target(pattern, value, f->target);
        if ((f->flags & AUDIT_NAMED) == 0 || !body_text(r, "name", made, sizeof(made)) ||
            !is_tenant(made))
                return;
        snprintf(f->target, sizeof(f->target), "tenant/%s", made);
        snprintf(f->tenant, sizeof(f->tenant), "%s", made);
}

/* A token is masked in a record: it is the id of the operation that it starts. */
static void tell_start_from_preview(const struct http_request *r, struct facts *f)
{
        char token[UUID_SIZE] = "", id[UUID_SIZE];

        if (body_text(r, "token", token, sizeof(token)) && uuid_parse(bytes_of_text(token), id)) {
                snprintf(f->target, sizeof(f->target), "operation/%s", id);
                f->flags &= ~(unsigned)AUDIT_BODY;
        } else {
                strncat(f->what, ".preview", sizeof(f->what) - strlen(f->what) - 1);
        }
}

static struct bytes without_ampersand(const struct buffer *query)
{
        return query->length > 0 ? bytes_of(query->data + 1, query->length - 1) : (struct bytes){0};
}

static void write_act(struct gateway *g, struct http_request *r, struct facts *f,
                      struct audit_act *act, struct buffer *line)
{
        (void)origin_address(g->settings->trusted_proxies, r, f->origin);
        *act = (struct audit_act){.at = clock_wall(),
                                  .by = f->by,
                                  .key_tenant = f->key_tenant,
                                  .what = f->what,
                                  .target = f->target,
                                  .tenant = f->tenant,
                                  .origin = f->origin,
                                  .gateway = g->name,
                                  .traceparent = http_traceparent(r),
                                  .query = without_ampersand(&f->query),
                                  .names_only = (f->flags & AUDIT_MEMBERS) != 0};
        if ((f->flags & (AUDIT_BODY | AUDIT_MEMBERS)) != 0)
                act->body = http_body(r);
        uuid7(act->id);
        audit_line_begin(act, &g->mask, line);
}

static void tell_end(struct gateway *g, const struct audit_act *act, int status,
                     const struct audit_outcome *o)
{
        AUTO_BUFFER line = {0};

        audit_line_end(act, clock_wall(), status, o, &line);
        audit_end(g->audit, buffer_bytes(&line));
}

/* The handler has not been called: the act was not done. */
static void refuse(struct gateway *g, struct http_request *r, const struct audit_act *act,
                   const struct err *e)
{
        LOG_WARN("an administrative act is refused: it could not be recorded",
                 log_text("act", act->what), log_text("by", act->by), log_err(e));
        metric_increment(g->meters.acts_refused, 1, "unrecorded");
        if (e->code == ERR_TIMEOUT)
                tell_end(g, act, 503, NULL);
        http_problem(r, 503, "nothing was done, because it could not be recorded: %s", e->text);
}

struct act_answer {
        const char *what;
        struct audit_outcome outcome;
};

void audited_note_answer(struct http_request *r, struct bytes answer)
{
        struct caller *caller = http_context(r);

        if (caller != NULL && caller->act != NULL)
                audit_outcome_read(caller->act->what, answer, &caller->act->outcome);
}

/* One tenant must not fill the audit. */
static struct allowance take_turn(struct gateway *g, const char *tenant)
{
        enum { BURST = 4, ADMINS = 10 };
        int64_t rate = g->settings->acts_rate * (tenant[0] == '\0' ? ADMINS : 1);
        struct tenant_record t = {
                .rate_count = rate, .rate_per = MSEC_SECOND, .burst = BURST * rate};

        snprintf(t.name, sizeof(t.name), "%s", tenant);
        return limiter_take(g->acts_limiter, &t, clock_mono(), BUCKET_TAKE);
}

/* False: answered. */
static bool may_act(struct gateway *g, struct http_request *r)
{
        const char *tenant = access_caller(r)->tenant;
        struct allowance a = take_turn(g, tenant);

        if (a.granted)
                return true;
        metric_increment(g->meters.acts_refused, 1, "rate");
        http_add_header(r, "Retry-After", "%" PRId64, (a.retry + MSEC_SECOND - 1) / MSEC_SECOND);
        http_problem(r, 429, "too many administrative acts of %s (setting acts_rate)",
                     tenant[0] != '\0' ? tenant : "admin keys");
        return false;
}

static void handle_act(struct gateway *g, struct http_request *r, const char *what, unsigned flags,
                       http_handler *handle)
{
        struct facts f = {.flags = flags};
        struct act_answer answer = {.what = what};
        struct caller *caller = http_context(r);
        AUTO_BUFFER line = {0};
        struct audit_act act;
        struct err e = {0};

        if (!may_act(g, r))
                return;
        snprintf(f.what, sizeof(f.what), "%s", what);
        set_caller(&f, access_caller(r)->key, access_caller(r)->tenant);
        set_tenant(r, &f);
        set_target(r, &f);
        if ((flags & AUDIT_PREVIEW) != 0)
                tell_start_from_preview(r, &f);
        http_query_write(r, NULL, &f.query);
        write_act(g, r, &f, &act, &line);
        if (audit_begin(g->audit, buffer_bytes(&line), &e) == 0) {
                caller->act = &answer;
                handle(g, r);
                caller->act = NULL;
                tell_end(g, &act, http_status(r), &answer.outcome);
        } else {
                refuse(g, r, &act, &e);
        }
        buffer_fini(&f.query);
}

/* A logout ends the session of a cookie: a key in the header has none. */
static void read_logout(struct gateway *g, struct http_request *r, struct facts *f)
{
        struct caller caller = {0};

        if (access_of(g, r, 0, &caller) == ACCESS_GRANTED && caller.session_ends != 0)
                set_caller(f, caller.key, caller.tenant);
}

/* Who fails needs no more than the id of a key, which is no secret: all failures have one rate. No
 * tenant has the name of its bucket. */
static bool take_failures_turn(struct gateway *g)
{
        static const struct tenant_record failures = {
                .name = "*", .rate_count = 6, .rate_per = MSEC_MINUTE, .burst = 60};

        return limiter_take(g->acts_limiter, &failures, clock_mono(), BUCKET_TAKE).granted;
}

/* One that nobody was let in by, and that names no key that there is, or came too soon after
 * another, says nothing. Of a key that logs in faster than it may act, some are enough. */
static void handle_login(struct gateway *g, struct http_request *r, const char *what,
                         http_handler *handle)
{
        struct facts f = {.flags = 0};
        AUTO_BUFFER line = {0};
        struct audit_act act;

        snprintf(f.what, sizeof(f.what), "%s", what);
        handle(g, r);
        if (strcmp(http_method(r), "DELETE") == 0)
                read_logout(g, r, &f);
        else
                read_login(g, r, &f);
        int status = http_status(r);
        if ((f.by[0] == '\0' && f.target[0] == '\0') || (status >= 400 && status != 401))
                return;
        if (f.by[0] != '\0' ? !take_turn(g, f.key_tenant).granted : !take_failures_turn(g)) {
                audit_skip(g->audit);
                return;
        }
        memcpy(f.tenant, f.key_tenant, sizeof(f.tenant));
        if (f.target[0] == '\0')
                set_target(r, &f);
        write_act(g, r, &f, &act, &line);
        audit_line_end(&act, clock_wall(), status, NULL, &line);
        audit_note(g->audit, buffer_bytes(&line));
}

void audited_handle(struct gateway *g, struct http_request *r, const char *what, unsigned flags,
                    http_handler *handle)
{
        if (http_matched(r)->scope == 0)
                handle_login(g, r, what, handle);
        else
                handle_act(g, r, what, flags, handle);
}
