/* SPDX-License-Identifier: Apache-2.0
 *
 * apply.c: declares the topology on a broker, and deletes a tenant's part and a limit's.
 */
#include <stdio.h>
#include <unistd.h>

#include "common/amqp/wait.h"
#include "common/model/job.h"
#include "common/model/lane.h"
#include "common/topology/topology.h"

#define STARTING_LIMIT ((msec)30 * MSEC_SECOND)

enum { STARTING_PAUSE_US = 100 * 1000 };
enum { KEY_SIZE = 48, QUEUE_SIZE = KEY_SIZE + 8 }; /* tenant (32), dot, lane */

static const char *what_word(enum declare_what what)
{
        switch (what) {
        case DECLARE_EXCHANGE:
        case DELETE_EXCHANGE:
                return "exchange";
        case DECLARE_BINDING:
        case DELETE_BINDING:
                return "binding of queue";
        case DECLARE_QUEUE:
        case DELETE_QUEUE:
        case COUNT_QUEUE:
                return "queue";
        }
        return "?";
}

/* A broker that has just started answers "not found: its home node is down" for an existing queue
 * until the queue's leader is back (seen on 3.10.8). */
static bool queue_is_starting(const struct declaration *d, const struct err *why)
{
        return d->what == DECLARE_QUEUE && why->code == ERR_NOT_FOUND;
}

static int declare_once(void *link, const struct declaration *d, struct err *e)
{
        struct err why = {0};

        if (declare_and_wait(link, d, &why) == 0)
                return 0;
        return err_set(e, why.code, "%s %s: %s", what_word(d->what), d->name, why.text);
}

static int declare(void *link, const struct declaration *d, struct err *e)
{
        const msec end = clock_mono() + STARTING_LIMIT;
        struct err why = {0};

        while (declare_once(link, d, &why) != 0) {
                if (!queue_is_starting(d, &why) || clock_mono() > end)
                        return err_set(e, why.code, "%s", why.text);
                err_clear(&why);
                usleep(STARTING_PAUSE_US);
        }
        return 0;
}

int topology_apply(struct link *l, const struct topology_settings *s, struct err *e)
{
        return topology_each(s, declare, l, e);
}

int topology_apply_tenant(struct link *l, const char *tenant, struct err *e)
{
        return topology_each_of_tenant(tenant, declare, l, e);
}

int topology_delete_tenant(struct link *l, const char *tenant, struct err *e)
{
        if (!tenant_name_is_valid(bytes_of_text(tenant)))
                return err_set(e, ERR_INVALID, "%.64s is no tenant name", tenant);
        char exchange[QUEUE_SIZE];
        char queue[LANE_COUNT][QUEUE_SIZE];
        snprintf(exchange, sizeof(exchange), "jobs.%s", tenant);
        if (declare(l, &(struct declaration){DELETE_EXCHANGE, .name = exchange}, e) < 0)
                return -1;
        for (int lane = 0; lane < LANE_COUNT; lane++) {
                char key[KEY_SIZE];
                snprintf(key, sizeof(key), "%s.%s", tenant, lane_name((enum lane)lane));
                snprintf(queue[lane], QUEUE_SIZE, "jobs.%s", key);
                /* Jobs that still become due are archived as unroutable. */
                const struct declaration bindings[] = {
                        {DELETE_BINDING, .name = queue[lane], .source = "work", .key = key},
                        {DELETE_BINDING, .name = "events", .source = "due", .key = key},
                        {DELETE_BINDING, .name = queue[lane], .source = "due", .key = key},
                };
                for (size_t i = 0; i < sizeof(bindings) / sizeof(bindings[0]); i++)
                        if (declare(l, &bindings[i], e) < 0)
                                return -1;
        }
        for (int lane = 0; lane < LANE_COUNT; lane++)
                if (declare(l, &(struct declaration){DELETE_QUEUE, .name = queue[lane]}, e) < 0)
                        return -1;
        return 0;
}

int topology_apply_pause(struct link *l, const char *key, struct err *e)
{
        return topology_each_of_pause(key, declare, l, e);
}

int topology_apply_limit(struct link *l, const struct limit_version *v, struct err *e)
{
        return topology_each_of_limit(v, declare_once, l, e);
}

/* The queue of tokens first: it may have consumers. */
int topology_delete_limit(struct link *l, const struct limit_version *v, struct err *e)
{
        char tokens[LIMIT_QUEUE_SIZE];
        char cooling[LIMIT_QUEUE_SIZE];
        limit_queue_name(v->kind, v->of, v->version, tokens);
        limit_queue_name(LIMIT_TYPE_COOLING, v->of, v->version, cooling);
        const struct declaration rows[] = {
                {DELETE_QUEUE, .name = tokens},
                {DELETE_QUEUE, .name = cooling},
        };
        size_t count = v->kind == LIMIT_TYPE_RATE ? sizeof(rows) / sizeof(rows[0]) : 1;
        for (size_t i = 0; i < count; i++)
                if (declare(l, &rows[i], e) < 0)
                        return -1;
        return 0;
}
