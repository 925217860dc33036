/* SPDX-License-Identifier: Apache-2.0
 *
 * doctor_broker.c: the checks of the broker through its management API.
 */
#include "ui/cli/doctor.h"

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/topology/topology.h"
#include "ui/cli/api.h"
#include "ui/cli/broker.h"
#include "ui/cli/tenant_names.h"
#include "ui/cli/view.h"

static void check_node(struct scan_value node, struct diagnosis *d)
{
        static const struct {
                const char *member, *problem, *remedy;
        } alarms[] = {
                {"mem_alarm", "memory alarm: publishers are blocked",
                 "let consumers catch up, give the broker more memory, or raise "
                 "vm_memory_high_watermark"},
                {"disk_free_alarm", "disk alarm: publishers are blocked",
                 "free disk space on the broker's volume"},
        };
        AUTO_BUFFER name = {0};

        buffer_add_text(&name, "node ");
        view_add(node, "name", &name);
        if (!view_is_true(node, "running")) {
                diagnosis_add(d, name.data, HEALTH_WRONG, "not running", "start the node");
                return;
        }
        unsigned before = diagnosis_wrong(d);
        for (size_t i = 0; i < sizeof(alarms) / sizeof(alarms[0]); i++) {
                if (view_is_true(node, alarms[i].member))
                        diagnosis_add(d, name.data, HEALTH_WRONG, alarms[i].problem,
                                      alarms[i].remedy);
        }
        if (diagnosis_wrong(d) == before)
                diagnosis_add(d, name.data, HEALTH_OK, NULL, NULL);
}

static bool check_nodes(const struct visit *v)
{
        struct err e = {0};
        struct scan_item node;
        AUTO_REPLY reply = {0};

        if (visit_ask(v, "/api/nodes", &reply, &e) < 0) {
                diagnosis_add(v->d, "broker", HEALTH_WRONG, e.text,
                              "start the broker, or set WARREN_MANAGEMENT_URL to its management "
                              "API with an administrator's login");
                return false;
        }
        diagnosis_add(v->d, "broker", HEALTH_OK, NULL, NULL);
        for (struct scan_cursor at = scan_items(api_value(&reply)); scan_next(&at, &node);)
                check_node(node.value, v->d);
        return true;
}

static void on_finding(void *owner, const char *subject, const char *problem, const char *remedy)
{
        const struct visit *v = owner;
        AUTO_FREE char *text = xasprintf("%s: %s", subject, problem);

        diagnosis_add(v->d, "topology", HEALTH_WRONG, text, remedy);
}

static void check_topology(struct visit *v)
{
        struct err e = {0};
        const struct topology_settings settings = {0};
        unsigned before = diagnosis_wrong(v->d);
        const char *const *tenants = v->tenants == NULL ? NULL : tenant_names_list(v->tenants);

        if (topology_check(v->management, v->vhost, &settings, tenants, on_finding, v, &e) < 0)
                diagnosis_add(v->d, "topology", HEALTH_WRONG, e.text,
                              "create the vhost and the topology: warren topology apply");
        else if (diagnosis_wrong(v->d) == before)
                diagnosis_add(v->d, "topology", HEALTH_OK, NULL, NULL);
}

void doctor_check_broker(struct cli *c, struct diagnosis *d)
{
        struct err e = {0}, unknown = {0};
        AUTO(http_client) management = broker_management(c, &e);
        AUTO_FREE char *vhost = broker_vhost(c);

        if (management == NULL) {
                diagnosis_add(d, "broker", HEALTH_UNKNOWN, e.text,
                              "set WARREN_MANAGEMENT_URL to check the broker too");
                return;
        }
        AUTO(tenant_names) tenants = tenant_names_ask(c, &unknown);
        struct visit v = {.d = d,
                          .management = management,
                          .vhost = vhost,
                          .tenants = tenants,
                          .unknown = &unknown};
        if (!check_nodes(&v))
                return;
        doctor_check_version(&v);
        check_topology(&v);
        doctor_check_consumers(&v);
}
