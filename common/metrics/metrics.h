/* SPDX-License-Identifier: Apache-2.0
 *
 * metrics.h: counters, gauges and histograms in the Prometheus text format. Any thread.
 * Series are bounded per metric: past `series_max` further label values are counted under "other".
 */
#ifndef WARREN_METRICS_METRICS_H
#define WARREN_METRICS_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"

struct metrics;
struct metric;

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
enum { METRIC_LABELS_MAX = 4 };

struct metric_spec {
        const char *name; /* strings are borrowed for ever: literals */
        const char *help;
        enum metric_kind kind;
        const char *labels[METRIC_LABELS_MAX]; /* names; NULL ends */
        const double *buckets; /* histograms: upper bounds, ascending; NULL: 1 ms to 60 s */
        size_t bucket_count;
        size_t series_max; /* 0: 1000 */
};

/* Adds warren_build_info{program,version} 1 and the process_* basics (rss, cpu, fds, start time).
 */
struct metrics *metrics_create(const char *program);
void metrics_destroy(struct metrics **m);

/* Owned by m. Asserts on a name used twice. A metric without labels exists at 0 from the start. */
struct metric *metric_add(struct metrics *m, const struct metric_spec *spec);
/* Label values in the spec's order: as many as it has. */
void metric_increment(struct metric *m, double by, ...); /* then const char * values */
void metric_set(struct metric *m, double value, ...);
void metric_observe(struct metric *m, double value, ...); /* histogram; seconds */
/* Forgets every series of a gauge, before it is filled anew. */
void metric_reset(struct metric *m);

/* Called before each exposition, to set gauges. */
typedef void metrics_collect_fn(void *owner);
void metrics_on_collect(struct metrics *m, metrics_collect_fn *collect, void *owner);

/* The exposition, format 0.0.4. */
void metrics_write(struct metrics *m, struct buffer *out);

#endif
