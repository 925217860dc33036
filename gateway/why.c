/* SPDX-License-Identifier: Apache-2.0
 *
 * why.c: GET /jobs/{id}/why: the status-store judges; the gateway adds what it knows of the broker.
 */
#include "gateway/forward.h"
#include "gateway/handlers.h"

void why_get(void *owner, struct http_request *r)
{
        static const char *const allowed[] = {"tenant", NULL};
        struct gateway *g = owner;
        char since[TIME_TEXT_SIZE];
        AUTO_BUFFER query = {0};

        if (!http_query_only(r, allowed))
                return;
        struct broker_seen seen = broker_state_look(g->broker, g->packs.link);
        buffer_printf(&query, "&broker=%s", broker_verdict_name(seen.verdict));
        if (seen.since != 0) {
                buffer_add_text(&query, "&broker_since=");
                url_encode(&query, time_format(seen.since, since));
        }
        forward_with(g, r, &(struct forward_with){.query = query.data});
}
