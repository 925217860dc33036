/* SPDX-License-Identifier: Apache-2.0
 *
 * metrics.h: counters, gauges and histograms in the Prometheus text format. Any thread. A metric
 * has at most `series_max` series: further label values are counted as "other".
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"

struct metrics;
struct metric;

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
enum { METRIC_LABELS_MAX = 4 };

struct metric_spec {
        const char *name; /* all strings are borrowed for good: literals */
        const char *help;
        enum metric_kind kind;
        const char *labels[METRIC_LABELS_MAX]; /* names; NULL ends */
        const double *buckets; /* histograms: upper bounds, ascending; NULL: 1 ms to 60 s */
        size_t bucket_count;
        size_t series_max; /* 0: 1000 */
};

/* Adds warren_build_info{program,version} and process_* (memory, CPU, descriptors, start time). */
struct metrics *metrics_create(const char *program);
void metrics_destroy(struct metrics **m);

/* m owns the metric. Names must differ (asserted). A metric without labels is 0 at the start. */
struct metric *metric_add(struct metrics *m, const struct metric_spec *spec);
/* `...`: the label values (const char *), as many as the spec has labels, in its order. */
void metric_increment(struct metric *m, double by, ...);
void metric_set(struct metric *m, double value, ...);
void metric_observe(struct metric *m, double value, ...); /* histogram; seconds */
/* Removes one series of a gauge, if there is one with these values. */
void metric_remove(struct metric *m, ...);
/* Removes every series of a gauge. */
void metric_reset(struct metric *m);

/* Called before each exposition, to set gauges. Must not call metric_add. */
typedef void metrics_collect_fn(void *owner);
void metrics_on_collect(struct metrics *m, metrics_collect_fn *collect, void *owner);

/* Appends the exposition, in format 0.0.4. */
void metrics_write(struct metrics *m, struct buffer *out);
