/* SPDX-License-Identifier: Apache-2.0
 *
 * routes.c: the routes of the internal API, and the check of its token.
 */
#include <openssl/crypto.h>
#include <string.h>

#include "status-store/api.h"

enum { BODY_MAX = 16 * 1024, CHECK_BODY_MAX = 128 * 1024 };

/* clang-format off */
const struct http_route api_routes[] = {
        {"GET", "/internal/v1/jobs", .handle = jobs_list},
        {"GET", "/internal/v1/jobs/{id}", .handle = jobs_get},
        {"GET", "/internal/v1/jobs/{id}/attempts", .handle = jobs_attempts},
        {"GET", "/internal/v1/stats", .handle = stats_get},
        {"GET", "/internal/v1/workers", .handle = workers_list},
        {"POST", "/internal/v1/deliveries/check", deliveries_check, .body_max = CHECK_BODY_MAX},
        {"POST", "/internal/v1/types/check", types_check, .body_max = CHECK_BODY_MAX},
        {"GET", "/internal/v1/tenants", .handle = tenants_list},
        {"POST", "/internal/v1/tenants", tenants_create, .body_max = BODY_MAX},
        {"GET", "/internal/v1/tenants/{tenant}", .handle = tenants_get},
        {"PATCH", "/internal/v1/tenants/{tenant}", tenants_patch, .body_max = BODY_MAX},
        {"DELETE", "/internal/v1/tenants/{tenant}", .handle = tenants_delete},
        {"POST", "/internal/v1/tenants/{tenant}/pause", tenants_pause, .body_max = BODY_MAX},
        {"POST", "/internal/v1/tenants/{tenant}/resume", tenants_resume, .body_max = BODY_MAX},
        {"POST", "/internal/v1/tenants/{tenant}/slots", tenants_slots, .body_max = BODY_MAX},
        {"POST", "/internal/v1/tenants/{tenant}/keys", tenant_keys_create, .body_max = BODY_MAX},
        {"DELETE", "/internal/v1/tenants/{tenant}/keys/{id}", .handle = tenant_keys_delete},
        {"GET", "/internal/v1/types", .handle = types_list},
        {"GET", "/internal/v1/types/{type}", .handle = types_get},
        {"PATCH", "/internal/v1/types/{type}", types_patch, .body_max = BODY_MAX},
        {"POST", "/internal/v1/types/{type}/slots", types_slots, .body_max = BODY_MAX},
        {"POST", "/internal/v1/claims", claims_make, .body_max = CLAIMS_BODY_MAX},
        {.method = NULL},
};
/* clang-format on */

bool api_authorize(void *owner, struct http_request *r, const struct http_route *route)
{
        static const char scheme[] = "Bearer ";
        const struct api *a = owner;
        const char *given = http_header(r, "Authorization");
        (void)route;
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
