/* SPDX-License-Identifier: Apache-2.0
 *
 * doctor_broker.c: what the broker's management API tells the doctor.
 */
#include "ui/cli/doctor.h"

#include <stdio.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/lane.h"
#include "common/topology/topology.h"
#include "ui/cli/api.h"
#include "ui/cli/broker.h"
#include "ui/cli/tenant_names.h"
#include "ui/cli/view.h"

struct visit {
        struct cli *c;
        struct diagnosis *d;
        struct http_client *management;
        char *vhost;
        struct tenant_names *tenants; /* NULL: the gateway does not say */
};

/* A checked answer of the management API. */
static int ask(const struct visit *v, const char *path, struct http_reply *reply, struct err *e)
{
        struct scan_fault fault;

        if (http_client_call(v->management, &(struct http_call){.method = "GET", .path = path},
                             reply, e) < 0)
                return -1;
        if (reply->status == 401 || reply->status == 403)
                return err_set(e, ERR_FORBIDDEN, "the login may not use the management API");
        if (reply->status != 200)
                return err_set(e, ERR_UNAVAILABLE, "the management API answers %d", reply->status);
        if (scan_check(buffer_bytes(&reply->body), SCAN_DEPTH_WRAPPED, &fault) < 0)
                return err_set(e, ERR_PROTOCOL, "the management API does not answer in JSON");
        return 0;
}

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
                diagnosis_add(d, name.data, HEALTH_WRONG, "not running", "start it");
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

        if (ask(v, "/api/nodes", &reply, &e) < 0) {
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
                              "make vhost and topology: warren topology apply");
        else if (diagnosis_wrong(v->d) == before)
                diagnosis_add(v->d, "topology", HEALTH_OK, NULL, NULL);
}

/* Adds queue's name when it exists and nobody consumes it. */
static void add_if_idle(struct scan_value queues, const char *name, struct buffer *idle)
{
        struct scan_item queue;

        for (struct scan_cursor at = scan_items(queues); scan_next(&at, &queue);) {
                if (view_is(queue.value, "name", name) && view_int(queue.value, "consumers") <= 0)
                        buffer_printf(idle, "%s%s", idle->length == 0 ? "" : ", ", name);
        }
}

static void tell_idle(const struct visit *v, const char *check, const struct buffer *idle,
                      const char *remedy)
{
        if (idle->length == 0) {
                diagnosis_add(v->d, check, HEALTH_OK, NULL, NULL);
                return;
        }
        AUTO_FREE char *problem = xasprintf("nobody consumes %s", idle->data);
        diagnosis_add(v->d, check, HEALTH_WRONG, problem, remedy);
}

static void check_job_queues(const struct visit *v, struct scan_value queues)
{
        AUTO_BUFFER idle = {0};

        if (v->tenants == NULL) {
                diagnosis_add(v->d, "consumers", HEALTH_UNKNOWN,
                              "which tenants there are could not be read",
                              "set WARREN_ADMIN_KEY to an admin key");
                return;
        }
        for (const char *const *t = tenant_names_list(v->tenants); *t != NULL; t++) {
                for (int lane = 0; lane < LANE_COUNT; lane++) {
                        AUTO_FREE char *name =
                                xasprintf("jobs.%s.%s", *t, lane_name((enum lane)lane));
                        if (!tenant_names_is_paused(v->tenants, *t))
                                add_if_idle(queues, name, &idle);
                }
        }
        tell_idle(v, "consumers", &idle, "start warren-consumer, or see its log");
}

static void check_consumers(const struct visit *v)
{
        struct err e = {0};
        AUTO_BUFFER path = {0};
        AUTO_BUFFER archive = {0};
        AUTO_BUFFER events = {0};
        AUTO_REPLY reply = {0};

        buffer_add_text(&path, "/api/queues");
        api_segment(&path, v->vhost);
        buffer_add_text(&path, "?columns=name,consumers");
        if (ask(v, path.data, &reply, &e) < 0) {
                diagnosis_add(v->d, "consumers", HEALTH_UNKNOWN, e.text, NULL);
                return;
        }
        struct scan_value queues = api_value(&reply);
        check_job_queues(v, queues);
        add_if_idle(queues, "events", &events);
        tell_idle(v, "status-store reads", &events, "start warren-status-store, or see its log");
        add_if_idle(queues, "dead", &archive);
        add_if_idle(queues, "unroutable", &archive);
        tell_idle(v, "dlx-monitor reads", &archive, "start warren-dlx-monitor, or see its log");
}

void doctor_check_broker(struct cli *c, struct diagnosis *d)
{
        struct err e = {0}, unknown = {0};
        AUTO(http_client) management = broker_management(c, &e);
        AUTO_FREE char *vhost = broker_vhost(c);

        if (management == NULL) {
                diagnosis_add(d, "broker", HEALTH_UNKNOWN, e.text,
                              "set WARREN_MANAGEMENT_URL to look at the broker too");
                return;
        }
        AUTO(tenant_names) tenants = tenant_names_ask(c, &unknown);
        struct visit v = {
                .c = c, .d = d, .management = management, .vhost = vhost, .tenants = tenants};
        if (!check_nodes(&v))
                return;
        check_topology(&v);
        check_consumers(&v);
}
