/* SPDX-License-Identifier: Apache-2.0
 *
 * own_tenant.c: pause and resume of a tenant. A tenant's own key may do it, but sees of the answer
 * only what concerns the pause: limits are the administrator's.
 */
#include <string.h>

#include "common/base/own.h"
#include "gateway/access.h"
#include "gateway/forward.h"
#include "gateway/handlers.h"

#define AUTO_REPLY __attribute__((cleanup(http_reply_fini))) struct http_reply

static void keep_pause(struct buffer *body)
{
        json_auto_t *answer = json_loadb(body->data, body->length, JSON_REJECT_DUPLICATES, NULL);
        json_t *tenant = json_object_get(answer, "tenant");
        json_auto_t *kept = json_pack("{s:{s:O?, s:O?, s:O?}, s:O?}", "tenant", "name",
                                      json_object_get(tenant, "name"), "paused",
                                      json_object_get(tenant, "paused"), "paused_at",
                                      json_object_get(tenant, "paused_at"), "was_paused",
                                      json_object_get(answer, "was_paused"));
        AUTO_FREE char *text = json_dumps(kept, JSON_COMPACT | JSON_PRESERVE_ORDER);

        buffer_clear(body);
        buffer_add_text(body, text);
}

static void ask(struct gateway *g, struct http_request *r, const char *tenant)
{
        const char *pattern = http_matched(r)->pattern;
        AUTO_BUFFER path = {0};
        AUTO_REPLY reply = {0};

        buffer_printf(&path, "/internal/v1/tenants/%s/%s?tenant=%s", tenant,
                      strrchr(pattern, '/') + 1, tenant);
        const struct forward_call call = {.client = g->status_store,
                                          .service = "status-store",
                                          .method = "POST",
                                          .path = path.data,
                                          .body = http_body(r)};
        if (!forward_ask(r, &call, &reply))
                return;
        if (reply.status == 202)
                keep_pause(&reply.body);
        forward_pass(r, call.service, &reply);
}

void own_tenant_act(void *owner, struct http_request *r)
{
        static const char *const allowed[] = {"tenant", NULL};
        const char *own = access_caller(r)->tenant;

        if (own[0] == '\0')
                forward_to_status_store(owner, r);
        else if (!http_query_only(r, allowed) || forward_tenant(r) == NULL)
                return;
        else if (strcmp(http_param(r, "t"), own) != 0)
                http_problem(r, 404, "there is nothing with that id or name");
        else if (http_body(r).length == 0 || http_body_is_json(r))
                ask(owner, r, own);
}
