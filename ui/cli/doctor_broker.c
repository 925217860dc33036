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

static bool check_nodes(const struct broker_checks *b)
{
        struct err e = {0};
        struct scan_item node;
        AUTO_REPLY reply = {0};

        if (broker_ask(b->management, "/api/nodes", &reply, &e) < 0) {
                diagnosis_add(b->d, "broker", HEALTH_WRONG, e.text,
                              "start the broker, or set WARREN_MANAGEMENT_URL to its management "
                              "API with an administrator's login");
                return false;
        }
        diagnosis_add(b->d, "broker", HEALTH_OK, NULL, NULL);
        for (struct scan_cursor at = scan_items(api_value(&reply)); scan_next(&at, &node);)
                check_node(node.value, b->d);
        return true;
}

/* Known faults, and the versions that have them: `from` and later, but not `before`. */
static const struct {
        struct broker_version from, before;
        enum health health; /* HEALTH_OK: nothing has to be done */
        const char *problem, *remedy;
} faults[] = {
        {{0, 0, 0}, {3, 10, 0}, HEALTH_WRONG, "Warren needs 3.10 or later", "upgrade RabbitMQ"},
        {{3, 10, 0},
         {4, 0, 0},
         HEALTH_OK,
         "no longer maintained; a queue created less than 0.5 s before the broker is killed may "
         "come "
         "back without a leader, a stream misses what other systems publish in the first second "
         "after a start, and any AMQP login can stop the delays, retries and burials of all "
         "tenants with one message (docs/guarantees.md says what to do)",
         NULL},
        {{4, 2, 6},
         {4, 2, 7},
         HEALTH_WRONG,
         "a login that looks at a queue needs the right to delete it, so Warren's logins have it",
         "upgrade RabbitMQ to 4.2.7 or later, then run: warren topology apply"},
        {{4, 3, 0},
         {4, 3, 1},
         HEALTH_WRONG,
         "a login that looks at a queue needs the right to delete it, so Warren's logins have it; "
         "and "
         "a quorum queue may not come back after the broker was killed",
         "upgrade RabbitMQ to 4.3.1 or later, then run: warren topology apply"},
};

static int compare(const struct broker_version *a, const struct broker_version *b)
{
        if (a->major != b->major)
                return a->major - b->major;
        return a->minor != b->minor ? a->minor - b->minor : a->patch - b->patch;
}

/* Shows the version even without a fault: it helps to understand the other findings. */
static void report_version(struct diagnosis *d, const struct broker_version *v)
{
        enum health health = HEALTH_OK;
        const char *remedy = NULL;
        AUTO_BUFFER text = {0};

        buffer_printf(&text, "RabbitMQ %d.%d.%d", v->major, v->minor, v->patch);
        for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
                if (compare(v, &faults[i].from) < 0 || compare(v, &faults[i].before) >= 0)
                        continue;
                buffer_printf(&text, ": %s", faults[i].problem);
                health = faults[i].health;
                remedy = faults[i].remedy;
        }
        diagnosis_add(d, "broker version", health, text.data, remedy);
}

static void check_version(const struct broker_checks *b)
{
        struct err e = {0};
        struct broker_version version;

        if (topology_broker_version(b->management, &version, &e) < 0)
                diagnosis_add(b->d, "broker version", HEALTH_UNKNOWN, e.text, NULL);
        else
                report_version(b->d, &version);
}

static void on_finding(void *owner, const char *subject, const char *problem, const char *remedy)
{
        const struct broker_checks *b = owner;
        AUTO_FREE char *text = xasprintf("%s: %s", subject, problem);

        diagnosis_add(b->d, "topology", HEALTH_WRONG, text, remedy);
}

static void check_topology(struct broker_checks *b)
{
        struct err e = {0};
        const struct topology_settings settings = {0};
        unsigned before = diagnosis_wrong(b->d);
        const struct topology_parts parts = {
                .tenants = b->tenants == NULL ? NULL : tenant_names_list(b->tenants)};

        if (topology_check(b->management, b->vhost, &settings, &parts, on_finding, b, &e) < 0)
                diagnosis_add(b->d, "topology", HEALTH_WRONG, e.text,
                              "create the vhost and the topology: warren topology apply");
        else if (diagnosis_wrong(b->d) == before)
                diagnosis_add(b->d, "topology", HEALTH_OK, NULL, NULL);
}

/* With --fix nobody may believe that lost tokens were replaced. */
static void report_skipped_limits(const struct cli *c, struct diagnosis *d, const char *why)
{
        if (cli_has(c, "fix"))
                diagnosis_add(d, "limits", HEALTH_UNKNOWN, why, NULL);
}

void doctor_check_broker(struct cli *c, struct diagnosis *d)
{
        static const char no_queues[] = "the queues of their tokens could not be read";
        struct err e = {0}, unknown = {0};
        AUTO(http_client) management = broker_management(c, &e);
        AUTO_FREE char *vhost = broker_vhost(c);

        if (management == NULL) {
                diagnosis_add(d, "broker", HEALTH_UNKNOWN, e.text,
                              "set WARREN_MANAGEMENT_URL to check the broker too");
                report_skipped_limits(c, d, no_queues);
                return;
        }
        AUTO(tenant_names) tenants = tenant_names_ask(c, &unknown);
        struct broker_checks b = {.d = d,
                                  .management = management,
                                  .vhost = vhost,
                                  .tenants = tenants,
                                  .unknown = &unknown};
        if (!check_nodes(&b)) {
                report_skipped_limits(c, d, no_queues);
                return;
        }
        check_version(&b);
        check_topology(&b);
        doctor_check_consumers(&b);
        if (tenants != NULL)
                doctor_check_tokens(c, &b);
        else
                report_skipped_limits(c, d, unknown.text);
}
