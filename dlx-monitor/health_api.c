/* SPDX-License-Identifier: Apache-2.0
 *
 * health_api.c: GET /health of the internal API: what an operator should know of the archive.
 */
#include "common/base/json_write.h"
#include "common/base/own.h"
#include "common/doctor/work_checks.h"
#include "dlx-monitor/intake.h"
#include "dlx-monitor/retention.h"
#include "dlx-monitor/routes.h"

enum { TENANTS_NAMED = 20 };

struct expiring {
        struct findings *findings;
        int64_t tenants;
};

static void check_archive(const struct api *api, struct findings *f)
{
        struct err why = {0};

        if (!intake_can_archive(api->intake, &why))
                findings_add(f, CHECK_ARCHIVE, FINDING_WRONG, why.text,
                             "make room on the disk of the archive, or see the dlx-monitor's log; "
                             "dead letters stay in the broker until then");
        else if (!link_is_ready(api->consume, &why))
                findings_add(f, CHECK_ARCHIVE, FINDING_WRONG, why.text,
                             "start the broker, or see the dlx-monitor's log; it connects again by "
                             "itself");
        else
                findings_add(f, CHECK_ARCHIVE, FINDING_OK, NULL, NULL);
}

static void add_tenant(void *owner, const char *tenant, int64_t bytes, int64_t expiring)
{
        struct expiring *x = owner;

        (void)bytes;
        if (expiring > 0 && x->tenants++ < TENANTS_NAMED)
                work_checks_letters(tenant, expiring, x->findings);
}

static void check_letters(const struct api *api, struct findings *f)
{
        struct expiring x = {.findings = f};
        struct err why = {0};

        if (retention_each_tenant(api->retention, add_tenant, &x, &why) != 0)
                findings_add(f, CHECK_LETTERS, FINDING_UNKNOWN, why.text, NULL);
        else if (x.tenants == 0)
                findings_add(f, CHECK_LETTERS, FINDING_OK, NULL, NULL);
}

void health_get(void *owner, struct http_request *r)
{
        static const char *const allowed[] = {NULL};
        const struct api *api = owner;
        AUTO(findings) found = findings_create();
        AUTO_BUFFER body = {0};

        if (!http_query_only(r, allowed))
                return;
        check_archive(api, found);
        check_letters(api, found);
        json_begin(&body);
        findings_write_checks(found, &body);
        json_end(&body);
        http_answer(r, 200, "application/json", buffer_bytes(&body));
}
