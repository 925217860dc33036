/* SPDX-License-Identifier: Apache-2.0
 *
 * unparker.c: subscriptions of parked queues, and the messages on their way from them to `work`.
 * All on the operator's loop.
 *
 * Two links: the one that takes stops reading above a bound of bytes, and confirms of the other
 * must come all the same.
 */
#include "status-store/acts/unparker.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "common/amqp/outbox.h"
#include "common/base/alarm.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/parked.h"

enum { PREFETCH = 200, READ_BYTES = 16 * 1024 * 1024, WINDOW_BYTES = 4 * 1024 * 1024 };
#define LOG_EVERY ((msec)MSEC_MINUTE)
/* A job is brought back at least this long after it was parked: a consumer that does not know yet
 * that the pause is over parks it again, and the two must not turn it round without a rest. */
#define PARKED_LEAST ((msec)MSEC_SECOND)
#define LOOK_EVERY ((msec)100)

enum outcome { MOVED, DROPPED };

struct parked_queue {
        char name[PARKED_QUEUE_SIZE];
        struct subscription *subscription; /* NULL: its pause is on */
        UT_hash_handle hh;
};

/* A job on its way back; or, in `left`, a message that is none. */
struct moving {
        struct publication publication; /* first, so that a pointer to one is the other */
        struct delivery *delivery;
        struct job job;
        msec not_before; /* by clock_mono; 0: it was handed to the outbox */
        struct unparker *unparker;
        struct moving *prev, *next;
};

/* Loop thread only. */
struct unparker {
        struct operator* operator;
        struct registry *registry;
        struct link *take, *put;
        struct outbox *outbox;
        struct alarm *alarm;
        struct parked_queue *queues;
        struct moving *moving, *left;
        unsigned young; /* of those: not handed to the outbox */
        msec drop_logged_at, left_logged_at;
        struct metric *total;
};

static void end_moving(struct moving *m, enum settle how)
{
        struct unparker *u = m->unparker;

        DL_DELETE(u->moving, m);
        link_settle(&m->delivery, how);
        free(m);
}

static void count(struct unparker *u, enum outcome outcome)
{
        if (u->total != NULL)
                metric_increment(u->total, 1, outcome == MOVED ? "moved" : "dropped");
}

/* A redelivered message may have been published before, so the second of two is asked about. */
static void encode(const struct publication *p, bool again, msec now, struct job_message *out)
{
        struct job job = ((const struct moving *)p)->job;

        job.again |= again;
        job_encode(&job, STATION_UNPARK, now, out);
}

static void on_confirmed(void *owner, struct publication *p)
{
        count(owner, MOVED);
        end_moving((struct moving *)p, SETTLE_ACK);
}

static bool may_log(msec *logged_at)
{
        const msec now = clock_mono();

        if (*logged_at != 0 && now - *logged_at < LOG_EVERY)
                return false;
        *logged_at = now;
        return true;
}

/* No lane takes it: its tenant was deleted, or its queues will come back. */
static bool on_returned(void *owner, struct publication *p)
{
        struct unparker *u = owner;
        struct moving *m = (struct moving *)p;
        struct tenant t = {0};
        struct err why = {0};
        int found = registry_tenant(u->registry, m->job.tenant, &t, &why);

        if (found < 0 || (found == 1 && !t.record.deleted))
                return false;
        if (may_log(&u->drop_logged_at))
                LOG_WARN("parked jobs are dropped: their tenant was deleted",
                         log_text("tenant", m->job.tenant), log_text("job", m->job.id));
        count(u, DROPPED);
        end_moving(m, SETTLE_ACK);
        return true;
}

/* One whose connection has ended comes again. */
static void send_off(struct moving *m)
{
        m->not_before = 0;
        m->unparker->young--;
        if (delivery_is_live(m->delivery))
                outbox_post(m->unparker->outbox, &m->publication);
        else
                end_moving(m, SETTLE_REQUEUE);
}

static void on_alarm(void *owner)
{
        struct unparker *u = owner;
        struct moving *m = NULL;
        struct moving *next = NULL;
        const msec now = clock_mono();

        DL_FOREACH_SAFE (u->moving, m, next)
                if (m->not_before != 0 && m->not_before <= now)
                        send_off(m);
        if (u->young > 0)
                alarm_set(u->alarm, LOOK_EVERY);
}

/* How long until it may be brought back; clocks of other machines may be wrong. */
static msec rest_left(const struct job *job)
{
        msec left = job->queued_at + PARKED_LEAST - clock_wall();

        if (left < 0)
                return 0;
        return left < PARKED_LEAST ? left : PARKED_LEAST;
}

static void forget_left(struct unparker *u, bool all)
{
        struct moving *m = NULL;
        struct moving *next = NULL;

        DL_FOREACH_SAFE (u->left, m, next) {
                if (!all && delivery_is_live(m->delivery))
                        continue;
                DL_DELETE(u->left, m);
                link_settle(&m->delivery, SETTLE_REQUEUE);
                free(m);
        }
}

/* Only services may write parked queues, so this is a bug or somebody's repair. It is held, so that
 * it does not come again at once, and stays in its queue. */
static void leave(struct unparker *u, struct moving *m, const struct err *why)
{
        if (may_log(&u->left_logged_at))
                LOG_ERROR("a parked message is no job: it is left in its queue", log_err(why));
        forget_left(u, false);
        DL_APPEND(u->left, m);
}

static void on_delivery(void *owner, struct delivery *d)
{
        static const struct job_limits limits = {.payload_max = SIZE_MAX};
        struct unparker *u = owner;
        struct moving *m = xcalloc(1, sizeof(*m));
        struct err why = {0};

        m->delivery = d;
        if (job_decode(&d->message, &limits, clock_wall(), &m->job, &why) != 0) {
                leave(u, m, &why);
                return;
        }
        m->job.again |= d->redelivered;
        m->unparker = u;
        m->publication = (struct publication){
                .encode = encode, .confirmed = on_confirmed, .returned = on_returned, .owner = u};
        m->not_before = clock_mono() + rest_left(&m->job);
        DL_APPEND(u->moving, m);
        u->young++;
        if (m->not_before <= clock_mono())
                send_off(m);
        else if (!alarm_is_set(u->alarm))
                alarm_set(u->alarm, LOOK_EVERY);
}

static struct parked_queue *find_queue(struct unparker *u, const char *name)
{
        struct parked_queue *q = NULL;

        HASH_FIND_STR(u->queues, name, q);
        if (q != NULL)
                return q;
        q = xcalloc(1, sizeof(*q));
        memcpy(q->name, name, strnlen(name, sizeof(q->name) - 1));
        HASH_ADD_STR(u->queues, name, q);
        return q;
}

/* What was taken goes on when its pause is on again: it is parked again. */
static void set_paused(struct unparker *u, const char *name, bool paused)
{
        struct parked_queue *q = find_queue(u, name);

        if (paused && q->subscription != NULL)
                link_unsubscribe(&q->subscription);
        else if (!paused && q->subscription == NULL)
                q->subscription = link_subscribe(
                        u->take, &(struct source){.queue = q->name, .prefetch = PREFETCH},
                        on_delivery, u);
}

struct change {
        struct unparker *unparker;
        const char *queue;
        bool paused;
};

static void run_change(void *owner)
{
        const struct change *c = owner;

        set_paused(c->unparker, c->queue, c->paused);
}

void unparker_paused(struct unparker *u, const char *key, bool paused)
{
        char queue[PARKED_QUEUE_SIZE];

        if (parked_of_key(key, queue))
                operator_run(u->operator, run_change, &(struct change){u, queue, paused});
}

struct opening {
        struct unparker *u;
        const struct link_config *config;
        struct err *e;
};

static struct link *open_link(const struct opening *o, const char *what, size_t read_bytes)
{
        AUTO_FREE char *name = xasprintf("%s %s", o->config->name, what);
        struct link_config config = *o->config;

        config.name = name;
        config.read_bytes = read_bytes;
        config.window_bytes = WINDOW_BYTES;
        return link_create(&config, NULL, NULL, operator_loop(o->u->operator), o->e);
}

static void open_links(void *owner)
{
        struct opening *o = owner;
        struct unparker *u = o->u;

        u->put = open_link(o, "unpark", 0);
        if (u->put == NULL)
                return;
        u->outbox = outbox_create(u->put, operator_loop(u->operator), NULL, NULL);
        u->alarm = alarm_create(operator_loop(u->operator), on_alarm, u);
        u->take = open_link(o, "parked", READ_BYTES);
}

static void close_links(void *owner)
{
        struct unparker *u = owner;
        struct moving *m = NULL;
        struct moving *next = NULL;

        link_destroy(&u->take);
        link_destroy(&u->put);
        outbox_destroy(&u->outbox);
        alarm_destroy(&u->alarm);
        DL_FOREACH_SAFE (u->moving, m, next)
                end_moving(m, SETTLE_REQUEUE);
        forget_left(u, true);
}

struct unparker *unparker_create(const struct link_config *link, struct operator* operator,
                                 struct registry * registry, struct err *e)
{
        AUTO(unparker) u = xcalloc(1, sizeof(*u));
        struct opening opening = {u, link, e};

        u->operator= operator;
        u->registry = registry;
        operator_run(operator, open_links, &opening);
        return u->take != NULL ? TAKE(u) : NULL;
}

void unparker_destroy(struct unparker **unparker)
{
        struct unparker *u = TAKE(*unparker);
        struct parked_queue *q = NULL;
        struct parked_queue *next = NULL;

        if (u == NULL)
                return;
        operator_run(u->operator, close_links, u);
        HASH_ITER (hh, u->queues, q, next) {
                HASH_DEL(u->queues, q);
                free(q);
        }
        free(u);
}

void unparker_measure(struct unparker *u, struct metrics *m)
{
        u->total = metric_add(
                m, &(struct metric_spec){.name = "warren_jobs_unparked_total",
                                         .help = "Jobs brought back from the queue of a pause "
                                                 "that is over.",
                                         .kind = METRIC_COUNTER,
                                         .labels = {"outcome"}});
}
