/* SPDX-License-Identifier: Apache-2.0
 *
 * health_api.c: GET /health of the internal API: what the primary's checks found.
 */
#include "status-store/api.h"
#include "status-store/health_watch.h"

void health_get(void *owner, struct http_request *r)
{
        static const char *const allowed[] = {NULL};
        struct api *a = owner;
        AUTO_BUFFER members = {0};

        if (!http_query_only(r, allowed) || !api_is_primary(a, r))
                return;
        health_watch_write(a->health_watch, &members);
        api_answer(a, r, &members);
}
