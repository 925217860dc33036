/* SPDX-License-Identifier: Apache-2.0
 *
 * routes.c: the table of public paths (docs/http.md).
 */
#include "gateway/routes.h"

#include <assert.h>
#include <stdio.h>

#include "gateway/handlers.h"
#include "gateway/readiness.h"

/* payload_max is added to SUBMISSION_EXTRA. */
enum { SMALL_BODY = 64 * 1024, BATCH_BODY = 8 * 1024 * 1024 };

#define OVER_SUBMISSION "make the payload smaller (setting payload_max)"
#define OVER_BATCH "send the jobs that are left in further batches"

static void ready(void *owner, struct http_request *r)
{
        health_answer_ready(r, readiness_check, owner);
}

/* clang-format off */
#define TO_STORE forward_to_status_store
#define TO_ARCHIVE forward_to_dlx_monitor
#define READ(path, handler, needed) {{"GET", path, handler, .scope = needed}, NULL, 0}
#define ACT(method, path, handler, needed, act) \
        {{method, path, handler, .scope = needed, .body_max = SMALL_BODY}, act, AUDIT_BODY}
#define BULK_ACT(path, act) \
        {{"POST", path, forward_operation, .scope = SCOPE_OPERATE, .body_max = SMALL_BODY}, act, \
         AUDIT_BODY | AUDIT_PREVIEW}
/* Its body is none, or not for the audit. */
#define ACT_ALONE(method, path, handler, needed, most, act) \
        {{method, path, handler, .scope = needed, .body_max = most}, act, 0}

static const struct public_route table[] = {
        {{"POST", "/api/v1/jobs", submit_handle, .scope = SCOPE_SUBMIT, .body_max = SUBMISSION_EXTRA, .over = OVER_SUBMISSION}, NULL, 0},
        {{"POST", "/api/v1/jobs/batch", batch_handle, .scope = SCOPE_SUBMIT, .body_max = BATCH_BODY, .over = OVER_BATCH, .streamed = true}, NULL, 0},
        READ("/api/v1/jobs", TO_STORE, SCOPE_READ),
        READ("/api/v1/jobs/{id}", forward_job, SCOPE_READ),
        READ("/api/v1/jobs/{id}/attempts", TO_STORE, SCOPE_READ),
        READ("/api/v1/jobs/{id}/events", TO_STORE, SCOPE_READ),
        READ("/api/v1/jobs/{id}/payload", forward_payload, SCOPE_READ),
        READ("/api/v1/jobs/{id}/why", why_get, SCOPE_READ),
        READ("/api/v1/lookup", TO_STORE, SCOPE_READ),
        READ("/api/v1/stats", TO_STORE, SCOPE_READ),
        READ("/api/v1/stats/timeseries", TO_STORE, SCOPE_READ),
        READ("/api/v1/queues", queues_get, SCOPE_READ),
        READ("/api/v1/workers", TO_STORE, SCOPE_READ),
        READ("/api/v1/health", health_get, SCOPE_READ),
        READ("/api/v1/live", live_get, SCOPE_READ),

        ACT("POST", "/api/v1/jobs/{id}/cancel", TO_STORE, SCOPE_OPERATE, "job.cancel"),
        ACT("POST", "/api/v1/jobs/{id}/run-now", TO_STORE, SCOPE_OPERATE, "job.run_now"),
        ACT("PATCH", "/api/v1/jobs/{id}", TO_STORE, SCOPE_OPERATE, "job.move"),
        ACT("POST", "/api/v1/jobs/{id}/retry", job_retry, SCOPE_OPERATE, "job.retry"),
        ACT_ALONE("DELETE", "/api/v1/jobs/{id}", job_forget, SCOPE_OPERATE, 0, "job.forget"),
        BULK_ACT("/api/v1/jobs/cancel", "jobs.cancel"),
        BULK_ACT("/api/v1/jobs/run-now", "jobs.run_now"),
        READ("/api/v1/operations", TO_STORE, SCOPE_READ),
        READ("/api/v1/operations/{id}", TO_STORE, SCOPE_READ),
        ACT("POST", "/api/v1/operations/{id}/abort", TO_STORE, SCOPE_OPERATE, "operation.abort"),
        READ("/api/v1/pauses", TO_STORE, SCOPE_READ),
        ACT("POST", "/api/v1/types/{type}/pause", TO_STORE, SCOPE_OPERATE, "type.pause"),
        ACT("POST", "/api/v1/types/{type}/resume", TO_STORE, SCOPE_OPERATE, "type.resume"),
        ACT("POST", "/api/v1/tenants/{t}/pause", own_tenant_act, SCOPE_OPERATE, "tenant.pause"),
        ACT("POST", "/api/v1/tenants/{t}/resume", own_tenant_act, SCOPE_OPERATE, "tenant.resume"),

        READ("/api/v1/dlq", TO_ARCHIVE, SCOPE_READ),
        READ("/api/v1/dlq/groups", TO_ARCHIVE, SCOPE_READ),
        READ("/api/v1/dlq/{id}", TO_ARCHIVE, SCOPE_READ),
        /* Its body may have a payload. */
        {{"POST", "/api/v1/dlq/{id}/requeue", TO_ARCHIVE, .scope = SCOPE_OPERATE, .body_max = SUBMISSION_EXTRA, .over = OVER_SUBMISSION},
         "letter.requeue", AUDIT_MEMBERS},

        READ("/api/v1/tenants", TO_STORE, SCOPE_ADMIN),
        {{"POST", "/api/v1/tenants", TO_STORE, .scope = SCOPE_ADMIN, .body_max = SMALL_BODY}, "tenant.create",
         AUDIT_BODY | AUDIT_NAMED},
        READ("/api/v1/tenants/{t}", TO_STORE, SCOPE_ADMIN),
        ACT("PATCH", "/api/v1/tenants/{t}", TO_STORE, SCOPE_ADMIN, "tenant.change"),
        ACT_ALONE("DELETE", "/api/v1/tenants/{t}", TO_STORE, SCOPE_ADMIN, 0, "tenant.delete"),
        ACT("POST", "/api/v1/tenants/{t}/slots", TO_STORE, SCOPE_ADMIN, "tenant.slots"),
        ACT("POST", "/api/v1/tenants/{t}/keys", TO_STORE, SCOPE_ADMIN, "key.create"),
        ACT_ALONE("DELETE", "/api/v1/tenants/{t}/keys/{key}", TO_STORE, SCOPE_ADMIN, 0,
                  "key.revoke"),
        READ("/api/v1/keys", TO_STORE, SCOPE_ADMIN),
        ACT("POST", "/api/v1/keys/{key}/rotate", TO_STORE, SCOPE_ADMIN, "key.rotate"),
        ACT_ALONE("DELETE", "/api/v1/keys/{key}", TO_STORE, SCOPE_ADMIN, 0,
                  "key.revoke"),
        READ("/api/v1/types", TO_STORE, SCOPE_READ),
        READ("/api/v1/types/{type}", TO_STORE, SCOPE_READ),
        ACT("PATCH", "/api/v1/types/{type}", TO_STORE, SCOPE_ADMIN, "type.change"),
        ACT("POST", "/api/v1/types/{type}/slots", TO_STORE, SCOPE_ADMIN, "type.slots"),
        READ("/api/v1/audit", forward_audit, SCOPE_OPERATE),

        /* The body of a login is a key. */
        ACT_ALONE("POST", "/api/v1/session", session_begin, 0, SMALL_BODY, "session.begin"),
        READ("/api/v1/session", session_get, 0),
        ACT_ALONE("DELETE", "/api/v1/session", session_end, 0, 0, "session.end"),

        READ("/healthz", health_alive, 0),
        READ("/readyz", ready, 0),
        {.act = NULL},
};
/* clang-format on */

static void handle_act(void *owner, struct http_request *r)
{
        const struct public_route *p = routes_public(owner, http_matched(r));

        audited_handle(owner, r, p->act, p->flags, p->route.handle);
}

void routes_init(struct gateway *g)
{
        const size_t count = sizeof(table) / sizeof(table[0]);
        static_assert(sizeof(table) / sizeof(table[0]) <= GATEWAY_ROUTES_MAX,
                      "room for all routes");

        for (size_t i = 0; i < count; i++) {
                const struct http_route *route = &table[i].route;
                g->routes[i] = *route;
                if (route->method != NULL)
                        snprintf(g->route_names[i], sizeof(g->route_names[i]), "%s %s",
                                 route->method, route->pattern);
                if (table[i].act != NULL)
                        g->routes[i].handle = handle_act;
                if (route->body_max == SUBMISSION_EXTRA)
                        g->routes[i].body_max += (size_t)g->settings->payload_max;
        }
}

const struct public_route *routes_public(const struct gateway *g, const struct http_route *route)
{
        return &table[route - g->routes];
}
