/* SPDX-License-Identifier: Apache-2.0
 *
 * queue_checks.c: reads queues and consumers, and judges those that Warren knows.
 */
#include "common/doctor/queue_checks.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/json_path.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/lane.h"

/* The management plugin learns of consumers every 5 s (collect_statistics_interval). */
static const msec patience = 6500;
static const msec pause_is_old = 7 * (msec)MSEC_DAY;
enum { NAMES_SHOWN = 10, PARKED_MANY = 1000000 };

/* Queues of one kind with the same fault. */
struct idle {
        struct buffer names; /* the first NAMES_SHOWN */
        unsigned count;
};

struct queue_checks {
        /* A warren-consumer consumes some queue. While all its workers are busy for long, it does
         * not consume queues whose jobs it cannot start: this is not a fault. */
        bool consumer_there;
        struct idle jobs, events, archive;
        struct idle parked;    /* their pause is over */
        struct idle paused;    /* types, not queues */
        struct idle long_held; /* by a pause that is old */
        int64_t most_parked;   /* by one pause */
        char *most_of;         /* which; NULL: none has jobs */
        bool knows_pauses;
        msec idle_since; /* 0: nothing is idle */
};

struct queue_checks *queue_checks_create(void)
{
        return xcalloc(1, sizeof(struct queue_checks));
}

static void forget_look(struct queue_checks *q)
{
        buffer_fini(&q->jobs.names);
        buffer_fini(&q->events.names);
        buffer_fini(&q->archive.names);
        buffer_fini(&q->parked.names);
        buffer_fini(&q->paused.names);
        buffer_fini(&q->long_held.names);
        free(q->most_of);
        *q = (struct queue_checks){.idle_since = q->idle_since};
}

void queue_checks_destroy(struct queue_checks **q)
{
        struct queue_checks *old = TAKE(*q);

        if (old == NULL)
                return;
        forget_look(old);
        free(old);
}

static int list_consumers(const struct doctor_broker *b, const struct queue_list *queues,
                          struct queue_checks *q, struct err *e)
{
        AUTO_FREE char *path = broker_api_path(b, "/api/consumers/", "");
        AUTO_REPLY reply = {0};
        struct scan_value answer = {.kind = SCAN_NULL};
        struct scan_item item;

        if (broker_api_ask(b, path, &reply, &answer, e) < 0)
                return -1;
        for (struct scan_cursor at = scan_items(answer); scan_next(&at, &item);) {
                AUTO_BUFFER name = {0}, user = {0};
                bool named = json_path_add(item.value, "queue.name", &name);
                struct listed_queue *entry = named ? queue_list_find(queues, name.data) : NULL;
                if (entry != NULL)
                        entry->consumed = true;
                if (json_path_add(item.value, "channel_details.user", &user) &&
                    strcmp(user.data, "warren-consumer") == 0)
                        q->consumer_there = true;
        }
        return 0;
}

static void add_name(struct idle *idle, const char *name)
{
        if (idle->count++ < NAMES_SHOWN)
                buffer_printf(&idle->names, "%s%s", idle->count == 1 ? "" : ", ", name);
}

/* A missing queue is reported by the check of the topology. */
static void add_if_idle(const struct queue_list *queues, const char *name, struct idle *idle)
{
        const struct listed_queue *entry = queue_list_find(queues, name);

        if (entry != NULL && !entry->consumed)
                add_name(idle, name);
}

static void read_tenant(const char *tenant, const struct queue_list *queues, struct queue_checks *q)
{
        for (int lane = 0; lane < LANE_COUNT; lane++) {
                AUTO_FREE char *name = xasprintf("jobs.%s.%s", tenant, lane_name((enum lane)lane));
                const struct listed_queue *entry = queue_list_find(queues, name);
                if (entry == NULL || entry->messages <= 0 || !q->consumer_there)
                        add_if_idle(queues, name, &q->jobs);
        }
}

/* "export", "export of acme"; owned. NULL: the key is none of a pause. */
static char *pause_name(const char *key)
{
        char tenant[TENANT_SIZE], type[JOB_TYPE_SIZE];

        if (!pause_key_parse(bytes_of_text(key), tenant, type))
                return NULL;
        return tenant[0] == '\0' ? xasprintf("%s", type) : xasprintf("%s of %s", type, tenant);
}

static void read_pause(const struct doctor_pause *pause, const struct queue_list *queues,
                       struct queue_checks *q)
{
        char name[PARKED_QUEUE_SIZE];
        AUTO_FREE char *of = pause_name(pause->key);

        if (of == NULL || !parked_of_key(pause->key, name))
                return;
        if (pause->paused)
                add_name(&q->paused, of);
        const struct listed_queue *entry = queue_list_find(queues, name);
        if (entry == NULL || entry->messages <= 0)
                return;
        if (!pause->paused) {
                add_if_idle(queues, name, &q->parked);
                return;
        }
        if (pause->since > 0 && clock_wall() - pause->since > pause_is_old) {
                AUTO_FREE char *held =
                        xasprintf("%s holds %lld jobs", name, (long long)entry->messages);
                add_name(&q->long_held, held);
        }
        if (entry->messages > q->most_parked) {
                q->most_parked = entry->messages;
                free(q->most_of);
                q->most_of = TAKE(of);
        }
}

static void read_queues(const struct doctor_facts *facts, const struct queue_list *queues,
                        struct queue_checks *q)
{
        for (size_t i = 0; i < facts->tenant_count; i++) {
                if (!facts->tenants[i].paused)
                        read_tenant(facts->tenants[i].name, queues, q);
        }
        for (size_t i = 0; i < facts->pause_count; i++)
                read_pause(&facts->pauses[i], queues, q);
        q->knows_pauses = facts->pause_count > 0;
        add_if_idle(queues, "events", &q->events);
        add_if_idle(queues, "dead", &q->archive);
        add_if_idle(queues, "unroutable", &q->archive);
}

static bool is_idle(const struct queue_checks *q)
{
        return q->jobs.count > 0 || q->events.count > 0 || q->archive.count > 0 ||
               q->parked.count > 0;
}

int queue_checks_look(struct queue_checks *q, const struct doctor_broker *b,
                      const struct doctor_look *look, struct err *e)
{
        forget_look(q);
        int failed = list_consumers(b, look->queues, q, e);
        if (failed == 0)
                read_queues(look->facts, look->queues, q);
        if (!is_idle(q))
                q->idle_since = 0;
        else if (q->idle_since == 0)
                q->idle_since = look->at;
        return failed;
}

bool queue_checks_are_settled(const struct queue_checks *q, msec now)
{
        return q->idle_since == 0 || now - q->idle_since >= patience;
}

static void add_names(const char *before, const struct idle *idle, struct buffer *out)
{
        buffer_printf(out, "%s%s", before, idle->names.data);
        if (idle->count > NAMES_SHOWN)
                buffer_printf(out, " and %u more", idle->count - NAMES_SHOWN);
}

static void report(struct findings *f, enum check check, const struct idle *idle,
                   const char *remedy)
{
        AUTO_BUFFER problem = {0};

        if (idle->count == 0) {
                findings_add(f, check, FINDING_OK, NULL, NULL);
                return;
        }
        add_names("no consumer reads ", idle, &problem);
        findings_add(f, check, FINDING_WRONG, problem.data, remedy);
}

static void report_parked(const struct queue_checks *q, struct findings *f)
{
        AUTO_BUFFER problem = {0};

        if (q->parked.count == 0) {
                findings_add(f, CHECK_PARKED, FINDING_OK, NULL, NULL);
                return;
        }
        add_names("jobs are parked and their pause is over: ", &q->parked, &problem);
        findings_add(f, CHECK_PARKED, FINDING_WRONG, problem.data,
                     "see the log of the primary status-store, and whether it has "
                     "operator_password_file");
}

/* An old pause may be meant: it is told, and not called wrong. */
static void report_pauses(const struct queue_checks *q, struct findings *f)
{
        static const char remedy[] = "resume the type, or cancel jobs that are not wanted any more";
        AUTO_BUFFER text = {0};

        if (q->most_parked >= PARKED_MANY) {
                buffer_printf(&text,
                              "the pause of %s holds %lld jobs, which do not count in max_pending",
                              q->most_of, (long long)q->most_parked);
                findings_add(f, CHECK_PAUSES, FINDING_WRONG, text.data, remedy);
                return;
        }
        if (q->paused.count > 0)
                add_names("paused: ", &q->paused, &text);
        if (q->long_held.count > 0)
                add_names("; for more than 7 days: ", &q->long_held, &text);
        findings_add(f, CHECK_PAUSES, FINDING_OK, text.data,
                     q->long_held.count > 0 ? remedy : NULL);
}

void queue_checks_report(const struct queue_checks *q, bool tenants_known, struct findings *f)
{
        if (tenants_known)
                report(f, CHECK_CONSUMERS, &q->jobs, "start warren-consumer, or see its log");
        report(f, CHECK_STORE_READS, &q->events, "start warren-status-store, or see its log");
        report(f, CHECK_MONITOR_READS, &q->archive, "start warren-dlx-monitor, or see its log");
        if (!q->knows_pauses)
                return;
        report_parked(q, f);
        report_pauses(q, f);
}
