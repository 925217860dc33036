/* SPDX-License-Identifier: Apache-2.0
 *
 * doctor_broker.c: what the broker's management API tells the doctor.
 */
#include "ui/cli/doctor.h"

#include <stdio.h>
#include <string.h>
#include <uthash.h>

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

/* The vhost's queues, and which of them have a consumer. */
struct queue_entry {
        char *name;
        bool consumed;
        UT_hash_handle hh;
};

static struct queue_entry *find_queue(struct queue_entry *queues, const char *name)
{
        struct queue_entry *entry = NULL;

        HASH_FIND_STR(queues, name, entry);
        return entry;
}

static void forget_queues(struct queue_entry **queues)
{
        struct queue_entry *entry, *next;

        HASH_ITER (hh, *queues, entry, next) {
                HASH_DEL(*queues, entry);
                free(entry->name);
                free(entry);
        }
}

/* Owned; NULL when there is none. */
static char *name_of(struct scan_value item, const char *member)
{
        struct scan_value name;
        AUTO_BUFFER text = {0};

        if (!scan_find(item, member, &name) || name.kind != SCAN_STRING)
                return NULL;
        scan_string(name, &text);
        return buffer_take(&text);
}

static int list_queues(const struct visit *v, struct queue_entry **queues, struct err *e)
{
        AUTO_BUFFER path = {0};
        AUTO_REPLY reply = {0};
        struct scan_item item;

        buffer_add_text(&path, "/api/queues");
        api_segment(&path, v->vhost);
        buffer_add_text(&path, "?columns=name");
        if (ask(v, path.data, &reply, e) < 0)
                return -1;
        for (struct scan_cursor at = scan_items(api_value(&reply)); scan_next(&at, &item);) {
                struct queue_entry *entry = xcalloc(1, sizeof(*entry));
                entry->name = name_of(item.value, "name");
                if (entry->name == NULL || find_queue(*queues, entry->name) != NULL) {
                        free(entry->name);
                        free(entry);
                        continue;
                }
                HASH_ADD_KEYPTR(hh, *queues, entry->name, strlen(entry->name), entry);
        }
        return 0;
}

/* Asked of the broker itself: the counts among a queue's statistics are some seconds old. */
static int list_consumers(const struct visit *v, struct queue_entry *queues, struct err *e)
{
        AUTO_BUFFER path = {0};
        AUTO_REPLY reply = {0};
        struct scan_item item;
        struct scan_value queue;

        buffer_add_text(&path, "/api/consumers");
        api_segment(&path, v->vhost);
        if (ask(v, path.data, &reply, e) < 0)
                return -1;
        for (struct scan_cursor at = scan_items(api_value(&reply)); scan_next(&at, &item);) {
                AUTO_FREE char *name =
                        scan_find(item.value, "queue", &queue) ? name_of(queue, "name") : NULL;
                struct queue_entry *entry = name != NULL ? find_queue(queues, name) : NULL;
                if (entry != NULL)
                        entry->consumed = true;
        }
        return 0;
}

/* Adds queue's name when it exists and nobody consumes it. */
static void add_if_idle(struct queue_entry *queues, const char *name, struct buffer *idle)
{
        const struct queue_entry *entry = find_queue(queues, name);

        if (entry != NULL && !entry->consumed)
                buffer_printf(idle, "%s%s", idle->length == 0 ? "" : ", ", name);
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

static void check_job_queues(const struct visit *v, struct queue_entry *queues)
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

static void check_queues(const struct visit *v, struct queue_entry *queues)
{
        AUTO_BUFFER archive = {0};
        AUTO_BUFFER events = {0};

        check_job_queues(v, queues);
        add_if_idle(queues, "events", &events);
        tell_idle(v, "status-store reads", &events, "start warren-status-store, or see its log");
        add_if_idle(queues, "dead", &archive);
        add_if_idle(queues, "unroutable", &archive);
        tell_idle(v, "dlx-monitor reads", &archive, "start warren-dlx-monitor, or see its log");
}

static void check_consumers(const struct visit *v)
{
        struct err e = {0};
        struct queue_entry *queues = NULL;

        if (list_queues(v, &queues, &e) < 0 || list_consumers(v, queues, &e) < 0)
                diagnosis_add(v->d, "consumers", HEALTH_UNKNOWN, e.text, NULL);
        else
                check_queues(v, queues);
        forget_queues(&queues);
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
