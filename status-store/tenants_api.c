/* SPDX-License-Identifier: Apache-2.0
 *
 * tenants_api.c: the routes of tenants; only the primary serves them. A change is
 * committed to the registry, then declared at the broker, then published. If a step fails, the
 * provisioning thread repeats it.
 */
#include <string.h>

#include "common/base/log.h"
#include "common/base/secret.h"
#include "status-store/api.h"
#include "status-store/jobs/lookup.h"
#include "status-store/key_list.h"
#include "status-store/tenant_body.h"

enum {
        CURRENT_WAIT = 5000, /* ms for the projection to become current; the gateway waits 10 s */
        CURRENT_RETRY_S = 5,
};

static bool is_true(struct http_request *r, const char *parameter)
{
        const char *value = http_query(r, parameter);
        return value != NULL && strcmp(value, "true") == 0;
}

static int add_tenant(void *owner, const struct tenant *t, struct err *e)
{
        (void)e;
        if (!t->record.deleted)
                json_array_append_new(owner, tenant_json(t));
        return 0;
}

void tenants_list(void *owner, struct http_request *r)
{
        struct api *a = owner;
        struct err why = {0};
        if (!api_is_primary(a, r))
                return;
        json_auto_t *list = json_array();
        if (registry_each_tenant(a->registry, WHICH_ALL, add_tenant, list, &why) == 0)
                http_answer_json(r, 200, json_pack("{s:O}", "tenants", list));
        else
                http_problem_err(r, &why);
}

/* The tenant's jobs by status, as the projection has them. */
static int count_jobs(struct api *a, const char *tenant, int64_t jobs[STATUS_COUNT], struct err *e)
{
        AUTO_READER *reader = readers_take(a->readers, e);
        if (reader == NULL)
                return -1;
        AUTO_RESET *counts = reader_query(reader, counts_sql, DB_VALUES(value_text(tenant)), e);
        int more = 0;
        while ((more = db_step(counts, e)) == 1) {
                int state = sqlite3_column_int(counts, 3);
                if (state >= 0 && state < STATUS_COUNT)
                        jobs[state] += sqlite3_column_int64(counts, 4);
        }
        return more;
}

void tenants_get(void *owner, struct http_request *r)
{
        struct api *a = owner;
        struct tenant t;
        struct err why = {0};
        if (!api_is_primary(a, r) || !api_find_tenant(a, r, &t))
                return;
        json_auto_t *keys = key_list(a->registry, a->key_uses, t.record.name, &why);
        int64_t jobs[STATUS_COUNT] = {0};
        if (keys == NULL || count_jobs(a, t.record.name, jobs, &why) != 0) {
                http_problem_err(r, &why);
                return;
        }
        http_answer_json(r, 200,
                         json_pack("{s:o, s:O, s:{s:I, s:I}}", "tenant", tenant_json(&t), "keys",
                                   keys, "used", "running", (json_int_t)jobs[STATUS_RUNNING],
                                   "pending", (json_int_t)jobs[STATUS_PENDING]));
}

static json_t *make_login(struct api *a, const struct tenant *t, struct err *e)
{
        char password[SECRET_RANDOM_SIZE];
        secret_random(password);
        if (tenant_logins_make(&a->logins, t->record.name, password, e) != 0)
                return NULL;
        return json_pack("{s:o, s:o, s:s}", "exchange", json_sprintf("jobs.%s", t->record.name),
                         "login", json_sprintf("tenant-%s", t->record.name), "password", password);
}

/* Makes or deletes the broker login of a tenant that is noted as unsure. Returns a new reference:
 * the login, JSON null when there is none now, NULL on failure. */
static json_t *apply_login(struct api *a, struct tenant *t, bool wanted, struct err *e)
{
        json_t *login = json_null();
        if (wanted)
                login = make_login(a, t, e);
        else if (tenant_logins_delete(&a->logins, t->record.name, e) != 0)
                login = NULL;
        if (login == NULL || registry_note_login(a->registry, t->record.name,
                                                 wanted ? LOGIN_THERE : LOGIN_NONE, e) != 0) {
                json_decref(login);
                return NULL;
        }
        t->amqp_login = wanted;
        t->login_unsure = false;
        return login;
}

/* Waits for the tokens of a changed tenant, which gets the versions of now. The status: `status`,
 * or 202 when they are not there yet. */
static int await_slots(struct api *a, struct tenant *t, int status)
{
        struct err ignored = {0};
        struct tenant now;
        status = api_await(a, RECORD_TENANT, t->record.name, status);
        if (registry_tenant(a->registry, t->record.name, &now, &ignored) == 1)
                t->record.slots_version = now.record.slots_version;
        return status;
}

/* Makes what a tenant needs besides its row: key, queues, login, and its record unless it waits for
 * tokens. */
static int complete_tenant(struct api *a, struct tenant *t, json_t *answer, struct err *e)
{
        char text[KEY_TEXT_SIZE];
        struct key key = {.record.scopes = SCOPE_SUBMIT | SCOPE_READ | SCOPE_OPERATE};
        memcpy(key.record.tenant, t->record.name, sizeof(key.record.tenant));
        if (registry_add_key(a->registry, &key, text, e) != 0)
                return -1;
        json_object_set_new(answer, "key", json_string(text));
        if (provisioning_apply(a->provisioning, t->record.name, e) != 0 ||
            provisioning_apply_keys(a->provisioning, t->record.name, e) != 0)
                return -1;
        if (t->login_unsure) {
                json_t *login = apply_login(a, t, true, e);
                if (login == NULL)
                        return -1;
                json_object_set_new(answer, "amqp", login);
        }
        return 0;
}

/* If a step fails, the caller has not got its key, and its login may not exist: then all is undone,
 * so that the caller can try again. */
static int create_tenant(struct api *a, struct tenant *t, enum name_use use, json_t *answer,
                         struct err *e)
{
        struct err ignored = {0};
        const char *name = t->record.name;
        if ((t->amqp_login && tenant_logins_check(&a->logins, e) != 0) ||
            registry_add_tenant(a->registry, t, a->tenants_max, use, e) != 0)
                return -1;
        if (complete_tenant(a, t, answer, e) == 0) {
                LOG_INFO("tenant created", log_text("tenant", name));
                return 0;
        }
        LOG_WARN("tenant not created", log_text("tenant", name), log_err(e));
        if (registry_delete_tenant(a->registry, name, 0, &ignored) != 0)
                LOG_WARN("the creation of a tenant was not undone", log_text("tenant", name),
                         log_err(&ignored));
        provisioning_wake(a->provisioning);
        return -1;
}

/* Changes *t as the body says. False: answered. */
static bool read_body(struct http_request *r, enum body_kind kind, struct tenant *t)
{
        struct scan_fault fault = {0};
        int refused = tenant_body_read(http_body(r), kind, t, &fault);
        if (refused != 0)
                http_problem_at(r, refused, &fault);
        return refused == 0;
}

void tenants_create(void *owner, struct http_request *r)
{
        static const char *const allowed[] = {"reuse", "tenant", NULL};
        struct api *a = owner;
        struct tenant t = {.record = tenant_record_default};
        struct err why = {0};
        if (!http_query_only(r, allowed) || !api_may_change(a, r) || !http_body_is_json(r) ||
            !read_body(r, BODY_NEW_TENANT, &t))
                return;
        t.login_unsure = t.amqp_login;
        enum name_use use = is_true(r, "reuse") ? NAME_REUSED : NAME_NEW;
        AUTO_CHANGE *changing = api_change_begin(a);
        json_auto_t *answer = json_object();
        if (create_tenant(a, &t, use, answer, &why) != 0) {
                http_problem_err(r, &why);
                return;
        }
        api_change_end(&changing);
        int status = await_slots(a, &t, 201);
        json_object_set_new(answer, "tenant", tenant_json(&t));
        http_answer_json(r, status, json_incref(answer));
}

/* Commits a changed tenant and publishes it. */
static int change_tenant(struct api *a, struct tenant *t, struct err *e)
{
        if (registry_change_tenant(a->registry, t, e) != 0)
                return -1;
        return provisioning_apply(a->provisioning, t->record.name, e);
}

void tenants_patch(void *owner, struct http_request *r)
{
        struct api *a = owner;
        struct tenant t;
        struct err why = {0};
        AUTO_CHANGE *changing = api_change_begin(a);
        if (!api_may_change(a, r) || !http_body_is_json(r) || !api_find_tenant(a, r, &t))
                return;
        bool had_login = t.amqp_login;
        bool unsure = t.login_unsure && tenant_logins_check(&a->logins, &why) == 0;
        err_clear(&why);
        if (!read_body(r, BODY_TENANT_CHANGE, &t))
                return;
        bool wanted = t.amqp_login;
        bool changes_login = unsure || wanted != had_login;
        t.login_unsure |= changes_login;
        json_auto_t *login = NULL;
        if ((changes_login && tenant_logins_check(&a->logins, &why) != 0) ||
            change_tenant(a, &t, &why) != 0 ||
            (changes_login && (login = apply_login(a, &t, wanted, &why)) == NULL)) {
                http_problem_err(r, &why);
                return;
        }
        api_change_end(&changing);
        int status = await_slots(a, &t, 200);
        json_t *answer = json_pack("{s:o}", "tenant", tenant_json(&t));
        if (login != NULL && !json_is_null(login))
                json_object_set(answer, "amqp", login);
        http_answer_json(r, status, answer);
}

/* Waits until the projection has everything that was in the stream when the request came: open_jobs
 * would miss jobs that are not folded yet. False: answered. */
static bool await_projection(struct api *a, struct http_request *r)
{
        char marker[UUID_SIZE];
        struct err why = {0};
        if (provisioning_publish_marker(a->provisioning, marker, &why) != 0) {
                http_problem_err(r, &why);
                return false;
        }
        if (markers_await(a->markers, marker, clock_mono() + CURRENT_WAIT))
                return true;
        http_add_header(r, "Retry-After", "%d", CURRENT_RETRY_S);
        http_problem(
                r, 503,
                "the status-store has not read the event stream to its end, so there may be jobs"
                " that have not ended; try again, or ?force=true drops them");
        return false;
}

/* How many jobs have not ended: they would be lost with the queues. -1 on failure. */
static int64_t open_jobs(struct api *a, const char *tenant, struct err *e)
{
        AUTO_READER *reader = readers_take(a->readers, e);
        if (reader == NULL)
                return -1;
        AUTO_RESET *counts = reader_query(reader, counts_sql, DB_VALUES(value_text(tenant)), e);
        int64_t open = 0;
        int more = 0;
        while ((more = db_step(counts, e)) == 1) {
                int state = sqlite3_column_int(counts, 3);
                /* A hidden job may be in its queue all the same; it is shown when it starts. */
                bool ended = state != STATE_HIDDEN && status_is_ended((enum status)state);
                open += ended ? 0 : sqlite3_column_int64(counts, 4);
        }
        return more < 0 ? -1 : open;
}

static int tell_changed(void *owner, const struct key *k, struct err *e)
{
        struct api *a = owner;
        (void)e;
        key_uses_changed(a->key_uses, k->record.id);
        return 0;
}

/* Deletes the login first: one left behind could publish as the next tenant of that name. */
static int delete_tenant(struct api *a, struct tenant *t, struct err *e)
{
        if (t->amqp_login || t->login_unsure) {
                if (tenant_logins_check(&a->logins, e) != 0 ||
                    registry_note_login(a->registry, t->record.name, LOGIN_UNSURE, e) != 0 ||
                    apply_login(a, t, false, e) == NULL)
                        return -1;
        }
        if (registry_delete_tenant(a->registry, t->record.name, clock_wall(), e) != 0 ||
            registry_each_key(a->registry, WHICH_ALL, t->record.name, tell_changed, a, e) != 0)
                return -1;
        if (provisioning_apply(a->provisioning, t->record.name, e) != 0)
                return -1;
        return provisioning_apply_keys(a->provisioning, t->record.name, e);
}

void tenants_delete(void *owner, struct http_request *r)
{
        static const char *const allowed[] = {"force", "tenant", NULL};
        struct api *a = owner;
        struct tenant t;
        struct err why = {0};
        bool force = is_true(r, "force");
        if (!http_query_only(r, allowed) || !api_may_change(a, r) || !api_find_tenant(a, r, &t) ||
            (!force && !await_projection(a, r)))
                return;
        AUTO_CHANGE *changing = api_change_begin(a);
        if (!api_find_tenant(a, r, &t))
                return;
        int64_t open = force ? 0 : open_jobs(a, t.record.name, &why);
        if (open > 0) {
                http_problem(r, 409,
                             "tenant %s has %lld jobs that have not ended; ?force=true drops them",
                             t.record.name, (long long)open);
                return;
        }
        if (open < 0 || delete_tenant(a, &t, &why) != 0) {
                http_problem_err(r, &why);
                return;
        }
        LOG_INFO("tenant deleted", log_text("tenant", t.record.name));
        http_answer_empty(r, 204);
}

/* New tokens, for when those of the last version were lost. */
void tenants_slots(void *owner, struct http_request *r)
{
        struct api *a = owner;
        struct tenant t;
        struct err why = {0};
        AUTO_CHANGE *changing = api_change_begin(a);
        if (!api_may_change(a, r) || !api_find_tenant(a, r, &t))
                return;
        if (t.record.max_running == RECORD_UNLIMITED) {
                http_problem(r, 409, "tenant %s has no running limit, and so no slots",
                             t.record.name);
                return;
        }
        t.record.slots_version = 0;
        if (change_tenant(a, &t, &why) != 0) {
                http_problem_err(r, &why);
                return;
        }
        api_change_end(&changing);
        int status = await_slots(a, &t, 202);
        http_answer_json(r, status, json_pack("{s:o}", "tenant", tenant_json(&t)));
}

static void set_paused(struct api *a, struct http_request *r, bool paused)
{
        struct tenant t;
        struct err why = {0};
        if (!api_body_is_empty(r))
                return;
        AUTO_CHANGE *changing = api_change_begin(a);
        if (!api_may_change(a, r) || !api_find_tenant(a, r, &t))
                return;
        bool changes = t.record.paused != paused;
        t.record.paused = paused;
        if (changes && paused) {
                t.record.paused_at = clock_wall();
                api_by(r, t.record.by);
        }
        if (changes && change_tenant(a, &t, &why) != 0)
                http_problem_err(r, &why);
        else
                http_answer_json(r, 202,
                                 json_pack("{s:o, s:b}", "tenant", tenant_json(&t), "was_paused",
                                           changes ? !paused : paused));
}

void tenants_pause(void *owner, struct http_request *r)
{
        set_paused(owner, r, true);
}

void tenants_resume(void *owner, struct http_request *r)
{
        set_paused(owner, r, false);
}
