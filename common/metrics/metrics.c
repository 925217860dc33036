/* SPDX-License-Identifier: Apache-2.0
 *
 * metrics.c: metrics and their series, those of every program about its own process, and the
 * Prometheus text format, version 0.0.4.
 */
#include "common/metrics/metrics.h"

#include <assert.h>
#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uthash.h>
#include <utlist.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/own.h"

enum { SERIES_DEFAULT_MAX = 1000, KEY_SIZE = 512 };

static const double default_buckets[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                         0.5,   1,      2.5,   5,    10,    30,   60};
static const char *const other[METRIC_LABELS_MAX] = {"other", "other", "other", "other"};

struct series {
        char *key;
        char *values[METRIC_LABELS_MAX];
        double value; /* a histogram's sum */
        uint64_t count;
        uint64_t *counts; /* of each bucket, not cumulative */
        UT_hash_handle hh;
};

struct metric {
        struct metric_spec spec;
        size_t label_count;
        struct metric *next;
        pthread_mutex_t mutex; /* guards series */
        struct series *series;
};

struct collector {
        metrics_collect_fn *collect;
        void *owner;
        struct collector *next;
};

struct metrics {
        pthread_mutex_t mutex; /* guards both lists; items are only added */
        struct metric *all;
        struct collector *collectors;
        struct metric *rss, *cpu, *fds; /* of the process */
};

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

/* NULL counts as "". */
static void read_values(const struct metric *m, va_list arguments, const char **out)
{
        for (size_t i = 0; i < m->label_count; i++) {
                const char *value = va_arg(arguments, const char *);
                out[i] = value != NULL ? value : "";
        }
}

/* Locks m and returns the series with the label values in `arguments`. */
static struct series *lock_series(struct metric *m, va_list arguments)
{
        const char *values[METRIC_LABELS_MAX] = {0};

        read_values(m, arguments, values);
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

void metric_remove(struct metric *m, ...)
{
        const char *values[METRIC_LABELS_MAX] = {0};
        char key[KEY_SIZE];
        struct series *s = NULL;
        va_list arguments;

        assert(m->spec.kind == METRIC_GAUGE);
        va_start(arguments, m);
        read_values(m, arguments, values);
        va_end(arguments);
        size_t length = series_key(m, values, key);
        pthread_mutex_lock(&m->mutex);
        HASH_FIND(hh, m->series, key, length, s);
        if (s != NULL) {
                HASH_DEL(m->series, s);
                series_free(s);
        }
        pthread_mutex_unlock(&m->mutex);
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

static double resident_bytes(void)
{
        AUTO_FCLOSE FILE *file = fopen("/proc/self/statm", "re");
        char line[128];

        if (file == NULL || fgets(line, sizeof(line), file) == NULL)
                return 0;
        /* The second number; the first is the virtual size. */
        const char *second = strchr(line, ' ');
        if (second == NULL)
                return 0;
        return (double)strtoll(second, NULL, 10) * (double)sysconf(_SC_PAGESIZE);
}

static double cpu_seconds(void)
{
        struct timespec used = {0};

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
        return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static double open_fds(void)
{
        DIR *directory = opendir("/proc/self/fd");
        double count = 0;

        if (directory == NULL)
                return 0;
        for (struct dirent *at = readdir(directory); at != NULL; at = readdir(directory)) {
                if (at->d_name[0] != '.')
                        count++;
        }
        closedir(directory);
        return count - 1; /* the directory itself */
}

/* Read from /proc at each exposition. */
static void collect(void *owner)
{
        const struct metrics *m = owner;

        metric_set(m->rss, resident_bytes());
        metric_set(m->cpu, cpu_seconds());
        metric_set(m->fds, open_fds());
}

static struct metric *plain(struct metrics *m, const char *name, const char *help,
                            enum metric_kind kind)
{
        return metric_add(m, &(struct metric_spec){.name = name, .help = help, .kind = kind});
}

struct metrics *metrics_create(const char *program)
{
        struct metrics *m = xcalloc(1, sizeof(*m));

        pthread_mutex_init(&m->mutex, NULL);
        struct metric *build = metric_add(
                m, &(struct metric_spec){.name = "warren_build_info",
                                         .help = "The program and its version; always 1.",
                                         .kind = METRIC_GAUGE,
                                         .labels = {"program", "version"}});
        metric_set(build, 1, program, WARREN_VERSION);
        m->rss = plain(m, "process_resident_memory_bytes", "Resident memory size in bytes.",
                       METRIC_GAUGE);
        m->cpu = plain(m, "process_cpu_seconds_total", "User and system CPU time spent in seconds.",
                       METRIC_COUNTER);
        m->fds = plain(m, "process_open_fds", "Number of open file descriptors.", METRIC_GAUGE);
        struct metric *start =
                plain(m, "process_start_time_seconds",
                      "Start time of the process since the epoch in seconds.", METRIC_GAUGE);
        metric_set(start, (double)clock_wall() / 1000);
        metrics_on_collect(m, collect, m);
        return m;
}

static const char *kind_name(enum metric_kind kind)
{
        switch (kind) {
        case METRIC_COUNTER:
                return "counter";
        case METRIC_GAUGE:
                return "gauge";
        case METRIC_HISTOGRAM:
                return "histogram";
        }
        return "untyped";
}

/* The shortest form that is read as the same number. */
static void write_number(struct buffer *out, double value)
{
        char text[32];

        if (isnan(value)) {
                buffer_add_text(out, "NaN");
                return;
        }
        if (isinf(value)) {
                buffer_add_text(out, value > 0 ? "+Inf" : "-Inf");
                return;
        }
        for (int digits = 6; digits <= 17; digits++) {
                snprintf(text, sizeof(text), "%.*g", digits, value);
                if (!(strtod(text, NULL) < value) && !(strtod(text, NULL) > value))
                        break;
        }
        buffer_add_text(out, text);
}

static void write_escaped(struct buffer *out, const char *text, bool quotes)
{
        for (const char *c = text; *c != '\0'; c++) {
                if (*c == '\\')
                        buffer_add_text(out, "\\\\");
                else if (*c == '\n')
                        buffer_add_text(out, "\\n");
                else if (*c == '"' && quotes)
                        buffer_add_text(out, "\\\"");
                else
                        buffer_add_char(out, *c);
        }
}

/* Writes name_suffix{labels,le="…"}; le: NULL except for a histogram's buckets. */
static void write_name(struct buffer *out, const struct metric *m, const struct series *s,
                       const char *suffix, const char *le)
{
        char before = '{';

        buffer_add_text(out, m->spec.name);
        buffer_add_text(out, suffix);
        for (size_t i = 0; i < m->label_count; i++) {
                buffer_add_char(out, before);
                buffer_add_text(out, m->spec.labels[i]);
                buffer_add_text(out, "=\"");
                write_escaped(out, s->values[i], true);
                buffer_add_char(out, '"');
                before = ',';
        }
        if (le != NULL) {
                buffer_printf(out, "%cle=\"%s\"", before, le);
                before = ',';
        }
        buffer_add_text(out, before == ',' ? "} " : " ");
}

static void write_histogram(struct buffer *out, const struct metric *m, const struct series *s)
{
        uint64_t below = 0;

        for (size_t i = 0; i < m->spec.bucket_count; i++) {
                char le[32];
                snprintf(le, sizeof(le), "%g", m->spec.buckets[i]);
                below += s->counts[i];
                write_name(out, m, s, "_bucket", le);
                buffer_printf(out, "%" PRIu64 "\n", below);
        }
        write_name(out, m, s, "_bucket", "+Inf");
        buffer_printf(out, "%" PRIu64 "\n", s->count);
        write_name(out, m, s, "_sum", NULL);
        write_number(out, s->value);
        buffer_add_char(out, '\n');
        write_name(out, m, s, "_count", NULL);
        buffer_printf(out, "%" PRIu64 "\n", s->count);
}

static void write_metric(struct buffer *out, struct metric *m)
{
        pthread_mutex_lock(&m->mutex);
        if (m->series != NULL) {
                buffer_printf(out, "# HELP %s ", m->spec.name);
                write_escaped(out, m->spec.help, false);
                buffer_printf(out, "\n# TYPE %s %s\n", m->spec.name, kind_name(m->spec.kind));
        }
        for (const struct series *s = m->series; s != NULL; s = s->hh.next) {
                if (m->spec.kind == METRIC_HISTOGRAM) {
                        write_histogram(out, m, s);
                        continue;
                }
                write_name(out, m, s, "", NULL);
                write_number(out, s->value);
                buffer_add_char(out, '\n');
        }
        pthread_mutex_unlock(&m->mutex);
}

void metrics_write(struct metrics *m, struct buffer *out)
{
        struct metric *at = NULL;
        struct collector *c = NULL;

        pthread_mutex_lock(&m->mutex);
        LL_FOREACH (m->collectors, c)
                c->collect(c->owner);
        LL_FOREACH (m->all, at)
                write_metric(out, at);
        pthread_mutex_unlock(&m->mutex);
}
