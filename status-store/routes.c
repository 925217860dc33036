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
        {"GET", "/internal/v1/jobs", jobs_list, 0, 0, false},
        {"GET", "/internal/v1/jobs/{id}", jobs_get, 0, 0, false},
        {"GET", "/internal/v1/jobs/{id}/attempts", jobs_attempts, NO_PAYLOAD, 0, false},
        {"GET", "/internal/v1/jobs/{id}/events", jobs_events, NO_PAYLOAD, 0, false},
        {"GET", "/internal/v1/jobs/{id}/payload", jobs_payload, 0, 0, false},
        {"GET", "/internal/v1/jobs/{id}/why", jobs_why, NO_PAYLOAD, 0, false},
        {"GET", "/internal/v1/lookup", lookup_get, NO_PAYLOAD, 0, false},
        {"GET", "/internal/v1/stats", stats_get, NO_PAYLOAD, 0, false},
        {"GET", "/internal/v1/stats/timeseries", stats_timeseries, NO_PAYLOAD, 0, false},
        {"GET", "/internal/v1/queues", queues_list, NO_PAYLOAD, 0, false},
        {"GET", "/internal/v1/workers", workers_list, NO_PAYLOAD, 0, false},
        {"GET", "/internal/v1/health", health_get, NO_PAYLOAD, 0, false},
        {"POST", "/internal/v1/deliveries/check", deliveries_check, 0, CHECK_BODY_MAX, false},
        {"POST", "/internal/v1/types/check", types_check, 0, CHECK_BODY_MAX, false},

        {"POST", "/internal/v1/jobs/{id}/cancel", jobs_cancel, 0, BODY_MAX, false},
        {"POST", "/internal/v1/jobs/{id}/run-now", jobs_run_now, 0, BODY_MAX, false},
        {"PATCH", "/internal/v1/jobs/{id}", jobs_patch, 0, BODY_MAX, false},
        {"POST", "/internal/v1/jobs/{id}/retry", jobs_retry, 0, BODY_MAX, false},
        {"DELETE", "/internal/v1/jobs/{id}", jobs_forget, 0, 0, false},
        {"POST", "/internal/v1/runs", runs_grant, 0, BODY_MAX, false},
        {"POST", "/internal/v1/jobs/cancel", operations_cancel, 0, BODY_MAX, false},
        {"POST", "/internal/v1/jobs/run-now", operations_run_now, 0, BODY_MAX, false},
        {"GET", "/internal/v1/operations", operations_list, NO_PAYLOAD, 0, false},
        {"GET", "/internal/v1/operations/{id}", operations_get, NO_PAYLOAD, 0, false},
        {"POST", "/internal/v1/operations/{id}/abort", operations_abort, 0, BODY_MAX, false},

        {"GET", "/internal/v1/tenants", tenants_list, NO_PAYLOAD, 0, false},
        {"POST", "/internal/v1/tenants", tenants_create, 0, BODY_MAX, false},
        {"GET", "/internal/v1/tenants/{tenant}", tenants_get, NO_PAYLOAD, 0, false},
        {"PATCH", "/internal/v1/tenants/{tenant}", tenants_patch, 0, BODY_MAX, false},
        {"DELETE", "/internal/v1/tenants/{tenant}", tenants_delete, 0, 0, false},
        {"POST", "/internal/v1/tenants/{tenant}/pause", tenants_pause, 0, BODY_MAX, false},
        {"POST", "/internal/v1/tenants/{tenant}/resume", tenants_resume, 0, BODY_MAX, false},
        {"POST", "/internal/v1/tenants/{tenant}/slots", tenants_slots, 0, BODY_MAX, false},
        {"POST", "/internal/v1/tenants/{tenant}/keys", tenant_keys_create, 0, BODY_MAX, false},
        {"DELETE", "/internal/v1/tenants/{tenant}/keys/{id}", tenant_keys_delete, 0, 0, false},
        {"GET", "/internal/v1/keys", keys_list, NO_PAYLOAD, 0, false},
        {"POST", "/internal/v1/keys/used", keys_used, 0, USED_BODY_MAX, false},
        {"POST", "/internal/v1/keys/{id}/rotate", keys_rotate, 0, BODY_MAX, false},
        {"DELETE", "/internal/v1/keys/{id}", keys_delete, 0, 0, false},
        {"GET", "/internal/v1/types", types_list, NO_PAYLOAD, 0, false},
        {"GET", "/internal/v1/types/{type}", types_get, NO_PAYLOAD, 0, false},
        {"PATCH", "/internal/v1/types/{type}", types_patch, 0, BODY_MAX, false},
        {"POST", "/internal/v1/types/{type}/slots", types_slots, 0, BODY_MAX, false},
        {"POST", "/internal/v1/types/{type}/pause", types_pause, 0, BODY_MAX, false},
        {"POST", "/internal/v1/types/{type}/resume", types_resume, 0, BODY_MAX, false},
        {"GET", "/internal/v1/pauses", pauses_list, NO_PAYLOAD, 0, false},
        {"GET", "/internal/v1/audit", audit_list, NO_PAYLOAD, 0, false},
        {"POST", "/internal/v1/claims", claims_make, 0, CLAIMS_BODY_MAX, false},
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
