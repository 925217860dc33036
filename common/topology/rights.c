/* SPDX-License-Identifier: Apache-2.0
 *
 * rights.c: the rights of each login of docs/amqp.md: the least that it needs, by the broker's
 * version. RabbitMQ does not anchor patterns, so these have ^ and $.
 */
#include <ctype.h>
#include <stdlib.h>

#include "common/topology/declared.h"

/* The queues of jobs, but not the exchanges jobs.<tenant>: a tenant's name has no dot. */
#define JOB_QUEUES "jobs\\.[^.]+\\.[^.]+"

/* The queues of tokens (common/model/limit_queue.h), and those where they cool down. */
#define TOKENS "slots|slots-type|rates-type"
#define COOLING "cooling-type"

/* The queues where jobs of paused types are parked, and their exchanges (common/model/parked.h). */
#define PARKED "parked|parked-tenant"

/* configure_to_look: adds each queue that the login counts, or looks for when it connects.
 * write_to_look: adds those of them on which it has no other right. A write on a queue only allows
 * to bind it to an exchange that the login may read: the weakest of the three rights. */
const struct account topology_accounts[] = {
        {
                .login = "warren-admin",
                .configure = ".*",
                .write = ".*",
                .read = ".*",
                .tags = "administrator",
        },
        {
                .login = "warren-provision",
                .configure = "^(jobs|" TOKENS "|" COOLING "|" PARKED ")\\..*$",
                .configure_to_look =
                        "^((jobs|" TOKENS "|" COOLING "|" PARKED ")\\..*|control|events)$",
                .write = "^((jobs|" TOKENS "|" COOLING "|" PARKED
                         ")\\..*|control|sync|events|dead|unroutable|amq\\.default)$",
                .read = "^((jobs|" TOKENS "|" COOLING "|" PARKED ")\\..*|due|work|control)$",
                .tags = "",
        },
        {
                .login = "warren-gateway",
                .configure = RIGHT_TO_NOTHING,
                .configure_to_look = "^(" JOB_QUEUES "|events|control|admits)$",
                .write = "^((jobs|delay|hold)\\..*|work|events|admits|sync)$",
                .read = "^(events|control|admits)$",
                .tags = "",
        },
        {
                .login = "warren-consumer",
                .configure = RIGHT_TO_NOTHING,
                .configure_to_look = "^(" JOB_QUEUES "|(" TOKENS ")\\..*|events|control|marks)$",
                .write = "^((delay|hold|" PARKED ")\\..*|work|due|dead|events|sync)$",
                .read = "^((jobs|" TOKENS ")\\..*|control|marks)$",
                .tags = "",
        },
        {
                .login = "warren-status-store",
                .configure = RIGHT_TO_NOTHING,
                .configure_to_look = "^(" JOB_QUEUES "|events|control)$",
                .write = "^sync$",
                .write_to_look = "^(sync|" JOB_QUEUES ")$",
                .read = "^(events|control)$",
                .tags = "",
        },
        /* The primary status-store: acts of people on jobs, and what leaves the parked queues. */
        {
                .login = "warren-operator",
                .configure = RIGHT_TO_NOTHING,
                .configure_to_look = "^((" PARKED ")\\..*|events|marks)$",
                .write = "^((jobs|delay)\\..*|work|events|marks)$",
                .read = "^(" PARKED ")\\..*$",
                .tags = "",
        },
        {
                .login = "warren-dlx-monitor",
                .configure = RIGHT_TO_NOTHING,
                .configure_to_look = "^(dead|unroutable|events|control)$",
                .write = "^((jobs|delay)\\..*|events|sync)$",
                .read = "^(dead|unroutable|events|control)$",
                .tags = "",
        },
        {.login = NULL},
};

enum passive_declare passive_declare_of(const struct broker_version *v)
{
        const int number = v->major * 10000 + v->minor * 100 + v->patch;
        if (number < 40206)
                return PASSIVE_DECLARE_FREE;
        return number == 40206 || number == 40300 ? PASSIVE_DECLARE_CONFIGURE : PASSIVE_DECLARE_ANY;
}

struct account account_for(const struct account *a, enum passive_declare need)
{
        struct account fit = *a;
        switch (need) {
        case PASSIVE_DECLARE_FREE:
                break;
        case PASSIVE_DECLARE_CONFIGURE:
                if (a->configure_to_look != NULL)
                        fit.configure = a->configure_to_look;
                break;
        case PASSIVE_DECLARE_ANY:
                if (a->write_to_look != NULL)
                        fit.write = a->write_to_look;
                break;
        }
        return fit;
}

int broker_version_parse(const char *text, struct broker_version *v)
{
        int *const parts[] = {&v->major, &v->minor, &v->patch};
        const char *at = text != NULL ? text : "";

        for (size_t i = 0; i < 3; i++) {
                char *end = NULL;
                long number = strtol(at, &end, 10);
                if (!isdigit((unsigned char)*at) || number > 99 || (i < 2 && *end != '.'))
                        return -1;
                *parts[i] = (int)number;
                at = end + 1;
        }
        return 0;
}

int topology_broker_version(struct http_client *management, struct broker_version *v, struct err *e)
{
        json_auto_t *overview = management_get(management, "/api/overview", e);
        if (overview == NULL)
                return -1;
        const char *text = json_string_value(json_object_get(overview, "rabbitmq_version"));
        if (broker_version_parse(text, v) < 0)
                return err_set(e, ERR_PROTOCOL, "the broker's version is not understood: %.40s",
                               text == NULL ? "none" : text);
        return 0;
}
