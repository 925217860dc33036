/* SPDX-License-Identifier: Apache-2.0
 *
 * doctor.c: `warren doctor`: asks the gateway for the health of the installation, and checks the
 * broker itself when it can, or when the gateway does not know: so it also says what is wrong when
 * everything is down.
 */
#include "ui/cli/doctor.h"

#include "common/base/own.h"
#include "ui/cli/api.h"
#include "ui/cli/diagnosis.h"

enum gateway_state { GATEWAY_UNREACHABLE, GATEWAY_NOT_READY, GATEWAY_READY };

static enum gateway_state check_gateway(struct cli *c, struct findings *f)
{
        struct err e = {0};
        AUTO_REPLY reply = {0};

        if (api_read(c, "/readyz", &reply, &e) == 0) {
                findings_add(f, CHECK_GATEWAY, FINDING_OK, NULL, NULL);
                return GATEWAY_READY;
        }
        if (reply.status == 0) {
                findings_add(f, CHECK_GATEWAY, FINDING_WRONG, e.text,
                             "start warren-gateway, or set WARREN_URL to its address");
                return GATEWAY_UNREACHABLE;
        }
        findings_add(f, CHECK_GATEWAY, FINDING_WRONG, e.text,
                     "start the broker, or wait until it accepts messages again; the gateway "
                     "reconnects by itself");
        return GATEWAY_NOT_READY;
}

/* Also checks the key, as this is the first call that needs one. A gateway that has not read the
 * keys yet refuses all calls. What the gateway found replaces what /readyz said. */
static void ask_gateway(struct cli *c, enum gateway_state gateway, struct findings *f)
{
        struct err e = {0};
        AUTO_REPLY reply = {0};
        AUTO(findings) found = findings_create();

        int failed = api_read(c, "/api/v1/health", &reply, &e);
        if (gateway == GATEWAY_NOT_READY && reply.status == 503) {
                findings_add(f, CHECK_STATUS_STORE, FINDING_UNKNOWN, e.text, NULL);
                return;
        }
        if (e.code == ERR_FORBIDDEN) {
                findings_add(f, CHECK_KEY, FINDING_WRONG, e.text,
                             "set WARREN_ADMIN_KEY (or WARREN_API_KEY) to a key that may read");
                return;
        }
        if (failed == 0)
                failed = findings_read(found, api_value(&reply), &e);
        if (reply.status != 0)
                findings_add(f, CHECK_KEY, FINDING_OK, NULL, NULL);
        if (failed < 0) {
                bool older = reply.status == 200 || reply.status == 404;
                findings_add(f, CHECK_STATUS_STORE, FINDING_UNKNOWN, e.text,
                             older ? "upgrade the gateway: an earlier one tells no health" : NULL);
                return;
        }
        findings_drop(f, LAYER_GATEWAY);
        findings_copy(f, found, ~0U);
}

static bool has_broker(const struct findings *f)
{
        for (size_t i = 0; i < findings_count(f); i++)
                if (check_kinds[findings_at(f, i)->check].layer == LAYER_BROKER)
                        return true;
        return false;
}

enum exit_code command_doctor(struct cli *c)
{
        AUTO(findings) f = findings_create();

        enum gateway_state gateway = check_gateway(c, f);
        if (gateway != GATEWAY_UNREACHABLE)
                ask_gateway(c, gateway, f);
        if (c->settings.management_url != NULL || !has_broker(f)) {
                findings_drop(f, LAYER_BROKER);
                doctor_check_broker(c, f);
        } else {
                doctor_report_unfixed(c, "WARREN_MANAGEMENT_URL is not set", f);
        }
        return diagnosis_print(f, c);
}
