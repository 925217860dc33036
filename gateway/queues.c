/* SPDX-License-Identifier: Apache-2.0
 *
 * queues.c: GET /queues: adds to each tenant what is left of its submission rate, which only
 * gateways know.
 */
#include <string.h>

#include "common/base/log.h"
#include "common/base/own.h"
#include "gateway/forward.h"
#include "gateway/handlers.h"

#define AUTO_REPLY __attribute__((cleanup(http_reply_fini))) struct http_reply

/* Null: the tenant has no limit. */
static json_t *rate_of(struct gateway *g, const struct tenant_record *t)
{
        struct allowance a = limiter_take(g->limiter, t, clock_mono(), BUCKET_LOOK);
        char per[TIME_TEXT_SIZE];

        if (!a.limited)
                return json_null();
        return json_pack("{s:o, s:I, s:I, s:I}", "limit",
                         json_sprintf("%lld/%s", (long long)t->rate_count,
                                      duration_format(t->rate_per, per)),
                         "burst", (json_int_t)t->burst, "left", (json_int_t)a.remaining,
                         "full_in_ms", (json_int_t)a.reset);
}

static void add_rates(struct gateway *g, struct buffer *body)
{
        json_auto_t *answer = json_loadb(body->data, body->length, JSON_REJECT_DUPLICATES, NULL);
        json_t *queues = json_object_get(answer, "queues");
        json_t *queue = NULL;
        size_t i = 0;

        if (!json_is_array(queues)) {
                LOG_WARN("the status-store's answer has no queues");
                return;
        }
        json_array_foreach(queues, i, queue)
        {
                const char *tenant = json_string_value(json_object_get(queue, "tenant"));
                struct tenant_record t;
                bool known = tenant != NULL && control_tenant(g->control, tenant, &t);
                (void)json_object_set_new(queue, "rate", known ? rate_of(g, &t) : json_null());
        }
        AUTO_FREE char *text =
                json_dumps(answer, JSON_COMPACT | JSON_REAL_PRECISION(6) | JSON_PRESERVE_ORDER);
        buffer_clear(body);
        buffer_add_text(body, text);
}

void queues_get(void *owner, struct http_request *r)
{
        static const char *const allowed[] = {"tenant", "limit", "cursor", NULL};
        struct gateway *g = owner;
        AUTO_BUFFER path = {0};
        AUTO_REPLY reply = {0};

        if (!http_query_only(r, allowed))
                return;
        const char *tenant = forward_tenant(r);
        if (tenant == NULL)
                return;
        buffer_add_text(&path, "/internal/v1/queues?tenant=");
        url_encode(&path, tenant);
        http_query_write(r, "tenant", &path);
        const struct forward_call call = {.client = g->status_store,
                                          .service = "status-store",
                                          .method = "GET",
                                          .path = path.data};
        if (!forward_ask(r, &call, &reply))
                return;
        if (reply.status == 200)
                add_rates(g, &reply.body);
        forward_pass(r, call.service, &reply);
}
