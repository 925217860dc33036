/* SPDX-License-Identifier: Apache-2.0
 *
 * health_api.c: GET /health: a verdict on the whole installation, with its reasons.
 */
#include "common/base/json_write.h"
#include "common/base/own.h"
#include "gateway/access.h"
#include "gateway/core.h"
#include "gateway/handlers.h"
#include "gateway/readiness.h"

static void check_self(struct gateway *g, struct findings *f)
{
        struct err why = {0};
        struct broker_seen seen = broker_state_look(g->broker, g->packs.link);
        bool ready = readiness_check(g, &why);

        if (ready || seen.verdict == BROKER_BLOCKED)
                findings_add(f, CHECK_GATEWAY, FINDING_OK, NULL, NULL);
        else
                findings_add(f, CHECK_GATEWAY, FINDING_WRONG, why.text,
                             "start the broker, or wait until it accepts messages again; the "
                             "gateway reconnects by itself");
        if (seen.verdict == BROKER_BLOCKED)
                findings_add(f, CHECK_PUBLISHING, FINDING_WRONG,
                             "the broker takes no messages: jobs are refused",
                             "see the alarms of its nodes: free memory or disk space");
        else
                findings_add(f, CHECK_PUBLISHING, FINDING_OK, NULL, NULL);
        if (control_is_up(g->control))
                findings_add(f, CHECK_CONTROL, FINDING_OK, NULL, NULL);
        else
                findings_add(f, CHECK_CONTROL, FINDING_WRONG,
                             "stream control is not followed: changes of keys, tenants and limits "
                             "do not come",
                             "start the broker, or see the gateway's log; it connects again by "
                             "itself");
}

void health_get(void *owner, struct http_request *r)
{
        static const char *const allowed[] = {NULL};
        struct gateway *g = owner;
        const struct health_services services = {.status_store = g->status_store,
                                                 .dlx_monitor = g->dlx_monitor};
        const char *tenant = access_caller(r)->tenant;
        AUTO(findings) found = findings_create();
        AUTO_BUFFER body = {0};
        struct err why = {0};

        if (!http_query_only(r, allowed))
                return;
        check_self(g, found);
        if (health_view_complete(g->health_view, &services, found, &why) != 0) {
                http_problem_err(r, &why);
                return;
        }
        json_begin(&body);
        findings_write(found, tenant[0] != '\0' ? tenant : NULL, &body);
        json_put_time(&body, "as_of", clock_wall());
        json_end(&body);
        http_answer(r, 200, "application/json", buffer_bytes(&body));
}
