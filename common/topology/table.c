/* SPDX-License-Identifier: Apache-2.0
 *
 * table.c: the declarations of the fixed part, of a tenant's part, of a limit and of a pause, in a
 * valid order: exchanges, queues, bindings.
 */
#include <inttypes.h>
#include <stdio.h>

#include "common/model/delay.h"
#include "common/model/job.h"
#include "common/model/lane.h"
#include "common/model/parked.h"
#include "common/topology/topology.h"

enum { KEY_SIZE = 48, NAME_SIZE = KEY_SIZE + 8 }; /* tenant (32), dot, lane */

#define EVENTS_MAX_BYTES ((int64_t)10 * 1000 * 1000 * 1000)
#define EVENTS_MAX_AGE ((msec)7 * MSEC_DAY)
#define DELIVERY_LIMIT 1000

static const struct argument alternate_unroutable[] = {
        {.name = "alternate-exchange", .text = "unroutable"},
        {.name = NULL},
};

static const struct argument single_active_quorum[] = {
        {.name = "x-queue-type", .text = "quorum"},
        {.name = "x-single-active-consumer", .number = 1, .boolean = true},
        {.name = NULL},
};

static const struct argument quorum[] = {
        {.name = "x-queue-type", .text = "quorum"},
        {.name = NULL},
};

static const struct argument endless_stream[] = {
        {.name = "x-queue-type", .text = "stream"},
        {.name = NULL},
};

/* Retention deletes whole segments, so a short history needs small ones. */
static const struct argument marks_stream[] = {
        {.name = "x-queue-type", .text = "stream"},
        {.name = "x-max-age", .text = "2D"},
        {.name = "x-stream-max-segment-size-bytes", .number = 64 * 1000 * 1000},
        {.name = NULL},
};

static const struct argument admits_stream[] = {
        {.name = "x-queue-type", .text = "stream"},
        {.name = "x-max-age", .text = "1h"},
        {.name = "x-stream-max-segment-size-bytes", .number = 16 * 1000 * 1000},
        {.name = NULL},
};

static const struct declaration exchanges[] = {
        {DECLARE_EXCHANGE, .name = "unroutable", .type = "fanout"},
        {DECLARE_EXCHANGE, .name = "due", .type = "direct", .arguments = alternate_unroutable},
        /* Without an alternate exchange, so that `mandatory` returns a job that no queue gets. */
        {DECLARE_EXCHANGE, .name = "work", .type = "direct"},
        {DECLARE_EXCHANGE, .name = "dead", .type = "fanout"},
        {DECLARE_EXCHANGE, .name = "events", .type = "fanout"},
        {DECLARE_EXCHANGE, .name = "control", .type = "fanout"},
        {DECLARE_EXCHANGE, .name = "marks", .type = "fanout"},
        {DECLARE_EXCHANGE, .name = "admits", .type = "fanout"},
        {DECLARE_EXCHANGE, .name = "sync", .type = "fanout"},
};

/* Without `events`, whose retention is a setting. */
static const struct declaration queues[] = {
        {DECLARE_QUEUE, .name = "unroutable", .arguments = single_active_quorum},
        {DECLARE_QUEUE, .name = "dead", .arguments = single_active_quorum},
        {DECLARE_QUEUE, .name = "control", .arguments = endless_stream},
        {DECLARE_QUEUE, .name = "marks", .arguments = marks_stream},
        {DECLARE_QUEUE, .name = "admits", .arguments = admits_stream},
};

static const struct declaration bindings[] = {
        {DECLARE_BINDING, .name = "unroutable", .source = "unroutable", .key = ""},
        {DECLARE_BINDING, .name = "dead", .source = "dead", .key = ""},
        {DECLARE_BINDING, .name = "events", .source = "dead", .key = ""},
        {DECLARE_BINDING, .name = "events", .source = "events", .key = ""},
        {DECLARE_BINDING, .name = "control", .source = "control", .key = ""},
        {DECLARE_BINDING, .name = "control", .source = "sync", .key = ""},
        {DECLARE_BINDING, .name = "marks", .source = "marks", .key = ""},
        {DECLARE_BINDING, .name = "marks", .source = "sync", .key = ""},
        {DECLARE_BINDING, .name = "admits", .source = "admits", .key = ""},
};

struct walk {
        declaration_fn *each;
        void *owner;
};

static int walk_table(const struct walk *w, const struct declaration *table, size_t count,
                      struct err *e)
{
        for (size_t i = 0; i < count; i++)
                if (w->each(w->owner, &table[i], e) < 0)
                        return -1;
        return 0;
}

#define WALK_TABLE(w, table, e) walk_table(w, table, sizeof(table) / sizeof((table)[0]), e)

/* A stream's age in RabbitMQ's form: days if exact, else seconds, rounded up. */
static void stream_age(msec age, char *out, size_t size)
{
        if (age % MSEC_DAY == 0)
                snprintf(out, size, "%" PRId64 "D", age / MSEC_DAY);
        else
                snprintf(out, size, "%" PRId64 "s", (age + MSEC_SECOND - 1) / MSEC_SECOND);
}

static int walk_events(const struct walk *w, const struct topology_settings *s, struct err *e)
{
        char age[32];
        stream_age(s != NULL && s->events_max_age > 0 ? s->events_max_age : EVENTS_MAX_AGE, age,
                   sizeof(age));
        int64_t bytes =
                s != NULL && s->events_max_bytes > 0 ? s->events_max_bytes : EVENTS_MAX_BYTES;
        const struct argument arguments[] = {
                {.name = "x-queue-type", .text = "stream"},
                {.name = "x-max-age", .text = age},
                {.name = "x-max-length-bytes", .number = bytes},
                {.name = NULL},
        };
        const struct declaration row = {DECLARE_QUEUE, .name = "events", .arguments = arguments};
        return w->each(w->owner, &row, e);
}

static int walk_bucket(const struct walk *w, const struct delay_bucket *b, struct err *e)
{
        char name[NAME_SIZE];
        char hold[NAME_SIZE];
        snprintf(name, sizeof(name), "delay.%s", b->name);
        snprintf(hold, sizeof(hold), "hold.%s", b->name);
        /* Without a dead-letter routing key: the job keeps its own, <tenant>.<lane>. */
        const struct argument arguments[] = {
                {.name = "x-queue-type", .text = "quorum"},
                {.name = "x-message-ttl", .number = b->ttl},
                {.name = "x-dead-letter-exchange", .text = "due"},
                {.name = "x-dead-letter-strategy", .text = "at-least-once"},
                {.name = "x-overflow", .text = "reject-publish"},
                {.name = NULL},
        };
        const struct declaration rows[] = {
                {DECLARE_EXCHANGE, .name = name, .type = "fanout"},
                {DECLARE_QUEUE, .name = name, .arguments = arguments},
                {DECLARE_BINDING, .name = name, .source = name, .key = ""},
                {DECLARE_BINDING, .name = "events", .source = name, .key = ""},
                {DECLARE_EXCHANGE, .name = hold, .type = "fanout"},
                {DECLARE_BINDING, .name = name, .source = hold, .key = ""},
        };
        return WALK_TABLE(w, rows, e);
}

int topology_each(const struct topology_settings *s, declaration_fn *each, void *owner,
                  struct err *e)
{
        const struct walk w = {each, owner};
        if (WALK_TABLE(&w, exchanges, e) < 0 || WALK_TABLE(&w, queues, e) < 0 ||
            walk_events(&w, s, e) < 0 || WALK_TABLE(&w, bindings, e) < 0)
                return -1;
        for (size_t i = 0; i < DELAY_BUCKET_COUNT; i++)
                if (walk_bucket(&w, &delay_buckets[i], e) < 0)
                        return -1;
        return 0;
}

static int walk_lane(const struct walk *w, const char *exchange, const char *tenant,
                     const char *lane, struct err *e)
{
        char queue[NAME_SIZE];
        char key[KEY_SIZE];
        snprintf(key, sizeof(key), "%s.%s", tenant, lane);
        snprintf(queue, sizeof(queue), "jobs.%s", key);
        const struct argument arguments[] = {
                {.name = "x-queue-type", .text = "quorum"},
                {.name = "x-delivery-limit", .number = DELIVERY_LIMIT},
                {.name = "x-dead-letter-exchange", .text = "dead"},
                {.name = "x-dead-letter-routing-key", .text = key},
                {.name = "x-dead-letter-strategy", .text = "at-least-once"},
                {.name = "x-overflow", .text = "reject-publish"},
                {.name = NULL},
        };
        const struct declaration rows[] = {
                {DECLARE_QUEUE, .name = queue, .arguments = arguments},
                {DECLARE_BINDING, .name = queue, .source = exchange, .key = lane},
                {DECLARE_BINDING, .name = "events", .source = exchange, .key = lane},
                {DECLARE_BINDING, .name = queue, .source = "due", .key = key},
                {DECLARE_BINDING, .name = "events", .source = "due", .key = key},
                {DECLARE_BINDING, .name = queue, .source = "work", .key = key},
        };
        return WALK_TABLE(w, rows, e);
}

int topology_each_of_tenant(const char *tenant, declaration_fn *each, void *owner, struct err *e)
{
        if (!tenant_name_is_valid(bytes_of_text(tenant)))
                return err_set(e, ERR_INVALID, "%.64s is no tenant name", tenant);
        const struct walk w = {each, owner};
        char exchange[NAME_SIZE];
        snprintf(exchange, sizeof(exchange), "jobs.%s", tenant);
        const struct declaration row = {DECLARE_EXCHANGE, .name = exchange, .type = "direct",
                                        .arguments = alternate_unroutable};
        if (each(owner, &row, e) < 0)
                return -1;
        for (int lane = 0; lane < LANE_COUNT; lane++)
                if (walk_lane(&w, exchange, tenant, lane_name((enum lane)lane), e) < 0)
                        return -1;
        return 0;
}

/* A token that is rejected in the one queue goes to the other, and is back when its time there is
 * over. The broker keeps it until it has arrived. */
static int walk_rate(const struct walk *w, const char *tokens, const char *cooling, msec per,
                     struct err *e)
{
#define DEAD_LETTERED(to) \
        {.name = "x-queue-type", .text = "quorum"}, \
                {.name = "x-dead-letter-exchange", .text = ""}, \
                {.name = "x-dead-letter-routing-key", .text = (to)}, \
                {.name = "x-dead-letter-strategy", .text = "at-least-once"}, \
        { \
                .name = "x-overflow", .text = "reject-publish" \
        }
        const struct argument taken[] = {DEAD_LETTERED(cooling), {.name = NULL}};
        const struct argument expires[] = {
                DEAD_LETTERED(tokens), {.name = "x-message-ttl", .number = per}, {.name = NULL}};
#undef DEAD_LETTERED
        const struct declaration rows[] = {
                {DECLARE_QUEUE, .name = tokens, .arguments = taken},
                {DECLARE_QUEUE, .name = cooling, .arguments = expires},
        };
        return WALK_TABLE(w, rows, e);
}

int topology_each_of_limit(const struct limit_version *l, declaration_fn *each, void *owner,
                           struct err *e)
{
        const struct walk w = {each, owner};
        char tokens[LIMIT_QUEUE_SIZE];
        char cooling[LIMIT_QUEUE_SIZE];
        limit_queue_name(l->kind, l->of, l->version, tokens);
        limit_queue_name(LIMIT_TYPE_COOLING, l->of, l->version, cooling);
        if (l->kind == LIMIT_TYPE_RATE)
                return walk_rate(&w, tokens, cooling, l->per, e);
        const struct declaration row = {DECLARE_QUEUE, .name = tokens, .arguments = quorum};
        return each(owner, &row, e);
}

/* No TTL and no dead-letter exchange: what is parked stays until it is taken out. */
int topology_each_of_pause(const char *key, declaration_fn *each, void *owner, struct err *e)
{
        const struct walk w = {each, owner};
        char name[PARKED_QUEUE_SIZE];
        if (!parked_of_key(key, name))
                return err_set(e, ERR_INVALID, "%.128s is no key of a pause", key);
        const struct declaration rows[] = {
                {DECLARE_EXCHANGE, .name = name, .type = "fanout"},
                {DECLARE_QUEUE, .name = name, .arguments = quorum},
                {DECLARE_BINDING, .name = name, .source = name, .key = ""},
        };
        return WALK_TABLE(&w, rows, e);
}
