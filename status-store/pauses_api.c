/* SPDX-License-Identifier: Apache-2.0
 *
 * pauses_api.c: the routes that pause and resume job types; only the primary serves them. A change
 * is committed, the queue for parked jobs is declared, then the record is published. Consumers
 * follow the records; the unparker empties the queue of a pause that is over.
 */
#include <string.h>

#include "common/base/log.h"
#include "status-store/limit_json.h"
#include "status-store/parked_counts.h"
#include "status-store/registry/registry_pauses.h"
#include "status-store/why/waiting.h"

/* Jobs of all tenants are counted for who asks about all. */
static json_t *pause_json(const struct parked_count *p, const char *asker)
{
        const struct pause_record *r = &p->pause;
        bool hides = p->tenant[0] == '\0' && strcmp(asker, "*") != 0;
        return json_pack("{s:s, s:s?, s:b, s:o, s:s?, s:o}", "type", p->type, "tenant",
                         p->tenant[0] != '\0' ? p->tenant : NULL, "paused", r->paused, "since",
                         limit_time_json(r->paused ? r->paused_at : 0), "by",
                         r->by[0] != '\0' ? r->by : NULL, "parked",
                         p->jobs >= 0 && !hides ? json_integer(p->jobs) : json_null());
}

void pauses_list(void *owner, struct http_request *r)
{
        static const char *const allowed[] = {"tenant", NULL};
        struct api *a = owner;
        struct parked_counts counts = {0};
        struct err why = {0};
        if (!api_is_primary(a, r) || !http_query_only(r, allowed))
                return;
        const char *tenant = api_tenant(r);
        if (tenant == NULL)
                return;
        if (parked_counts_read(a, tenant, &counts, &why) == 0) {
                json_t *list = json_array();
                for (size_t i = 0; i < counts.count; i++)
                        json_array_append_new(list, pause_json(&counts.list[i], tenant));
                http_answer_json(r, 200, json_pack("{s:o}", "pauses", list));
        } else {
                http_problem_err(r, &why);
        }
        parked_counts_fini(&counts);
}

/* Reads whose type is meant. False: answered. */
static bool read_pause(struct api *a, struct http_request *r, struct pause_record *p)
{
        static const char *const allowed[] = {"tenant", NULL};
        const char *type = http_param(r, "type");
        struct tenant t;
        struct err why = {0};
        if (!http_query_only(r, allowed))
                return false;
        const char *tenant = api_tenant(r);
        if (tenant == NULL)
                return false;
        if (!job_type_is_valid(bytes_of_text(type))) {
                http_problem(r, 404, "%.80s is no name of a type", type);
                return false;
        }
        bool all = strcmp(tenant, "*") == 0;
        int found = all ? 1 : registry_tenant(a->registry, tenant, &t, &why);
        if (found < 0)
                http_problem_err(r, &why);
        else if (found == 0 || (!all && t.record.deleted))
                http_problem(r, 404, "there is no tenant %s", tenant);
        else
                pause_key(all ? "" : tenant, type, p->key);
        return p->key[0] != '\0';
}

/* What else keeps jobs of a tenant's type from their start: "all": the type is paused for all
 * tenants; "tenant": the tenant is paused. NULL: nothing. */
static const char *still_paused_by(struct api *a, const struct parked_count *p)
{
        struct tenant_record t;
        if (p->pause.paused || p->tenant[0] == '\0')
                return NULL;
        if (control_pause(a->control, "", p->type, NULL) != PAUSE_NONE)
                return "all";
        return control_tenant(a->control, p->tenant, &t) && t.paused ? "tenant" : NULL;
}

/* Those of whose pause it is: a tenant does not learn what others have. True also when nobody can
 * say. */
static bool type_has_jobs(struct api *a, const struct parked_count *p)
{
        const char *tenant = p->tenant[0] != '\0' ? p->tenant : "*";
        struct err ignored = {0};
        AUTO_READER *reader = readers_take(a->readers, &ignored);
        return reader == NULL || waiting_type_has_jobs(reader, tenant, p->type, &ignored) != 0;
}

static void answer_pause(struct api *a, struct http_request *r, const struct pause_record *p,
                         bool was_paused)
{
        struct parked_count count = {.pause = *p};
        struct token_count jobs = {.ready = -1};
        (void)pause_key_parse(bytes_of_text(p->key), count.tenant, count.type);
        if (p->v > 0 && parked_of_key(p->key, jobs.queue))
                token_counts_read(a->token_counts, &jobs, 1, clock_mono() + MSEC_SECOND / 4);
        count.jobs = p->v > 0 ? jobs.ready : 0;
        const char *asker = http_query(r, "tenant");
        http_answer_json(r, 202,
                         json_pack("{s:o, s:b, s:s?, s:b}", "pause", pause_json(&count, asker),
                                   "was_paused", was_paused, "still_paused_by",
                                   still_paused_by(a, &count), "has_jobs",
                                   type_has_jobs(a, &count)));
}

static void set_paused(struct api *a, struct http_request *r, bool paused)
{
        struct pause_record p = {.paused = paused}, was;
        struct err why = {0};
        if (!api_body_is_empty(r) || !api_may_change(a, r) || !read_pause(a, r, &p))
                return;
        if (a->unparker == NULL) {
                http_problem(r, 503,
                             "operator_password_file of the status-store is not set: parked jobs"
                             " could not be brought back");
                return;
        }
        api_by(r, p.by);
        if (registry_pause(a->registry, p.key, &was, &why) < 0 ||
            registry_change_pause(a->registry, &p, a->pauses_max, &why) != 0 ||
            provisioning_apply_pause(a->provisioning, p.key, &why) != 0) {
                http_problem_err(r, &why);
                return;
        }
        LOG_INFO(paused ? "type paused" : "type resumed", log_text("pause", p.key),
                 log_text("by", p.by));
        answer_pause(a, r, &p, was.paused);
}

void types_pause(void *owner, struct http_request *r)
{
        set_paused(owner, r, true);
}

void types_resume(void *owner, struct http_request *r)
{
        set_paused(owner, r, false);
}
