/* SPDX-License-Identifier: Apache-2.0
 *
 * doubts.c: publishes `rejected` for submissions that were not confirmed.
 */
#include "gateway/doubts.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "common/base/alarm.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/event.h"

/* When a broker vanishes (power, network), the connection counts as lost after two heartbeats of
 * 10 s. A publish that is late for longer than this, on a link that stays up, is only slow. */
#define LATE_LIMIT ((msec)30000)

/* Each takes about 180 bytes of a message to `events`. */
enum { DOUBTS_MAX = 16384, BATCH_MAX = 256, PUBLISH_EVERY_MS = 1000 };

struct doubt {
        char id[UUID_SIZE];
        char tenant[TENANT_SIZE];
        int64_t run;
        msec at;   /* wall clock: the time of the event */
        msec seen; /* monotonic clock */
        enum doubt_cause cause;
        struct doubt *prev, *next;
};

struct doubts {
        struct alarm *alarm;
        struct link *link;
        pthread_mutex_t mutex;
        struct doubt *list; /* the oldest first */
        size_t count;
        atomic_uint losses; /* written under mutex */
};

/* The doubts of one message. */
struct batch {
        struct doubts *doubts;
        struct doubt *list;
};

static void free_list(struct doubt *list)
{
        struct doubt *at, *next;

        DL_FOREACH_SAFE (list, at, next) {
                DL_DELETE(list, at);
                free(at);
        }
}

static bool is_due(const struct doubt *doubt)
{
        return doubt->cause != DOUBT_LATE;
}

static void remove_locked(struct doubts *d, struct doubt *doubt)
{
        DL_DELETE(d->list, doubt);
        d->count--;
}

static void forget_slow_locked(struct doubts *d)
{
        msec limit = clock_mono() - LATE_LIMIT;
        struct doubt *at, *next;

        DL_FOREACH_SAFE (d->list, at, next) {
                if (is_due(at) || at->seen >= limit)
                        continue;
                remove_locked(d, at);
                free(at);
        }
}

static void write_event(const struct doubt *doubt, struct buffer *out)
{
        struct event event = {
                .kind = EVENT_REJECTED,
                .run = doubt->run,
                .attempt = 1,
                .at = doubt->at,
                .why = bytes_of_text(doubt->cause == DOUBT_NACK ? "broker nack" : "no confirm")};

        snprintf(event.id, sizeof(event.id), "%s", doubt->id);
        snprintf(event.tenant, sizeof(event.tenant), "%s", doubt->tenant);
        event_write(&event, out);
}

/* Takes the next few off the list; NULL: none is due. */
static struct batch *batch_take(struct doubts *d, struct buffer *lines)
{
        struct batch *batch = xcalloc(1, sizeof(*batch));
        struct doubt *at, *next;
        size_t taken = 0;

        batch->doubts = d;
        pthread_mutex_lock(&d->mutex);
        DL_FOREACH_SAFE (d->list, at, next) {
                if (!is_due(at) || taken == BATCH_MAX)
                        continue;
                remove_locked(d, at);
                DL_APPEND(batch->list, at);
                write_event(at, lines);
                taken++;
        }
        pthread_mutex_unlock(&d->mutex);
        if (taken > 0)
                return batch;
        free(batch);
        return NULL;
}

static void batch_put_back(struct batch *batch)
{
        struct doubts *d = batch->doubts;
        struct doubt *at;
        size_t count;

        DL_COUNT(batch->list, at, count);
        pthread_mutex_lock(&d->mutex);
        DL_CONCAT(d->list, batch->list);
        d->count += count;
        pthread_mutex_unlock(&d->mutex);
        free(batch);
}

static void on_published(void *owner, enum link_result result)
{
        struct batch *batch = owner;

        if (result != LINK_CONFIRMED) {
                batch_put_back(batch);
                return;
        }
        free_list(batch->list);
        free(batch);
}

/* What is put back, and what the link refuses now, is published a second later. */
void doubts_publish(struct doubts *d)
{
        while (link_is_up(d->link)) {
                AUTO_BUFFER lines = {0};
                struct err e = {0};
                struct batch *batch = batch_take(d, &lines);

                if (batch == NULL)
                        return;
                struct message m = {.exchange = bytes_of_text("events"),
                                    .routing_key = bytes_of_text(""),
                                    .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                                    .timestamp = -1,
                                    .delivery_mode = 2,
                                    .body = buffer_bytes(&lines)};
                const struct publish_wait wait = {.done = on_published, .owner = batch};
                if (link_publish(d->link, &m, &wait, &e) < 0) {
                        batch_put_back(batch);
                        return;
                }
        }
}

static void on_alarm(void *owner)
{
        doubts_publish(owner);
}

struct doubts *doubts_create(uv_loop_t *loop)
{
        struct doubts *d = xcalloc(1, sizeof(*d));

        pthread_mutex_init(&d->mutex, NULL);
        d->alarm = alarm_create(loop, on_alarm, d);
        return d;
}

void doubts_use(struct doubts *d, struct link *l)
{
        d->link = l;
        alarm_set_every(d->alarm, PUBLISH_EVERY_MS);
}

static size_t count_due(const struct doubts *d)
{
        const struct doubt *at;
        size_t count = 0;

        DL_FOREACH (d->list, at)
                count += is_due(at) ? 1 : 0;
        return count;
}

void doubts_destroy(struct doubts **doubts)
{
        struct doubts *d = TAKE(*doubts);

        if (d == NULL)
                return;
        size_t unpublished = count_due(d);
        if (unpublished > 0)
                LOG_WARN("jobs that the broker may hold in the stream only stay visible as pending",
                         log_int("jobs", (int64_t)unpublished));
        alarm_destroy(&d->alarm);
        free_list(d->list);
        pthread_mutex_destroy(&d->mutex);
        free(d);
}

unsigned doubts_losses(struct doubts *d)
{
        return atomic_load(&d->losses);
}

static struct doubt *doubt_of(const struct job *job, enum doubt_cause cause)
{
        struct doubt *doubt = xcalloc(1, sizeof(*doubt));

        snprintf(doubt->id, sizeof(doubt->id), "%s", job->id);
        snprintf(doubt->tenant, sizeof(doubt->tenant), "%s", job->tenant);
        doubt->run = job->run;
        doubt->at = clock_wall();
        doubt->seen = clock_mono();
        doubt->cause = cause;
        return doubt;
}

void doubts_add(struct doubts *d, const struct job *job, enum doubt_cause cause, unsigned losses)
{
        struct doubt *doubt = doubt_of(job, cause);

        pthread_mutex_lock(&d->mutex);
        forget_slow_locked(d);
        if (cause == DOUBT_LATE && losses != atomic_load(&d->losses))
                doubt->cause = DOUBT_LOST;
        bool fits = d->count < DOUBTS_MAX;
        if (fits) {
                DL_APPEND(d->list, doubt);
                d->count++;
        }
        pthread_mutex_unlock(&d->mutex);
        if (fits)
                return;
        LOG_WARN("too many submissions in doubt: one may stay visible as pending",
                 log_text("job", job->id), log_text("tenant", job->tenant));
        free(doubt);
}

void doubts_link_down(struct doubts *d)
{
        struct doubt *at;

        pthread_mutex_lock(&d->mutex);
        atomic_fetch_add(&d->losses, 1);
        forget_slow_locked(d);
        DL_FOREACH (d->list, at) {
                if (at->cause == DOUBT_LATE)
                        at->cause = DOUBT_LOST;
        }
        pthread_mutex_unlock(&d->mutex);
}
