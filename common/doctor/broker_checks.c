/* SPDX-License-Identifier: Apache-2.0
 *
 * broker_checks.c: nodes, version and topology, as the management API tells them.
 */
#include "common/doctor/broker_checks.h"

#include "common/base/json_path.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/topology/topology.h"

static void add_node(struct findings *f, const char *node, enum finding_state state,
                     const char *problem, const char *remedy)
{
        findings_add(f, CHECK_NODE, state, problem, remedy);
        findings_of_node(f, node);
}

static void check_node(struct scan_value node, struct findings *f)
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

        if (!json_path_add(node, "name", &name))
                buffer_add_text(&name, "without a name");
        if (!json_path_is_true(node, "running")) {
                add_node(f, name.data, FINDING_WRONG, "not running", "start the node");
                return;
        }
        unsigned before = findings_in(f, FINDING_WRONG);
        for (size_t i = 0; i < sizeof(alarms) / sizeof(alarms[0]); i++) {
                if (json_path_is_true(node, alarms[i].member))
                        add_node(f, name.data, FINDING_WRONG, alarms[i].problem, alarms[i].remedy);
        }
        if (findings_in(f, FINDING_WRONG) == before)
                add_node(f, name.data, FINDING_OK, NULL, NULL);
}

bool broker_checks_nodes(const struct doctor_broker *b, const char *remedy, struct findings *f)
{
        struct err e = {0};
        struct scan_value nodes = {.kind = SCAN_NULL};
        struct scan_item node;
        AUTO_REPLY reply = {0};

        if (broker_api_ask(b, "/api/nodes", &reply, &nodes, &e) < 0) {
                findings_add(f, CHECK_BROKER, FINDING_WRONG, e.text, remedy);
                return false;
        }
        findings_add(f, CHECK_BROKER, FINDING_OK, NULL, NULL);
        for (struct scan_cursor at = scan_items(nodes); scan_next(&at, &node);)
                check_node(node.value, f);
        return true;
}

/* Known faults, and the versions that have them: `from` and later, but not `before`. */
static const struct {
        struct broker_version from, before;
        enum finding_state state; /* FINDING_OK: nothing has to be done */
        const char *problem, *remedy;
} faults[] = {
        {{0, 0, 0}, {3, 10, 0}, FINDING_WRONG, "Warren needs 3.10 or later", "upgrade RabbitMQ"},
        {{3, 10, 0},
         {4, 0, 0},
         FINDING_OK,
         "no longer maintained; a queue created less than 0.5 s before the broker is killed may "
         "come "
         "back without a leader, a stream misses what other systems publish in the first second "
         "after a start, and any AMQP login can stop the delays, retries and burials of all "
         "tenants with one message (docs/guarantees.md says what to do)",
         NULL},
        {{4, 2, 6},
         {4, 2, 7},
         FINDING_WRONG,
         "a login that looks at a queue needs the right to delete it, so Warren's logins have it",
         "upgrade RabbitMQ to 4.2.7 or later, then run: warren topology apply"},
        {{4, 3, 0},
         {4, 3, 1},
         FINDING_WRONG,
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
static void report_version(struct findings *f, const struct broker_version *v)
{
        enum finding_state state = FINDING_OK;
        const char *remedy = NULL;
        AUTO_BUFFER text = {0};

        buffer_printf(&text, "RabbitMQ %d.%d.%d", v->major, v->minor, v->patch);
        for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
                if (compare(v, &faults[i].from) < 0 || compare(v, &faults[i].before) >= 0)
                        continue;
                buffer_printf(&text, ": %s", faults[i].problem);
                state = faults[i].state;
                remedy = faults[i].remedy;
        }
        findings_add(f, CHECK_BROKER_VERSION, state, text.data, remedy);
}

void broker_checks_version(const struct doctor_broker *b, struct findings *f)
{
        struct err e = {0};
        struct broker_version version;

        if (topology_broker_version(b->management, &version, &e) < 0)
                findings_add(f, CHECK_BROKER_VERSION, FINDING_UNKNOWN, e.text, NULL);
        else
                report_version(f, &version);
}

static void on_finding(void *owner, const char *subject, const char *problem, const char *remedy)
{
        struct findings *f = owner;
        AUTO_FREE char *text = xasprintf("%s: %s", subject, problem);

        findings_add(f, CHECK_TOPOLOGY, FINDING_WRONG, text, remedy);
}

/* NULL-terminated; the names are borrowed. */
static const char **names_of_tenants(const struct doctor_facts *facts)
{
        const char **names = xcalloc(facts->tenant_count + 1, sizeof(*names));

        for (size_t i = 0; i < facts->tenant_count; i++)
                names[i] = facts->tenants[i].name;
        return names;
}

static const char **keys_of_pauses(const struct doctor_facts *facts)
{
        const char **keys = xcalloc(facts->pause_count + 1, sizeof(*keys));

        for (size_t i = 0; i < facts->pause_count; i++)
                keys[i] = facts->pauses[i].key;
        return keys;
}

void broker_checks_topology(const struct doctor_broker *b, const struct doctor_facts *facts,
                            struct findings *f)
{
        struct err e = {0};
        const struct topology_settings settings = {0};
        unsigned before = findings_in(f, FINDING_WRONG);
        AUTO_FREE const char **tenants = names_of_tenants(facts);
        AUTO_FREE const char **pauses = keys_of_pauses(facts);
        const struct topology_parts parts = {.tenants = tenants, .pauses = pauses};

        if (topology_check(b->management, b->vhost, &settings, &parts, on_finding, f, &e) < 0)
                findings_add(f, CHECK_TOPOLOGY, FINDING_WRONG, e.text,
                             "create the vhost and the topology: warren topology apply");
        else if (findings_in(f, FINDING_WRONG) == before)
                findings_add(f, CHECK_TOPOLOGY, FINDING_OK, NULL, NULL);
}
