/* SPDX-License-Identifier: Apache-2.0
 *
 * doubts.c: telling what was not kept.
 */
#include "gateway/doubts.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/model/event.h"

/* A broker that went without a word (its power, the network) is missed after two heartbeats of
 * 10 s, long after its last confirms were. A later confirm than that is only a slow one. */
#define LATE_LIMIT ((msec)30000)

/* A message of `events` holds some 180 bytes of each. */
enum { DOUBTS_MAX = 16384, TELL_BATCH = 256 };

struct doubt {
        char id[UUID_SIZE];
        char tenant[TENANT_SIZE];
        int64_t run;
        msec at;   /* on the wall: the event's */
        msec seen; /* on the monotonic clock */
        enum doubt_cause cause;
        struct doubt *prev, *next;
};

struct doubts {
        pthread_mutex_t mutex;
        struct doubt *list; /* the oldest first */
        size_t count;
};

/* What one message tells. */
struct telling {
        struct doubts *doubts;
        struct doubt *list;
};

struct doubts *doubts_create(void)
{
        struct doubts *d = xcalloc(1, sizeof(*d));

        pthread_mutex_init(&d->mutex, NULL);
        return d;
}

static void free_list(struct doubt *list)
{
        struct doubt *at, *next;

        DL_FOREACH_SAFE (list, at, next) {
                DL_DELETE(list, at);
                free(at);
        }
}

void doubts_destroy(struct doubts **d)
{
        if (*d == NULL)
                return;
        if ((*d)->list != NULL)
                LOG_WARN("what may be kept by half stays visible as pending",
                         log_int("jobs", (int64_t)(*d)->count));
        free_list((*d)->list);
        pthread_mutex_destroy(&(*d)->mutex);
        free(*d);
        *d = NULL;
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

/* Takes the next few off the list; NULL: there are none. */
static struct telling *telling_take(struct doubts *d, struct buffer *lines)
{
        struct telling *t = xcalloc(1, sizeof(*t));
        struct doubt *at, *next;
        size_t taken = 0;

        t->doubts = d;
        pthread_mutex_lock(&d->mutex);
        DL_FOREACH_SAFE (d->list, at, next) {
                if (!is_due(at) || taken == TELL_BATCH)
                        continue;
                remove_locked(d, at);
                DL_APPEND(t->list, at);
                write_event(at, lines);
                taken++;
        }
        pthread_mutex_unlock(&d->mutex);
        if (taken > 0)
                return t;
        free(t);
        return NULL;
}

static void telling_put_back(struct telling *t)
{
        struct doubts *d = t->doubts;
        struct doubt *at;
        size_t count;

        DL_COUNT(t->list, at, count);
        pthread_mutex_lock(&d->mutex);
        DL_CONCAT(d->list, t->list);
        d->count += count;
        pthread_mutex_unlock(&d->mutex);
        free(t);
}

static void on_told(void *owner, enum link_result result)
{
        struct telling *t = owner;

        if (result != LINK_CONFIRMED) {
                telling_put_back(t);
                return;
        }
        free_list(t->list);
        free(t);
}

/* Stops at a link that takes nothing: it is done again when the link comes up. */
static void tell(struct doubts *d, struct link *l)
{
        while (link_is_up(l)) {
                AUTO_BUFFER lines = {0};
                struct err e = {0};
                struct telling *t = telling_take(d, &lines);

                if (t == NULL)
                        return;
                struct message m = {.exchange = bytes_of_text("events"),
                                    .routing_key = bytes_of_text(""),
                                    .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                                    .timestamp = -1,
                                    .delivery_mode = 2,
                                    .body = buffer_bytes(&lines)};
                if (link_publish(l, &m, &(struct publish_wait){.done = on_told, .owner = t}, &e) ==
                    0)
                        continue;
                telling_put_back(t);
                return;
        }
}

void doubts_add(struct doubts *d, struct link *l, const struct job *job, enum doubt_cause cause)
{
        struct doubt *doubt = xcalloc(1, sizeof(*doubt));

        snprintf(doubt->id, sizeof(doubt->id), "%s", job->id);
        snprintf(doubt->tenant, sizeof(doubt->tenant), "%s", job->tenant);
        doubt->run = job->run;
        doubt->at = clock_wall();
        doubt->seen = clock_mono();
        doubt->cause = cause;
        pthread_mutex_lock(&d->mutex);
        forget_slow_locked(d);
        bool fits = d->count < DOUBTS_MAX;
        if (fits) {
                DL_APPEND(d->list, doubt);
                d->count++;
        }
        pthread_mutex_unlock(&d->mutex);
        if (!fits) {
                LOG_WARN("too many submissions in doubt: one may stay visible as pending",
                         log_text("job", job->id), log_text("tenant", job->tenant));
                free(doubt);
                return;
        }
        if (cause != DOUBT_LATE)
                tell(d, l);
}

void doubts_link_down(struct doubts *d)
{
        struct doubt *at;

        pthread_mutex_lock(&d->mutex);
        forget_slow_locked(d);
        DL_FOREACH (d->list, at) {
                if (at->cause == DOUBT_LATE)
                        at->cause = DOUBT_LOST;
        }
        pthread_mutex_unlock(&d->mutex);
}

void doubts_link_up(struct doubts *d, struct link *l)
{
        tell(d, l);
}
