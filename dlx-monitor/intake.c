/* SPDX-License-Identifier: Apache-2.0
 *
 * intake.c: archives deliveries in batches, one transaction each.
 */
#include "dlx-monitor/intake.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/base/alarm.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"

/* A batch holds at most the prefetches of both queues. */
enum { PREFETCH = 100, BATCH_MAX = 2 * PREFETCH };
#define BATCH_AGE 5      /* ms */
#define RETRY_AFTER 1000 /* ms */

struct input {
        struct intake *intake;
        enum letter_source source;
        struct subscription *subscription;
};

struct held {
        struct delivery *delivery;
        enum letter_source source;
};

struct intake {
        struct intake_config config;
        struct input dead, unroutable;
        struct alarm *alarm;
        struct held batch[BATCH_MAX];
        size_t count;
        struct letter *letters; /* BATCH_MAX of them */
        struct metric *archived, *repeated;
        pthread_mutex_t mutex; /* guards fault */
        struct err fault;
};

static void set_fault(struct intake *i, const struct err *fault)
{
        pthread_mutex_lock(&i->mutex);
        bool was = err_is_set(&i->fault), is = err_is_set(fault);
        i->fault = *fault;
        pthread_mutex_unlock(&i->mutex);
        if (is && !was)
                LOG_WARN("cannot archive; dead letters wait in their queues", log_err(fault));
        if (was && !is)
                LOG_INFO("archiving again");
}

static void settle_all(struct intake *i, enum settle how)
{
        for (size_t at = 0; at < i->count; at++)
                link_settle(&i->batch[at].delivery, how);
        i->count = 0;
}

static void count_letters(struct intake *i, size_t added)
{
        for (size_t at = 0; at < i->count; at++)
                metric_increment(i->archived, 1, letter_source_name(i->letters[at].source),
                                 reason_word(i->letters[at].reason));
        metric_increment(i->repeated, (double)(i->count - added));
}

static void flush(void *owner)
{
        struct intake *i = owner;
        struct err e = {0};
        msec now = clock_wall();
        size_t added = 0;

        alarm_stop(i->alarm);
        if (i->count == 0)
                return;
        for (size_t at = 0; at < i->count; at++) {
                struct delivery *d = i->batch[at].delivery;
                letter_of_message(&d->message, i->batch[at].source, now, &i->letters[at]);
                i->letters[at].redelivered = d->redelivered;
        }
        int result = archive_put(i->config.archive, i->letters, i->count, &added, &e);
        set_fault(i, &e);
        if (result != 0) {
                alarm_set(i->alarm, RETRY_AFTER);
                return;
        }
        count_letters(i, added);
        settle_all(i, SETTLE_ACK);
        if (added > 0)
                i->config.added(i->config.owner);
}

/* Drops deliveries whose channel was closed: the broker delivers them again. */
static void drop_dead_deliveries(struct intake *i)
{
        size_t live = 0;

        for (size_t at = 0; at < i->count; at++) {
                if (delivery_is_live(i->batch[at].delivery))
                        i->batch[live++] = i->batch[at];
                else
                        link_settle(&i->batch[at].delivery, SETTLE_REQUEUE);
        }
        i->count = live;
}

static void on_delivery(void *owner, struct delivery *d)
{
        struct input *input = owner;
        struct intake *i = input->intake;

        if (i->count == BATCH_MAX)
                drop_dead_deliveries(i);
        assert(i->count < BATCH_MAX);
        i->batch[i->count++] = (struct held){.delivery = d, .source = input->source};
        if (i->count == BATCH_MAX)
                flush(i);
        else if (!alarm_is_set(i->alarm))
                alarm_set(i->alarm, BATCH_AGE);
}

static void open_input(struct intake *i, struct input *input, enum letter_source source)
{
        struct source queue = {.queue = letter_source_name(source), .prefetch = PREFETCH};

        input->intake = i;
        input->source = source;
        input->subscription = link_subscribe(i->config.link, &queue, on_delivery, input);
}

struct intake *intake_create(const struct intake_config *c)
{
        struct intake *i = xcalloc(1, sizeof(*i));
        const struct metric_spec archived = {
                .name = "warren_dead_letters_archived_total",
                .help = "Messages archived, by the queue they came from and the reason",
                .kind = METRIC_COUNTER,
                .labels = {"source", "reason"},
        };
        const struct metric_spec repeated = {
                .name = "warren_dead_letters_repeated_total",
                .help = "Messages that had been archived before",
                .kind = METRIC_COUNTER,
        };

        i->config = *c;
        pthread_mutex_init(&i->mutex, NULL);
        i->letters = xcalloc(BATCH_MAX, sizeof(*i->letters));
        i->archived = metric_add(c->metrics, &archived);
        i->repeated = metric_add(c->metrics, &repeated);
        i->alarm = alarm_create(c->loop, flush, i);
        open_input(i, &i->dead, FROM_DEAD);
        open_input(i, &i->unroutable, FROM_UNROUTABLE);
        return i;
}

void intake_destroy(struct intake **intake)
{
        struct intake *i = TAKE(*intake);

        if (i == NULL)
                return;
        intake_link_down(i);
        alarm_destroy(&i->alarm);
        pthread_mutex_destroy(&i->mutex);
        free(i->letters);
        free(i);
}

void intake_link_down(struct intake *i)
{
        settle_all(i, SETTLE_REQUEUE);
        alarm_stop(i->alarm);
}

void intake_stop(struct intake *i)
{
        if (i->dead.subscription == NULL)
                return;
        link_unsubscribe(&i->dead.subscription);
        link_unsubscribe(&i->unroutable.subscription);
        flush(i);
}

bool intake_can_archive(struct intake *i, struct err *why)
{
        pthread_mutex_lock(&i->mutex);
        *why = i->fault;
        pthread_mutex_unlock(&i->mutex);
        return !err_is_set(why);
}
