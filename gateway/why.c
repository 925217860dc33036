/* SPDX-License-Identifier: Apache-2.0
 *
 * why.c: GET /jobs/{id}/why: the status-store judges; the gateway adds what it knows of the broker.
 */
#include "common/base/uuid.h"
#include "gateway/forward.h"
#include "gateway/handlers.h"

#define AUTO_REPLY __attribute__((cleanup(http_reply_fini))) struct http_reply

static void write_path(struct buffer *out, const char *id, const char *tenant,
                       const struct broker_seen *seen)
{
        char since[TIME_TEXT_SIZE];

        buffer_printf(out, "/internal/v1/jobs/%s/why?tenant=", id);
        url_encode(out, tenant);
        buffer_printf(out, "&broker=%s", broker_verdict_name(seen->verdict));
        if (seen->since != 0) {
                buffer_add_text(out, "&broker_since=");
                url_encode(out, time_format(seen->since, since));
        }
}

void why_get(void *owner, struct http_request *r)
{
        static const char *const allowed[] = {"tenant", NULL};
        struct gateway *g = owner;
        char id[UUID_SIZE];
        AUTO_BUFFER path = {0};
        AUTO_REPLY reply = {0};

        if (!http_query_only(r, allowed))
                return;
        if (!uuid_parse(bytes_of_text(http_param(r, "id")), id)) {
                http_problem(r, 404, "there is no such job");
                return;
        }
        const char *tenant = forward_tenant(r);
        if (tenant == NULL)
                return;
        struct broker_seen seen = broker_state_look(g->broker, g->packs.link);
        write_path(&path, id, tenant, &seen);
        const struct forward_call call = {.client = g->status_store,
                                          .service = "status-store",
                                          .method = "GET",
                                          .path = path.data};
        if (forward_ask(r, &call, &reply))
                forward_pass(r, call.service, &reply);
}
