/* SPDX-License-Identifier: Apache-2.0
 *
 * api.c: what all handlers of the internal API share.
 */
#include "status-store/api.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/json_write.h"
#include "status-store/acts/act_body.h"

const char *api_tenant(struct http_request *r)
{
        const char *tenant = http_query(r, "tenant");
        if (tenant != NULL &&
            (strcmp(tenant, "*") == 0 || tenant_name_is_valid(bytes_of_text(tenant))))
                return tenant;
        http_problem(r, 400, "tenant: a tenant's name, or * for all, is required");
        return NULL;
}

int api_can_change(const struct api *a, struct err *e)
{
        if (provisioning_check(a->provisioning, e) != 0)
                return -1;
        /* Until then a registry restored from a backup may be older than `control`. */
        if (!control_is_ready(a->control))
                return err_set(e, ERR_UNAVAILABLE, "stream control has not been read yet");
        return 0;
}

bool api_number(struct http_request *r, const char *name, int64_t most, int64_t *out)
{
        const char *text = http_query(r, name);
        if (text == NULL)
                return true;
        char *end = NULL;
        long long number = strtoll(text, &end, 10);
        if (*text >= '0' && *text <= '9' && *end == '\0' && number >= 1 && number <= most) {
                *out = number;
                return true;
        }
        http_problem(r, 400, "%s: must be a number from 1 to %lld", name, (long long)most);
        return false;
}

bool api_filter(struct http_request *r, struct job_filter *f)
{
        static const char *const names[] = {"status",        "priority",       "type",
                                            "created_after", "created_before", "q"};
        struct err why = {0};
        *f = (struct job_filter){.tenant = api_tenant(r)};
        if (f->tenant == NULL)
                return false;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                const char *value = http_query(r, names[i]);
                if (value == NULL || job_filter_set(f, names[i], value, &why) == 0)
                        continue;
                http_problem(r, 400, "%s", why.text);
                return false;
        }
        return true;
}

bool api_limit(struct http_request *r, int most, int *out)
{
        int64_t limit = *out;
        if (!api_number(r, "limit", most, &limit))
                return false;
        *out = (int)limit;
        return true;
}

bool api_body_is_empty(struct http_request *r)
{
        struct scan_fault fault = {0};
        int refused = act_body_read_empty(http_body(r), &fault);
        if (refused != 0)
                http_problem_at(r, refused, &fault);
        return refused == 0;
}

bool api_is_primary(struct api *a, struct http_request *r)
{
        if (a->registry != NULL)
                return true;
        http_add_header(r, "Retry-After", "1");
        http_problem(r, 503, "this status-store is not the primary: it has no registry");
        return false;
}

bool api_may_change(struct api *a, struct http_request *r)
{
        struct err why = {0};
        if (!api_is_primary(a, r))
                return false;
        if (api_can_change(a, &why) == 0)
                return true;
        http_problem_err(r, &why);
        return false;
}

bool api_find_tenant(struct api *a, struct http_request *r, struct tenant *t)
{
        struct err why = {0};
        int found = registry_tenant(a->registry, http_param(r, "tenant"), t, &why);
        if (found == 1 && !t->record.deleted)
                return true;
        if (found < 0)
                http_problem_err(r, &why);
        else
                http_problem(r, 404, "there is no such tenant");
        return false;
}

pthread_mutex_t *api_change_begin(struct api *a)
{
        pthread_mutex_lock(&a->changing);
        return &a->changing;
}

void api_change_end(pthread_mutex_t **changing)
{
        if (*changing != NULL)
                pthread_mutex_unlock(*changing);
        *changing = NULL;
}

void api_by(const struct http_request *r, char by[ACT_BY_SIZE])
{
        const char *given = http_header(r, "Warren-By");
        snprintf(by, ACT_BY_SIZE, "%s", given != NULL ? given : "");
}

bool api_take_place(struct tenant_places *p, const char *tenant, struct http_request *r,
                    struct api_place *out)
{
        struct err why = {0};
        if (tenant_places_take(p, tenant, &why) == 0)
                *out = (struct api_place){p, tenant};
        else
                http_problem_err(r, &why);
        return out->of != NULL;
}

void api_give_place(struct api_place *p)
{
        if (p->of != NULL)
                tenant_places_return(p->of, p->tenant);
        p->of = NULL;
}

int api_await(struct api *a, enum record_kind kind, const char *name, int status)
{
        return provisioning_await(a->provisioning, kind, name) ? status : 202;
}

void api_answer(struct api *a, struct http_request *r, struct buffer *members)
{
        AUTO_BUFFER out = {0};
        struct lag lag = freshness_lag(&a->freshness, clock_wall());
        json_begin(&out);
        buffer_add(&out, members->data, members->length);
        char text[TIME_TEXT_SIZE];
        json_put_string(&out, "as_of", time_format(lag.as_of, text)); /* 1970: never yet */
        json_put_int(&out, "lag_ms", lag.lag);
        json_end(&out);
        http_answer(r, 200, "application/json", buffer_bytes(&out));
}

msec api_as_of(const struct api *a)
{
        return freshness_lag(&a->freshness, clock_wall()).as_of;
}

void api_answer_tenant(struct api *a, struct http_request *r, api_write_fn *write)
{
        static const char *const allowed[] = {"tenant", NULL};
        if (!http_query_only(r, allowed))
                return;
        const char *tenant = api_tenant(r);
        if (tenant == NULL)
                return;
        struct err why = {0};
        AUTO_BUFFER members = {0};
        AUTO_READER *reader = readers_take(a->readers, &why);
        if (reader == NULL || write(reader, tenant, api_as_of(a), &members, &why) != 0)
                http_problem_err(r, &why);
        else
                api_answer(a, r, &members);
}
