/* SPDX-License-Identifier: Apache-2.0
 *
 * doctor_consumers.c: finds queues that have no consumer.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/lane.h"
#include "ui/cli/api.h"
#include "ui/cli/broker.h"
#include "ui/cli/doctor.h"
#include "ui/cli/tenant_names.h"
#include "ui/cli/view.h"

/* The management plugin learns of consumers every 5 s (collect_statistics_interval). A consumer
 * that is missing is looked for again for this long. */
static const msec retry_time = 6500;
enum { PAUSE_MS = 500, NAMES_SHOWN = 10 };

/* The vhost's queues, and which of them have a consumer. */
struct queue_entry {
        char *name;
        bool consumed;
        bool has_messages;
        UT_hash_handle hh;
};

/* Queues of one kind that have no consumer. */
struct idle {
        struct buffer names; /* the first NAMES_SHOWN */
        unsigned count;
};

struct reading {
        /* A warren-consumer consumes some queue. While all its workers are busy for long, it does
         * not consume queues whose jobs it cannot start: this is not a fault. */
        bool consumer_there;
        struct idle jobs, events, archive;
};

static void reading_fini(struct reading *r)
{
        buffer_fini(&r->jobs.names);
        buffer_fini(&r->events.names);
        buffer_fini(&r->archive.names);
}

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

static void add_queue(void *owner, const char *name, int64_t messages)
{
        struct queue_entry **queues = owner;

        if (find_queue(*queues, name) != NULL)
                return;
        struct queue_entry *entry = xcalloc(1, sizeof(*entry));
        entry->name = xstrdup(name);
        entry->has_messages = messages > 0;
        HASH_ADD_KEYPTR(hh, *queues, entry->name, strlen(entry->name), entry);
}

static int list_consumers(const struct broker_checks *b, struct queue_entry *queues,
                          struct reading *r, struct err *e)
{
        AUTO_FREE char *path = api_path("/api/consumers/*", b->vhost);
        AUTO_REPLY reply = {0};
        struct scan_item item;

        if (broker_ask(b->management, path, &reply, e) < 0)
                return -1;
        for (struct scan_cursor at = scan_items(api_value(&reply)); scan_next(&at, &item);) {
                AUTO_BUFFER name = {0}, user = {0};
                bool named = view_add(item.value, "queue.name", &name);
                struct queue_entry *entry = named ? find_queue(queues, name.data) : NULL;
                if (entry != NULL)
                        entry->consumed = true;
                if (view_add(item.value, "channel_details.user", &user) &&
                    strcmp(user.data, "warren-consumer") == 0)
                        r->consumer_there = true;
        }
        return 0;
}

/* A missing queue is reported by the check of the topology. */
static void add_if_idle(struct queue_entry *queues, const char *name, struct idle *idle)
{
        const struct queue_entry *entry = find_queue(queues, name);

        if (entry == NULL || entry->consumed)
                return;
        if (idle->count++ < NAMES_SHOWN)
                buffer_printf(&idle->names, "%s%s", idle->count == 1 ? "" : ", ", name);
}

static void read_tenant(const char *tenant, struct queue_entry *queues, struct reading *r)
{
        for (int lane = 0; lane < LANE_COUNT; lane++) {
                AUTO_FREE char *name = xasprintf("jobs.%s.%s", tenant, lane_name((enum lane)lane));
                const struct queue_entry *entry = find_queue(queues, name);
                if (entry == NULL || !entry->has_messages || !r->consumer_there)
                        add_if_idle(queues, name, &r->jobs);
        }
}

static void read_queues(const struct broker_checks *b, struct queue_entry *queues,
                        struct reading *r)
{
        const char *const *names = b->tenants == NULL ? NULL : tenant_names_list(b->tenants);

        for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
                if (!tenant_names_is_paused(b->tenants, i))
                        read_tenant(names[i], queues, r);
        }
        add_if_idle(queues, "events", &r->events);
        add_if_idle(queues, "dead", &r->archive);
        add_if_idle(queues, "unroutable", &r->archive);
}

static int read_once(const struct broker_checks *b, struct reading *r, struct err *e)
{
        struct queue_entry *queues = NULL;

        int failed = broker_each_queue(b->management, b->vhost, add_queue, &queues, e);
        if (failed == 0)
                failed = list_consumers(b, queues, r, e);
        if (failed == 0)
                read_queues(b, queues, r);
        forget_queues(&queues);
        return failed;
}

static int read_with_retries(const struct broker_checks *b, struct reading *r, struct err *e)
{
        msec end = clock_mono() + retry_time;

        for (;;) {
                if (read_once(b, r, e) < 0)
                        return -1;
                bool idle = r->jobs.count > 0 || r->events.count > 0 || r->archive.count > 0;
                if (!idle || clock_mono() >= end)
                        return 0;
                reading_fini(r);
                *r = (struct reading){0};
                poll(NULL, 0, PAUSE_MS);
        }
}

static void report(const struct broker_checks *b, const char *check, const struct idle *idle,
                   const char *remedy)
{
        AUTO_BUFFER problem = {0};

        if (idle->count == 0) {
                diagnosis_add(b->d, check, HEALTH_OK, NULL, NULL);
                return;
        }
        buffer_printf(&problem, "no consumer reads %s", idle->names.data);
        if (idle->count > NAMES_SHOWN)
                buffer_printf(&problem, " and %u more", idle->count - NAMES_SHOWN);
        diagnosis_add(b->d, check, HEALTH_WRONG, problem.data, remedy);
}

/* The remedy is another key only when the gateway refused this one. */
static void report_unknown_tenants(const struct broker_checks *b)
{
        AUTO_FREE char *problem =
                xasprintf("the list of tenants could not be read: %s", b->unknown->text);
        bool forbidden = b->unknown->code == ERR_FORBIDDEN;

        diagnosis_add(b->d, "consumers", HEALTH_UNKNOWN, problem,
                      forbidden ? "set WARREN_ADMIN_KEY to an admin key" : NULL);
}

void doctor_check_consumers(const struct broker_checks *b)
{
        struct err e = {0};
        struct reading r __attribute__((cleanup(reading_fini))) = {0};

        if (read_with_retries(b, &r, &e) < 0) {
                diagnosis_add(b->d, "consumers", HEALTH_UNKNOWN, e.text, NULL);
                return;
        }
        if (b->tenants == NULL)
                report_unknown_tenants(b);
        else
                report(b, "consumers", &r.jobs, "start warren-consumer, or see its log");
        report(b, "status-store reads", &r.events, "start warren-status-store, or see its log");
        report(b, "dlx-monitor reads", &r.archive, "start warren-dlx-monitor, or see its log");
}
