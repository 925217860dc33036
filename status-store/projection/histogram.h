/* SPDX-License-Identifier: Apache-2.0
 *
 * histogram.h: counts times in milliseconds, in buckets 6 to 12 % wide. Percentiles are exact to
 * about 6 %. Small when packed: the database has several for each minute.
 */
#pragma once

#include "common/base/bytes.h"
#include "common/base/clock.h"

enum { HISTOGRAM_BUCKETS = 256 };

struct histogram {
        uint32_t count[HISTOGRAM_BUCKETS];
        uint64_t total;
};

/* A negative value counts as 0. */
void histogram_add(struct histogram *h, msec value);
/* The value that `share` (0..1) of the counted values do not exceed; -1: nothing was counted. */
msec histogram_at(const struct histogram *h, double share);
/* Adds the buckets in use: for each 1 byte of number, 4 of count (little-endian). */
void histogram_pack(const struct histogram *h, struct buffer *out);
/* Adds packed buckets to `into`; an incomplete one at the end is ignored. */
void histogram_unpack(struct bytes packed, struct histogram *into);
