/* SPDX-License-Identifier: Apache-2.0
 *
 * routes.c: the routes of the internal API, and the check of its token.
 */
#include <openssl/crypto.h>
#include <string.h>

#include "status-store/api.h"

/* The scope of a route whose answers show no payload. To other reads the gateway's parameter `mask`
 * matters, and their handlers read it; one that does not know it refuses it. */
enum { NO_PAYLOAD = 1 };
enum { BODY_MAX = 16 * 1024, CHECK_BODY_MAX = 128 * 1024, USED_BODY_MAX = 512 * 1024 };

/* clang-format off */
const struct http_route api_routes[] = {
        {"GET", "/internal/v1/jobs", .handle = jobs_list},
        {"GET", "/internal/v1/jobs/{id}", .handle = jobs_get},
        {"GET", "/internal/v1/jobs/{id}/attempts", jobs_attempts, .scope = NO_PAYLOAD},
        {"GET", "/internal/v1/jobs/{id}/events", jobs_events, .scope = NO_PAYLOAD},
        {"GET", "/internal/v1/jobs/{id}/payload", .handle = jobs_payload},
        {"GET", "/internal/v1/jobs/{id}/why", jobs_why, .scope = NO_PAYLOAD},
        {"GET", "/internal/v1/lookup", lookup_get, .scope = NO_PAYLOAD},
        {"GET", "/internal/v1/stats", stats_get, .scope = NO_PAYLOAD},
        {"GET", "/internal/v1/counts", counts_get, .scope = NO_PAYLOAD},
        {"GET", "/internal/v1/stats/timeseries", stats_timeseries, .scope = NO_PAYLOAD},
        {"GET", "/internal/v1/queues", queues_list, .scope = NO_PAYLOAD},
        {"GET", "/internal/v1/workers", workers_list, .scope = NO_PAYLOAD},
        {"GET", "/internal/v1/health", health_get, .scope = NO_PAYLOAD},
        {"POST", "/internal/v1/deliveries/check", deliveries_check, .body_max = CHECK_BODY_MAX},
        {"POST", "/internal/v1/types/check", types_check, .body_max = CHECK_BODY_MAX},

        {"POST", "/internal/v1/jobs/{id}/cancel", jobs_cancel, .body_max = BODY_MAX},
        {"POST", "/internal/v1/jobs/{id}/run-now", jobs_run_now, .body_max = BODY_MAX},
        {"PATCH", "/internal/v1/jobs/{id}", jobs_patch, .body_max = BODY_MAX},
        {"POST", "/internal/v1/jobs/{id}/retry", jobs_retry, .body_max = BODY_MAX},
        {"DELETE", "/internal/v1/jobs/{id}", .handle = jobs_forget},
        {"POST", "/internal/v1/runs", runs_grant, .body_max = BODY_MAX},
        {"POST", "/internal/v1/jobs/cancel", operations_cancel, .body_max = BODY_MAX},
        {"POST", "/internal/v1/jobs/run-now", operations_run_now, .body_max = BODY_MAX},
        {"GET", "/internal/v1/operations", .handle = operations_list},
        {"GET", "/internal/v1/operations/{id}", .handle = operations_get},
        {"POST", "/internal/v1/operations/{id}/abort", operations_abort, .body_max = BODY_MAX},

        {"GET", "/internal/v1/tenants", tenants_list, .scope = NO_PAYLOAD},
        {"POST", "/internal/v1/tenants", tenants_create, .body_max = BODY_MAX},
        {"GET", "/internal/v1/tenants/{tenant}", tenants_get, .scope = NO_PAYLOAD},
        {"PATCH", "/internal/v1/tenants/{tenant}", tenants_patch, .body_max = BODY_MAX},
        {"DELETE", "/internal/v1/tenants/{tenant}", .handle = tenants_delete},
        {"POST", "/internal/v1/tenants/{tenant}/pause", tenants_pause, .body_max = BODY_MAX},
        {"POST", "/internal/v1/tenants/{tenant}/resume", tenants_resume, .body_max = BODY_MAX},
        {"POST", "/internal/v1/tenants/{tenant}/slots", tenants_slots, .body_max = BODY_MAX},
        {"POST", "/internal/v1/tenants/{tenant}/keys", tenant_keys_create, .body_max = BODY_MAX},
        {"DELETE", "/internal/v1/tenants/{tenant}/keys/{id}", .handle = tenant_keys_delete},
        {"GET", "/internal/v1/keys", keys_list, .scope = NO_PAYLOAD},
        {"POST", "/internal/v1/keys/used", keys_used, .body_max = USED_BODY_MAX},
        {"POST", "/internal/v1/keys/{id}/rotate", keys_rotate, .body_max = BODY_MAX},
        {"DELETE", "/internal/v1/keys/{id}", .handle = keys_delete},
        {"GET", "/internal/v1/types", types_list, .scope = NO_PAYLOAD},
        {"GET", "/internal/v1/types/{type}", types_get, .scope = NO_PAYLOAD},
        {"PATCH", "/internal/v1/types/{type}", types_patch, .body_max = BODY_MAX},
        {"POST", "/internal/v1/types/{type}/slots", types_slots, .body_max = BODY_MAX},
        {"POST", "/internal/v1/types/{type}/pause", types_pause, .body_max = BODY_MAX},
        {"POST", "/internal/v1/types/{type}/resume", types_resume, .body_max = BODY_MAX},
        {"GET", "/internal/v1/pauses", pauses_list, .scope = NO_PAYLOAD},
        {"GET", "/internal/v1/audit", audit_list, .scope = NO_PAYLOAD},
        {"POST", "/internal/v1/claims", claims_make, .body_max = CLAIMS_BODY_MAX},
        {.method = NULL},
};
/* clang-format on */

bool api_authorize(void *owner, struct http_request *r, const struct http_route *route)
{
        static const char scheme[] = "Bearer ";
        const struct api *a = owner;
        const char *given = http_header(r, "Authorization");
        if ((route->scope & NO_PAYLOAD) != 0)
                http_query_drop(r, "mask");
        if (given != NULL && strncmp(given, scheme, sizeof(scheme) - 1) == 0) {
                given += sizeof(scheme) - 1;
                size_t length = strlen(a->token);
                if (strlen(given) == length && CRYPTO_memcmp(given, a->token, length) == 0)
                        return true;
        }
        http_add_header(r, "WWW-Authenticate", "Bearer");
        http_problem(r, 401, "the internal token is missing or wrong");
        return false;
}
