/* SPDX-License-Identifier: Apache-2.0
 *
 * doctor.c: `warren doctor`: checks the installation through the gateway and the broker's
 * management API, and says what is wrong and what to do. doctor_broker.c has the checks of the
 * broker.
 */
#include "ui/cli/doctor.h"

#include <stdio.h>

#include "common/base/own.h"
#include "ui/cli/api.h"
#include "ui/cli/view.h"

/* An idle projection is some hundred milliseconds behind. */
static const int64_t lag_max_ms = 5000;

enum gateway_state { GATEWAY_UNREACHABLE, GATEWAY_NOT_READY, GATEWAY_READY };

static enum gateway_state check_gateway(struct cli *c, struct diagnosis *d)
{
        struct err e = {0};
        AUTO_REPLY reply = {0};

        if (api_read(c, "/readyz", &reply, &e) == 0) {
                diagnosis_add(d, "gateway", HEALTH_OK, NULL, NULL);
                return GATEWAY_READY;
        }
        if (reply.status == 0) {
                diagnosis_add(d, "gateway", HEALTH_WRONG, e.text,
                              "start warren-gateway, or set WARREN_URL to its address");
                return GATEWAY_UNREACHABLE;
        }
        diagnosis_add(d, "gateway", HEALTH_WRONG, e.text,
                      "start the broker, or wait until it accepts messages again; the gateway "
                      "reconnects by itself");
        return GATEWAY_NOT_READY;
}

static void check_lag(struct scan_value stats, struct diagnosis *d)
{
        int64_t lag = view_int(stats, "lag_ms");
        AUTO_BUFFER text = {0};

        if (lag >= 0 && lag <= lag_max_ms) {
                diagnosis_add(d, "projection", HEALTH_OK, NULL, NULL);
                return;
        }
        buffer_add_text(&text, "the status of jobs is as of ");
        view_add(stats, "as_of", &text);
        if (lag >= 0) {
                buffer_add_text(&text, ", behind by ");
                view_add_span(lag, &text);
        }
        diagnosis_add(d, "projection", HEALTH_WRONG, text.data,
                      "wait if the status-store is catching up; else see its log and its "
                      "connection to the broker");
}

/* Is skipped when the store is far behind: then all workers look offline. */
static void check_handlers(struct scan_value stats, struct diagnosis *d)
{
        AUTO_BUFFER problem = {0};
        struct scan_value types;
        struct scan_item item;

        if (view_int(stats, "lag_ms") > lag_max_ms || !view_find(stats, "unhandled_types", &types))
                return;
        for (struct scan_cursor at = scan_items(types); scan_next(&at, &item);) {
                buffer_add_text(&problem,
                                problem.length == 0
                                        ? "jobs are waiting; no live consumer handles their type: "
                                        : ", ");
                view_add(item.value, "", &problem);
        }
        if (problem.length == 0)
                diagnosis_add(d, "handlers", HEALTH_OK, NULL, NULL);
        else
                diagnosis_add(d, "handlers", HEALTH_WRONG, problem.data,
                              "add the type to the handlers.json of a consumer and reload it "
                              "(SIGHUP), or start a consumer that has it; jobs that have waited "
                              "for no_handler_wait (10m) are dead letters and can be replayed");
}

/* Also checks the key, as this is the first call that needs one. False: the gateway refused, so the
 * services behind it cannot be checked. A gateway that has not read the keys yet refuses all
 * calls. */
static bool check_status_store(struct cli *c, enum gateway_state gateway, struct diagnosis *d)
{
        struct err e = {0};
        AUTO_REPLY reply = {0};

        int failed = api_read(c, "/api/v1/stats", &reply, &e);
        if (gateway == GATEWAY_NOT_READY && reply.status == 503) {
                diagnosis_add(d, "status-store", HEALTH_UNKNOWN, e.text, NULL);
                return false;
        }
        if (e.code == ERR_FORBIDDEN) {
                diagnosis_add(d, "key", HEALTH_WRONG, e.text,
                              "set WARREN_ADMIN_KEY (or WARREN_API_KEY) to a key that may read");
                return false;
        }
        if (reply.status != 0)
                diagnosis_add(d, "key", HEALTH_OK, NULL, NULL);
        if (failed < 0) {
                diagnosis_add(d, "status-store", HEALTH_WRONG, e.text,
                              "start warren-status-store, or see the gateway's status_store_url");
                return true;
        }
        diagnosis_add(d, "status-store", HEALTH_OK, NULL, NULL);
        check_lag(api_value(&reply), d);
        check_handlers(api_value(&reply), d);
        return true;
}

static void check_dlx_monitor(struct cli *c, struct diagnosis *d)
{
        struct err e = {0};
        AUTO_REPLY reply = {0};

        if (api_read(c, "/api/v1/dlq?limit=1", &reply, &e) < 0)
                diagnosis_add(d, "dlx-monitor", HEALTH_WRONG, e.text,
                              "start warren-dlx-monitor, or see the gateway's dlx_monitor_url");
        else
                diagnosis_add(d, "dlx-monitor", HEALTH_OK, NULL, NULL);
}

enum exit_code command_doctor(struct cli *c)
{
        AUTO(diagnosis) d = diagnosis_create();

        enum gateway_state gateway = check_gateway(c, d);
        if (gateway != GATEWAY_UNREACHABLE && check_status_store(c, gateway, d))
                check_dlx_monitor(c, d);
        doctor_check_broker(c, d);
        return diagnosis_print(d, c);
}
