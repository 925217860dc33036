/* SPDX-License-Identifier: Apache-2.0
 *
 * definitions.c: the fixed part of the topology as RabbitMQ definitions, which a broker can load at
 * boot.
 */
#include <stdlib.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/topology/declared.h"

json_t *declared_arguments(const struct declaration *d)
{
        json_t *object = json_object();
        for (const struct argument *a = d->arguments; a != NULL && a->name != NULL; a++) {
                json_t *value = a->text != NULL ? json_string(a->text)
                                : a->boolean    ? json_boolean(a->number != 0)
                                                : json_integer(a->number);
                json_object_set_new(object, a->name, value);
        }
        return object;
}

/* No practical limit. -1, which means none, is refused in a policy by RabbitMQ 3.10. */
#define NO_DELIVERY_LIMIT ((json_int_t)9007199254740991) /* 2^53 - 1 */

json_t *declared_policy(void)
{
        return json_pack(
                "{ss ss s{sI} si}", "pattern",
                "^((delay|slots|slots-type|rates-type|cooling-type|parked|parked-tenant)\\..*"
                "|dead|unroutable)$",
                "apply-to", "queues", "definition", "delivery-limit", NO_DELIVERY_LIMIT, "priority",
                100);
}

static json_t *policies(const char *vhost)
{
        json_t *policy = json_pack("{ss ss}", "vhost", vhost, "name", DELIVERY_POLICY);
        json_auto_t *rest = declared_policy();
        json_object_update(policy, rest);
        return json_pack("[o]", policy);
}

struct lists {
        const char *vhost;
        json_t *exchanges, *queues, *bindings;
};

static void add_exchange(struct lists *l, const struct declaration *d)
{
        json_array_append_new(l->exchanges,
                              json_pack("{ss ss ss sb sb sb so}", "name", d->name, "vhost",
                                        l->vhost, "type", d->type, "durable", 1, "auto_delete", 0,
                                        "internal", 0, "arguments", declared_arguments(d)));
}

static void add_queue(struct lists *l, const struct declaration *d)
{
        json_array_append_new(l->queues, json_pack("{ss ss sb sb so}", "name", d->name, "vhost",
                                                   l->vhost, "durable", 1, "auto_delete", 0,
                                                   "arguments", declared_arguments(d)));
}

static void add_binding(struct lists *l, const struct declaration *d)
{
        json_array_append_new(l->bindings,
                              json_pack("{ss ss ss ss ss s{}}", "source", d->source, "vhost",
                                        l->vhost, "destination", d->name, "destination_type",
                                        "queue", "routing_key", d->key, "arguments"));
}

static int add(void *owner, const struct declaration *d, struct err *e)
{
        switch (d->what) {
        case DECLARE_EXCHANGE:
                add_exchange(owner, d);
                return 0;
        case DECLARE_QUEUE:
                add_queue(owner, d);
                return 0;
        case DECLARE_BINDING:
                add_binding(owner, d);
                return 0;
        case DELETE_BINDING:
        case DELETE_EXCHANGE:
        case DELETE_QUEUE:
        case COUNT_QUEUE:
                break;
        }
        return err_set(e, ERR_INVALID, "%s is no declaration", d->name);
}

json_t *topology_definitions(const struct topology_settings *s, const char *vhost)
{
        struct lists lists = {vhost, json_array(), json_array(), json_array()};
        struct err e = {0};
        if (topology_each(s, add, &lists, &e) < 0)
                abort(); /* the table holds declarations only */
        return json_pack("{s[{ss}] so so so so}", "vhosts", "name", vhost, "policies",
                         policies(vhost), "exchanges", lists.exchanges, "queues", lists.queues,
                         "bindings", lists.bindings);
}

/* One object a line, so that a diff is readable. */
static void write_list(struct buffer *out, const char *name, const json_t *list)
{
        size_t i;
        json_t *item;
        buffer_printf(out, "  \"%s\": [", name);
        json_array_foreach(list, i, item)
        {
                AUTO_FREE char *line = json_dumps(item, JSON_PRESERVE_ORDER);
                buffer_printf(out, "%s\n    %s", i > 0 ? "," : "", line);
        }
        buffer_add_text(out, "\n  ]");
}

char *topology_definitions_text(const struct topology_settings *s)
{
        json_auto_t *all = topology_definitions(s, "warren");
        AUTO_BUFFER out = {0};
        const char *name;
        json_t *list;
        buffer_add_text(&out, "{");
        json_object_foreach(all, name, list)
        {
                buffer_add_text(&out, out.length > 1 ? ",\n" : "\n");
                write_list(&out, name, list);
        }
        buffer_add_text(&out, "\n}\n");
        return buffer_take(&out);
}
