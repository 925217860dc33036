/* SPDX-License-Identifier: Apache-2.0
 *
 * routes.c: the table of public paths (docs/http.md).
 */
#include "gateway/routes.h"

#include <assert.h>
#include <stdio.h>

#include "gateway/handlers.h"

/* payload_max is added to SUBMISSION_EXTRA. */
enum { SMALL_BODY = 64 * 1024, BATCH_BODY = 8 * 1024 * 1024 };

#define OVER_SUBMISSION "make the payload smaller (setting payload_max)"
#define OVER_BATCH "send the jobs that are left in further batches"

static void ready(void *owner, struct http_request *r)
{
        health_answer_ready(r, routes_ready, owner);
}

bool routes_ready(void *owner, struct err *why)
{
        struct gateway *g = owner;

        if (atomic_load(&g->draining))
                err_set(why, ERR_UNAVAILABLE, "stopping");
        else if (!control_is_ready(g->control))
                err_set(why, ERR_UNAVAILABLE,
                        "keys and tenants have not been read from the broker yet");
        else if (link_is_ready(g->queues.link, why) && packer_is_ready(g->packer, why))
                (void)admits_is_ready(g->admits, why);
        return !err_is_set(why);
}

/* clang-format off */
static const struct http_route table[] = {
        {"POST", "/api/v1/jobs", submit_handle, .scope = SCOPE_SUBMIT, .body_max = SUBMISSION_EXTRA, .over = OVER_SUBMISSION},
        {"POST", "/api/v1/jobs/batch", batch_handle, .scope = SCOPE_SUBMIT, .body_max = BATCH_BODY, .over = OVER_BATCH, .streamed = true},
        {"GET", "/api/v1/jobs", forward_to_status_store, .scope = SCOPE_READ},
        {"GET", "/api/v1/jobs/{id}", forward_job, .scope = SCOPE_READ},
        {"GET", "/api/v1/jobs/{id}/attempts", forward_to_status_store, .scope = SCOPE_READ},
        {"GET", "/api/v1/stats", forward_to_status_store, .scope = SCOPE_READ},
        {"GET", "/api/v1/dlq", forward_to_dlx_monitor, .scope = SCOPE_READ},
        {"GET", "/api/v1/dlq/groups", forward_to_dlx_monitor, .scope = SCOPE_READ},
        {"GET", "/api/v1/dlq/{id}", forward_to_dlx_monitor, .scope = SCOPE_READ},
        {"POST", "/api/v1/dlq/{id}/requeue", forward_to_dlx_monitor, .scope = SCOPE_OPERATE, .body_max = SUBMISSION_EXTRA, .over = OVER_SUBMISSION},
        {"GET", "/api/v1/tenants", forward_to_status_store, .scope = SCOPE_ADMIN},
        {"POST", "/api/v1/tenants", forward_to_status_store, .scope = SCOPE_ADMIN, .body_max = SMALL_BODY},
        {"GET", "/api/v1/tenants/{t}", forward_to_status_store, .scope = SCOPE_ADMIN},
        {"PATCH", "/api/v1/tenants/{t}", forward_to_status_store, .scope = SCOPE_ADMIN, .body_max = SMALL_BODY},
        {"DELETE", "/api/v1/tenants/{t}", forward_to_status_store, .scope = SCOPE_ADMIN},
        {"POST", "/api/v1/tenants/{t}/slots", forward_to_status_store, .scope = SCOPE_ADMIN, .body_max = SMALL_BODY},
        {"POST", "/api/v1/tenants/{t}/keys", forward_to_status_store, .scope = SCOPE_ADMIN, .body_max = SMALL_BODY},
        {"DELETE", "/api/v1/tenants/{t}/keys/{key}", forward_to_status_store, .scope = SCOPE_ADMIN},
        {"GET", "/api/v1/types", forward_to_status_store, .scope = SCOPE_ADMIN},
        {"GET", "/api/v1/types/{type}", forward_to_status_store, .scope = SCOPE_ADMIN},
        {"PATCH", "/api/v1/types/{type}", forward_to_status_store, .scope = SCOPE_ADMIN, .body_max = SMALL_BODY},
        {"POST", "/api/v1/types/{type}/slots", forward_to_status_store, .scope = SCOPE_ADMIN, .body_max = SMALL_BODY},
        {"GET", "/healthz", .handle = health_alive},
        {"GET", "/readyz", .handle = ready},
        {0},
};
/* clang-format on */

void routes_init(struct gateway *g)
{
        static_assert(sizeof(table) <= sizeof(g->routes), "room for all routes");

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                g->routes[i] = table[i];
                if (table[i].method != NULL)
                        snprintf(g->route_names[i], sizeof(g->route_names[i]), "%s %s",
                                 table[i].method, table[i].pattern);
                if (table[i].body_max == SUBMISSION_EXTRA)
                        g->routes[i].body_max += (size_t)g->settings->payload_max;
        }
}
