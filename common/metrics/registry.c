/* SPDX-License-Identifier: Apache-2.0
 *
 * registry.c: metrics and their series.
 */
#include "common/metrics/metrics.h"

#include <assert.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/metrics/registry.h"

enum { SERIES_DEFAULT_MAX = 1000, KEY_SIZE = 512 };

static const double default_buckets[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                         0.5,   1,      2.5,   5,    10,    30,   60};
static const char *const other[METRIC_LABELS_MAX] = {"other", "other", "other", "other"};

static void series_free(struct series *s)
{
        for (size_t i = 0; i < METRIC_LABELS_MAX; i++)
                free(s->values[i]);
        free(s->counts);
        free(s->key);
        free(s);
}

static void drop_series(struct metric *m)
{
        struct series *s, *next;

        HASH_ITER (hh, m->series, s, next) {
                HASH_DEL(m->series, s);
                series_free(s);
        }
}

void metrics_destroy(struct metrics **metrics)
{
        struct metrics *m = TAKE(*metrics);
        struct metric *at, *next;
        struct collector *c, *later;

        if (m == NULL)
                return;
        LL_FOREACH_SAFE (m->all, at, next) {
                drop_series(at);
                pthread_mutex_destroy(&at->mutex);
                free(at);
        }
        LL_FOREACH_SAFE (m->collectors, c, later)
                free(c);
        pthread_mutex_destroy(&m->mutex);
        free(m);
}

/* Joins the label values, each followed by a byte that UTF-8 does not use. Cut at KEY_SIZE. */
static size_t series_key(const struct metric *m, const char *const *values, char out[KEY_SIZE])
{
        size_t length = 0;

        for (size_t i = 0; i < m->label_count; i++) {
                assert(values[i] != NULL);
                size_t add = strlen(values[i]);
                if (length + add + 1 > KEY_SIZE)
                        add = KEY_SIZE - length - 1;
                memcpy(out + length, values[i], add); /* NOLINT: not a C string */
                length += add;
                out[length++] = '\xff';
                if (length >= KEY_SIZE)
                        break;
        }
        return length;
}

static struct series *series_new_locked(struct metric *m, const char *const *values,
                                        const char *key, size_t length)
{
        struct series *s = xcalloc(1, sizeof(*s));

        s->key = xmemdup0(key, length);
        for (size_t i = 0; i < m->label_count; i++)
                s->values[i] = xstrdup(values[i]);
        if (m->spec.kind == METRIC_HISTOGRAM)
                s->counts = xcalloc(m->spec.bucket_count, sizeof(*s->counts));
        HASH_ADD_KEYPTR(hh, m->series, s->key, length, s);
        return s;
}

static struct series *series_of_locked(struct metric *m, const char *const *values)
{
        char key[KEY_SIZE];
        size_t length = series_key(m, values, key);
        struct series *s = NULL;

        HASH_FIND(hh, m->series, key, length, s);
        if (s != NULL)
                return s;
        if (values != other && HASH_COUNT(m->series) + 1 >= m->spec.series_max)
                return series_of_locked(m, other);
        return series_new_locked(m, values, key, length);
}

static bool name_is_free(const struct metrics *m, const char *name)
{
        const struct metric *at = NULL;

        LL_FOREACH (m->all, at) {
                if (strcmp(at->spec.name, name) == 0)
                        return false;
        }
        return true;
}

struct metric *metric_add(struct metrics *m, const struct metric_spec *spec)
{
        struct metric *metric = xcalloc(1, sizeof(*metric));

        metric->spec = *spec;
        pthread_mutex_init(&metric->mutex, NULL);
        while (metric->label_count < METRIC_LABELS_MAX && spec->labels[metric->label_count] != NULL)
                metric->label_count++;
        if (spec->series_max == 0)
                metric->spec.series_max = SERIES_DEFAULT_MAX;
        if (spec->buckets == NULL) {
                metric->spec.buckets = default_buckets;
                metric->spec.bucket_count = sizeof(default_buckets) / sizeof(default_buckets[0]);
        }
        if (metric->label_count == 0)
                series_of_locked(metric, other);

        pthread_mutex_lock(&m->mutex);
        assert(name_is_free(m, spec->name));
        LL_APPEND(m->all, metric);
        pthread_mutex_unlock(&m->mutex);
        return metric;
}

/* Locks m and returns the series with the label values in `arguments`; NULL counts as "". */
static struct series *lock_series(struct metric *m, va_list arguments)
{
        const char *values[METRIC_LABELS_MAX] = {0};

        for (size_t i = 0; i < m->label_count; i++) {
                const char *value = va_arg(arguments, const char *);
                values[i] = value != NULL ? value : "";
        }
        pthread_mutex_lock(&m->mutex);
        return series_of_locked(m, values);
}

void metric_increment(struct metric *m, double by, ...)
{
        va_list values;

        assert(m->spec.kind != METRIC_HISTOGRAM);
        va_start(values, by);
        lock_series(m, values)->value += by;
        pthread_mutex_unlock(&m->mutex);
        va_end(values);
}

void metric_set(struct metric *m, double value, ...)
{
        va_list values;

        assert(m->spec.kind != METRIC_HISTOGRAM);
        va_start(values, value);
        lock_series(m, values)->value = value;
        pthread_mutex_unlock(&m->mutex);
        va_end(values);
}

void metric_observe(struct metric *m, double value, ...)
{
        va_list values;
        size_t bucket = 0;

        assert(m->spec.kind == METRIC_HISTOGRAM);
        while (bucket < m->spec.bucket_count && value > m->spec.buckets[bucket])
                bucket++;
        va_start(values, value);
        struct series *s = lock_series(m, values);
        if (bucket < m->spec.bucket_count)
                s->counts[bucket]++;
        s->count++;
        s->value += value;
        pthread_mutex_unlock(&m->mutex);
        va_end(values);
}

void metric_reset(struct metric *m)
{
        assert(m->spec.kind == METRIC_GAUGE);
        pthread_mutex_lock(&m->mutex);
        drop_series(m);
        pthread_mutex_unlock(&m->mutex);
}

void metrics_on_collect(struct metrics *m, metrics_collect_fn *collect, void *owner)
{
        struct collector *c = xcalloc(1, sizeof(*c));

        c->collect = collect;
        c->owner = owner;
        pthread_mutex_lock(&m->mutex);
        LL_APPEND(m->collectors, c);
        pthread_mutex_unlock(&m->mutex);
}
