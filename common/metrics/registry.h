/* SPDX-License-Identifier: Apache-2.0
 *
 * registry.h: the structs that the files of common/metrics share.
 */
#ifndef WARREN_METRICS_REGISTRY_H
#define WARREN_METRICS_REGISTRY_H

#include <pthread.h>
#include <stdint.h>
#include <uthash.h>

#include "common/metrics/metrics.h"

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
        struct metric *rss, *cpu, *fds; /* process.c */
};

#endif
